"""Recurrent layers as an unfold, from the fold's final state alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int, Shaped
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Emission, Memory, Padded, PartConfig, State, Stream, Tree, Vectors
from anyseq.errors import ConfigError
from anyseq.models.decoders.base import DecoderConfig, MemoryShape, at_places, output_layer, target_embedding
from anyseq.models.emissions.base import EmissionConfig, VectorHead
from anyseq.models.encoders.base import EncoderConfig
from anyseq.models.encoders.rnn import RnnEncoderConfig
from anyseq.models.recurrent import RecurrentSettings
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import FedBack, SymbolEmbedding
from anyseq.nn.emissions import Attention, Categorical
from anyseq.nn.recurrent import RecurrentStack

Start = Literal["summary", "states"]


class FirstState(nn.Module, ABC):
    """From the fold's memory to the unfold's first state."""

    @abstractmethod
    def forward(self, memory: Memory, stack: RecurrentStack) -> Tree:
        """The first state of a stack, one row a source."""


class Bridge(FirstState):
    """From the fold's summary: h_0 = tanh(W summary + b) in every layer.

    What else a cell carries (the LSTM's c) starts as always.

    Args:
        summary_dim: Width of `memory.summary`.
        stack: The recurrence to start, from left to right.

    Source:
        Cho et al. 2014, arXiv:1406.1078, section A.1.2; Bahdanau et al. 2015, arXiv:1409.0473, section A.2.2 (theirs
        reads the backward direction alone).
    """

    def __init__(self, summary_dim: int, stack: RecurrentStack) -> None:
        super().__init__()
        self.widths = [dims["h"] for dims in stack.state_dims]
        self.linear = nn.Linear(summary_dim, sum(self.widths))
        nn.init.xavier_uniform_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, memory: Memory, stack: RecurrentStack) -> Tree:
        """The first state of a stack, one row a source."""
        return _from_hidden(stack, self.linear(memory.summary).tanh().split(self.widths, 1))


class Learnt(FirstState):
    """The same for all, where nothing was folded: h_0 = tanh(b) in every layer.

    Args:
        stack: The recurrence to start, from left to right.
    """

    def __init__(self, stack: RecurrentStack) -> None:
        super().__init__()
        self.widths = [dims["h"] for dims in stack.state_dims]
        self.bias = nn.Parameter(torch.zeros(sum(self.widths)))

    def forward(self, memory: Memory, stack: RecurrentStack) -> Tree:
        """The first state of a stack, one row a source."""
        return _from_hidden(stack, self.bias.tanh().expand(memory.rows, -1).split(self.widths, 1))


class Handover(FirstState):
    """The fold's last states as they are, layer by layer: h and, of an LSTM, c.

    Args:
        state_dims: Of `memory.states`: width of each field by name, layer by layer.
        stack: The recurrence to start, from left to right. Its layers are as many, and as wide.

    Raises:
        ConfigError: they are not, or carry what the fold's do not.

    Source:
        Sutskever et al. 2014, arXiv:1409.3215, section 2; Luong et al. 2015, arXiv:1508.04025, section 2.
    """

    def __init__(self, state_dims: Sequence[Mapping[str, int]], stack: RecurrentStack) -> None:
        super().__init__()
        wanted = stack.state_dims
        if len(state_dims) != len(wanted) or any(
            not own.items() <= offered.items() for own, offered in zip(wanted, state_dims, strict=True)
        ):
            raise ConfigError(
                f"start=states hands the encoder's last states over layer by layer, but it leaves {_layers(state_dims)}"
                f" and the decoder takes {_layers(wanted)}: give both the same cell, num_layers and hidden_dim (twice "
                "the encoder's where that is bidirectional), or set start=summary"
            )

    def forward(self, memory: Memory, stack: RecurrentStack) -> Tree:
        """The first state of a stack, one row a source."""
        cells = {}
        for (name, layer), own in zip(stack.named_layers, stack.state_dims, strict=True):
            last = memory.states.get(name)
            cells[name] = layer.start(last.h).replace(**{field: last.get(field) for field in own})
        return Tree(**cells)


def _from_hidden(stack: RecurrentStack, hidden: Sequence[Tensor]) -> Tree:
    """A stack's state with these hidden vectors, layer by layer; what else a cell carries starts as always."""
    cells = {
        name: layer.start(h).replace(h=h.contiguous())
        for (name, layer), h in zip(stack.named_layers, hidden, strict=True)
    }
    return Tree(**cells)


def _layers(dims: Sequence[Mapping[str, int]]) -> str:
    """`2 layers of h 8, c 8`, or `no states`."""
    kinds = {", ".join(f"{name} {width}" for name, width in layer.items()) for layer in dims}
    return f"{len(dims)} layer{'s' * (len(dims) > 1)} of {' / '.join(sorted(kinds))}" if dims else "no states"


class SoftmaxHead(nn.Module):
    """Dropout, and the lazy softmax over symbols.

    Args:
        output: Output embedding; its weight may be the input's.
        dropout: Share of its input dropped in training.
    """

    def __init__(self, output: nn.Linear, dropout: float) -> None:
        super().__init__()
        self.output, self.dropout = output, Dropout(dropout)

    def forward(
        self, hidden: Float[Tensor, "row *time dim"], valid: Tensor | None = None, attention: Attention | None = None
    ) -> Categorical:
        """The emission of these vectors."""
        return Categorical(
            self.dropout(hidden), self.output.weight, self.output.bias, valid=valid, attention=attention
        )


class KnownAhead(nn.Module):
    """What is known of each place of the output in advance (`memory.future`), added to what a decoder reads there.

    Args:
        future_dim: Width of what is known; 0: nothing is, and nothing is added.
        dim: Width of what the decoder reads.
    """

    def __init__(self, future_dim: int = 0, dim: int = 0) -> None:
        super().__init__()
        self.linear = nn.Linear(future_dim, dim, bias=False) if future_dim else None

    def forward(
        self, x: Float[Tensor, "row time dim"], memory: Memory, steps: Int[Tensor, " row"]
    ) -> Float[Tensor, "row time dim"]:
        """The sum, at the places that follow `steps`."""
        if self.linear is None:
            return x
        places = steps[:, None] + torch.arange(x.shape[1], device=steps.device)
        return x + self.linear(at_places(memory.future.values, memory.future.lengths - 1, places))


class RnnDecoder(Decoder):
    """A recurrent stack that starts from what the fold ended with and reads its own output: symbols, or vectors.

    Args:
        fed_back: The own output as input.
        stack: The recurrence, from left to right.
        first: Makes its first state.
        readout: From the top layer's output to what the head reads.
        head: The softmax, or the layer that says a distribution over vectors.
        known: What is known of the output in advance; None: nothing is.

    Source:
        Sutskever et al. 2014, arXiv:1409.3215.
    """

    def __init__(
        self,
        fed_back: FedBack,
        stack: RecurrentStack,
        first: FirstState,
        readout: nn.Module,
        head: SoftmaxHead | VectorHead,
        known: KnownAhead | None = None,
    ) -> None:
        super().__init__()
        self.fed_back, self.stack, self.first, self.readout, self.head = fed_back, stack, first, readout, head
        self.known = KnownAhead() if known is None else known
        self.discrete = isinstance(head, SoftmaxHead)
        self.output_dim = head.output.in_features if self.discrete else 0

    def start(self, memory: Memory) -> State:
        """The stack's first state."""
        steps = torch.zeros(memory.rows, dtype=torch.int64, device=memory.item.device)
        return State(steps=steps, cells=self.first(memory, self.stack))

    def step(self, memory: Memory, state: State, previous: Shaped[Tensor, "row *value"]) -> tuple[Emission, State]:
        """One time step of the stack."""
        x = self.known(self.fed_back(previous, state.steps)[:, None], memory, state.steps)[:, 0]
        h, cells = self.stack.step(x, state.cells)
        return self.head(self.readout(h)), State(steps=state.steps + 1, cells=cells)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Emission, State]:
        """The whole target through the fused recurrence."""
        state, previous = self.begin(memory, target, state, previous)
        x = self.known(self.fed_back.shifted(target, previous, state.steps), memory, state.steps)
        h, cells = self.stack(x, target.valid, state.cells)
        return self.head(self.readout(h), target.valid), State(steps=state.steps + target.lengths, cells=cells)


class RnnSettings(RecurrentSettings):
    """What all recurrent decoders of symbols share."""

    tied: bool = Field(True, description="of symbols: the output weights are the input embedding")

    def head(self, embed: SymbolEmbedding, dim: int) -> SoftmaxHead:
        """The softmax over what is `dim` wide, which is embed_dim where tied."""
        return SoftmaxHead(output_layer(embed, dim, self.tied), self.dropout)


class FirstSettings(RecurrentSettings):
    """Where the first state comes from."""

    start: Start = Field(
        "summary",
        description="the first state: from the encoder's summary through a layer (Cho 2014), or the encoder's last "
        "states themselves, layer by layer (Sutskever 2014)",
    )

    def make_first(self, memory: MemoryShape, stack: RecurrentStack) -> FirstState:
        """What makes the first state."""
        return first_state(self.start, memory, stack)


def first_state(start: Start, memory: MemoryShape, stack: RecurrentStack) -> FirstState:
    """What makes a stack's first state of such a memory."""
    if start == "states":
        return Handover(memory.state_dims, stack)
    return Learnt(stack) if memory.empty else Bridge(memory.summary_dim, stack)


class StartSettings(RnnSettings, FirstSettings):
    """What recurrent decoders of symbols share that start from what the fold ended with."""


class VectorSettings(PartConfig):
    """What decoders share that emit symbols or vectors."""

    emission: EmissionConfig | None = Field(
        None, description="where vectors are emitted: the distribution of each value; symbols have a softmax"
    )

    def refuse_emission(self) -> None:
        """Refuse a distribution of values where symbols are emitted.

        Raises:
            ConfigError: so it is.
        """
        if self.emission is not None:
            raise ConfigError("model.decoder.emission is for vectors, and the target's are symbols: leave it out")

    def vector_head(self, hidden_dim: int, target: Vectors, dropout: float) -> VectorHead:
        """The layer that says the distribution.

        Raises:
            ConfigError: none was chosen.
        """
        return VectorHead(needed(self.emission), hidden_dim, target.dim, dropout)


def needed(emission: EmissionConfig | None) -> EmissionConfig:
    """The distribution of values.

    Raises:
        ConfigError: none was chosen.
    """
    if emission is None:
        raise ConfigError(
            "the target's codec gives vectors: say what each value's distribution is, model.decoder.emission.kind="
            "..., or choose a codec of symbols"
        )
    return emission


class RnnDecoderConfig(VectorSettings, StartSettings, DecoderConfig):
    """A recurrent decoder without attention."""

    alone: ClassVar[bool] = True
    carried: ClassVar[bool] = True

    def as_encoder(self) -> tuple[EncoderConfig, Mapping[str, str]]:
        """One that reads from left to right."""
        layers = {name: getattr(self, name) for name in RecurrentSettings.model_fields}
        names = {"fed_back.embed.": "encoder.embed.", "stack.": "encoder.stack."}
        return RnnEncoderConfig(bidirectional=False, **layers), names

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> RnnDecoder:
        """Make a decoder that starts from such a memory and emits this stream."""
        if isinstance(target, Vectors):
            return self._of_vectors(memory, target)
        self.refuse_emission()
        own = target_embedding(target, embed, self.embed_dim)
        stack = RecurrentStack(self.make_layers(self.embed_dim))
        projected = self.tied and self.embed_dim != self.hidden_dim
        return RnnDecoder(
            fed_back=FedBack(own, self.embed_dim),
            stack=stack,
            first=self.make_first(memory, stack),
            readout=nn.Linear(self.hidden_dim, self.embed_dim) if projected else nn.Identity(),
            head=self.head(own, self.embed_dim if projected else self.hidden_dim),
        )

    def _of_vectors(self, memory: MemoryShape, target: Vectors) -> RnnDecoder:
        stack = RecurrentStack(self.make_layers(self.embed_dim))
        return RnnDecoder(
            fed_back=FedBack(nn.Linear(target.dim, self.embed_dim), self.embed_dim),
            stack=stack,
            first=self.make_first(memory, stack),
            readout=nn.Identity(),
            head=self.vector_head(self.hidden_dim, target, self.dropout),
            known=KnownAhead(memory.future_dim, self.embed_dim),
        )
