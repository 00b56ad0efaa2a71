"""The whole output from the memory, nothing fed back: one distribution for each of its places."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Emission, Memory, Padded, State, Stream, Vectors, ranks
from anyseq.errors import ConfigError
from anyseq.models.decoders.base import DecoderConfig, MemoryShape, at_places
from anyseq.models.decoders.rnn import FirstState, Start, first_state
from anyseq.models.emissions.base import EmissionConfig
from anyseq.models.recurrent import RecurrentSettings
from anyseq.nn.dropout import Dropout
from anyseq.nn.recurrent import RecurrentStack


class IndependentDecoder(Decoder):
    """Says of each place what the memory tells of it, and of those beyond the last what it says of that.

    Args:
        emission: The distribution of each value.
        length: Places of an output.
    """

    discrete: bool = False
    independent: bool = True

    def __init__(self, emission: EmissionConfig, length: int) -> None:
        super().__init__()
        self.emission, self.length = emission, length

    @abstractmethod
    def say(self, memory: Memory) -> Float[Tensor, "source length parameter"]:
        """What makes the distributions of all places."""

    def prepare(self, memory: Memory) -> Memory:
        """Add it, once per source."""
        return memory.replace(said=self.say(memory), last=torch.full_like(memory.item, self.length - 1))

    def start(self, memory: Memory) -> State:
        """Nothing but the count."""
        return State(steps=torch.zeros_like(memory.item))

    def step(self, memory: Memory, state: State, previous: Tensor) -> tuple[Emission, State]:
        """The row's next place."""
        said = at_places(memory.said, memory.last, state.steps[:, None])[:, 0]
        return self.emission.build(said), State(steps=state.steps + 1)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Emission, State]:
        """All places at once."""
        state, _ = self.begin(memory, target, state, previous)
        places = state.steps[:, None] + torch.arange(target.values.shape[1], device=state.steps.device)
        said = at_places(memory.said, memory.last, places)
        return self.emission.build(said, target.valid), State(steps=state.steps + target.lengths)


class SegmentsDecoder(IndependentDecoder):
    """One recurrent step for each segment of the output, all from the memory's state h.

    h_s = cell(q_s, h), y_s = W h_s + b. q_s is a learnt vector of the segment's number, and what is known of its places
    in advance.

    Args:
        emission, length: As of `IndependentDecoder`.
        segment: Places of a segment.
        stack: The recurrence, one step of it.
        first: Makes its state of the memory.
        future_dim: Width of what is known of a place in advance.
        parameters: Numbers that are said of a place.
        dropout: Share of h_s dropped in training.

    Source:
        Lin et al. 2023, arXiv:2308.11200 (SegRNN), section 3.3, "parallel multi-step forecasting". Theirs is the
        encoder's own cell.
    """

    def __init__(
        self, emission: EmissionConfig, length: int, *, segment: int, stack: RecurrentStack, first: FirstState,
        future_dim: int, parameters: int, dropout: float,
    ) -> None:  # fmt: skip
        super().__init__(emission, length)
        self.segment, self.stack, self.first = segment, stack, first
        self.count = math.ceil(length / segment)
        self.places = nn.Parameter(torch.randn(self.count, stack.input_dim))
        self.known = nn.Linear(segment * future_dim, stack.input_dim, bias=False) if future_dim else None
        self.dropout, self.output = Dropout(dropout), nn.Linear(stack.output_dim, segment * parameters)

    def say(self, memory: Memory) -> Float[Tensor, "source length parameter"]:
        """All segments at once, as rows."""
        rows = torch.arange(memory.rows, device=memory.item.device).repeat_interleave(self.count)
        asked = self.places.expand(memory.rows, -1, -1)
        if self.known is not None:
            places = torch.arange(self.count * self.segment, device=rows.device).expand(memory.rows, -1)
            future = at_places(memory.future.values, memory.future.lengths - 1, places)
            asked = asked + self.known(future.reshape(memory.rows, self.count, -1))
        h, _ = self.stack.step(asked.flatten(0, 1), self.first(memory, self.stack).select(rows))
        said = self.output(self.dropout(h)).view(memory.rows, self.count * self.segment, -1)
        return said[:, : self.length]


class RepeatDecoder(IndependentDecoder):
    """A recurrence that reads the memory's one vector again and again, and what is known of each place in advance.

    h_t = cell([summary; future_t], h_{t-1}) from zeros, y_t = W norm(h_t) + b.

    Args:
        emission, length: As of `IndependentDecoder`.
        stack: The recurrence, from left to right.
        norm: Of its outputs.
        parameters: Numbers that are said of a place.
        dropout: Share of what W reads dropped in training.

    Source:
        Cho et al. 2014, arXiv:1406.1078, whose decoder also reads its own output; as it is, Keras' RepeatVector.
    """

    def __init__(
        self, emission: EmissionConfig, length: int, *, stack: RecurrentStack, norm: nn.Module, parameters: int,
        dropout: float,
    ) -> None:  # fmt: skip
        super().__init__(emission, length)
        self.stack, self.norm, self.dropout = stack, norm, Dropout(dropout)
        self.output = nn.Linear(stack.output_dim, parameters)
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def say(self, memory: Memory) -> Float[Tensor, "source length parameter"]:
        """The recurrence over all places."""
        x = memory.summary[:, None].expand(-1, self.length, -1)
        if memory.get("future") is not None:
            places = torch.arange(self.length, device=x.device).expand(memory.rows, -1)
            x = torch.cat([x, at_places(memory.future.values, memory.future.lengths - 1, places)], 2)
        h, _ = self.stack(x, torch.ones(x.shape[:2], dtype=torch.bool, device=x.device))
        return self.output(self.dropout(self.norm(h)))


class BatchNorm(nn.BatchNorm1d):
    """Each channel by its mean and deviation over the batch (of all ranks) and all places; in use by those kept from
    training.

    Source:
        Ioffe and Szegedy 2015, arXiv:1502.03167. `momentum` is the new share, .01 (Keras: the old one, .99).
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim, eps=1e-3, momentum=0.01)

    def forward(self, x: Float[Tensor, "row time dim"]) -> Float[Tensor, "row time dim"]:
        """Normalise."""
        if self.training and ranks.world() > 1:
            return self._over_ranks(x.flatten(0, 1)).view_as(x)
        return super().forward(x.flatten(0, 1)).view_as(x)

    def _over_ranks(self, x: Float[Tensor, "place dim"]) -> Float[Tensor, "place dim"]:
        """The same as of one batch with the rows of all ranks."""
        count = ranks.total(torch.tensor(float(len(x)), device=x.device))
        mean = ranks.total_with_gradient(x.sum(0)) / count
        variance = ranks.total_with_gradient((x - mean).square().sum(0)) / count
        if self.running_mean is not None and self.running_var is not None and self.momentum is not None:
            with torch.no_grad():
                self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
                self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var), self.momentum)
        return (x - mean) * (variance + self.eps).rsqrt() * self.weight + self.bias


class DirectSettings(RecurrentSettings, DecoderConfig):
    """What decoders share that say all places of an output from the memory."""

    emission: EmissionConfig = Field(description="the distribution of each value")

    def length(self, target: Stream) -> int:
        """Places of an output.

        Raises:
            ConfigError: the stream is of symbols, or its sequences differ in length.
        """
        if not isinstance(target, Vectors) or target.length is None:
            raise ConfigError(
                "this decoder says vectors at a number of places that is known beforehand, as forecasts and windows of "
                "series have; for other outputs choose another decoder"
            )
        return target.length


class SegmentsDecoderConfig(DirectSettings):
    """The whole output at once, a segment from one recurrent step each (SegRNN)."""

    outline: ClassVar[tuple[str, ...]] = (*RecurrentSettings.outline, "segment")

    segment: int = Field(1, ge=1, description="places said by one step")
    start: Start = Field("summary", description="the state: from the encoder's summary, or its last states themselves")

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> SegmentsDecoder:
        """Make a decoder that says vectors of this stream."""
        length = self.length(target)
        assert isinstance(target, Vectors)
        stack = RecurrentStack(self.make_layers(self.embed_dim))
        return SegmentsDecoder(
            self.emission, length, segment=self.segment, stack=stack, first=first_state(self.start, memory, stack),
            future_dim=memory.future_dim, parameters=self.emission.per_value * target.dim, dropout=self.dropout,
        )  # fmt: skip


class RepeatDecoderConfig(DirectSettings):
    """The whole output by a recurrence over the summary, repeated (RepeatVector)."""

    batch_norm: bool = Field(False, description="normalise the recurrence's outputs over the batch")

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> RepeatDecoder:
        """Make a decoder that says vectors of this stream."""
        length = self.length(target)
        assert isinstance(target, Vectors)
        stack = RecurrentStack(self.make_layers(memory.summary_dim + memory.future_dim))
        return RepeatDecoder(
            self.emission, length, stack=stack, norm=BatchNorm(stack.output_dim) if self.batch_norm else nn.Identity(),
            parameters=self.emission.per_value * target.dim, dropout=self.dropout,
        )  # fmt: skip
