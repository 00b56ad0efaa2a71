"""Recurrent layers as an unfold that looks at the memory at every step."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

import torch
from jaxtyping import Shaped
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Emission, Memory, Padded, State, Stream, Vectors
from anyseq.errors import ConfigError
from anyseq.models.decoders.base import DecoderConfig, MemoryShape, target_embedding
from anyseq.models.decoders.rnn import FirstState, KnownAhead, SoftmaxHead, StartSettings, VectorSettings
from anyseq.models.emissions.base import VectorHead
from anyseq.nn.attention_scores import (
    AdditiveScores,
    AroundPredicted,
    DotScores,
    Everywhere,
    Focus,
    GeneralScores,
    Reader,
    Scores,
)
from anyseq.nn.cells import AffineCell
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import FedBack, SymbolEmbedding
from anyseq.nn.recurrent import Causal, Connected, RecurrentStack


class RnnAttentionDecoder(Decoder):
    """Attention after the recurrence, which therefore runs through the fused kernels when the target is known.

    h_t = stack(y_{t-1}, h_{t-1}),  h~_t = reader(h_t, memory),  p(y_t) = softmax(E h~_t)

    Args:
        fed_back: The own output as input.
        stack: The recurrence, from left to right.
        first: Makes its first state.
        reader: Reads the memory.
        head: The softmax, or the layer that says a distribution over vectors.
        known: What is known of the output in advance; None: nothing is.

    Source:
        Luong et al. 2015, arXiv:1508.04025, section 3.1 (theirs starts from the encoder's states: start=states).
    """

    attends: ClassVar[bool] = True

    def __init__(
        self,
        fed_back: FedBack,
        stack: RecurrentStack,
        first: FirstState,
        reader: Reader,
        head: SoftmaxHead | VectorHead,
        known: KnownAhead | None = None,
    ) -> None:
        super().__init__()
        self.fed_back, self.stack, self.first, self.reader, self.head = fed_back, stack, first, reader, head
        self.known = KnownAhead() if known is None else known
        self.discrete = isinstance(head, SoftmaxHead)
        self.output_dim = head.output.in_features if self.discrete else 0

    def prepare(self, memory: Memory) -> Memory:
        """Add the reader's keys and values."""
        return self.reader.prepare(memory)

    def start(self, memory: Memory) -> State:
        """The stack's first state."""
        steps = torch.zeros(memory.rows, dtype=torch.int64, device=memory.item.device)
        return State(steps=steps, cells=self.first(memory, self.stack))

    def step(self, memory: Memory, state: State, previous: Shaped[Tensor, "row *value"]) -> tuple[Emission, State]:
        """One time step of the stack, then a look at the source."""
        x = self.known(self.fed_back(previous, state.steps)[:, None], memory, state.steps)[:, 0]
        h, cells = self.stack.step(x, state.cells)
        read, weights = self.reader(h[:, None], memory)
        return self.head(read[:, 0], attention=lambda: weights[:, 0]), State(steps=state.steps + 1, cells=cells)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Emission, State]:
        """The whole target through the fused recurrence, then one look from all times."""
        state, previous = self.begin(memory, target, state, previous)
        x = self.known(self.fed_back.shifted(target, previous, state.steps), memory, state.steps)
        h, cells = self.stack(x, target.valid, state.cells)
        read, weights = self.reader(h, memory)
        state = State(steps=state.steps + target.lengths, cells=cells)
        return self.head(read, target.valid, lambda: weights), state


class RnnInputFeedingDecoder(RnnAttentionDecoder):
    """As `RnnAttentionDecoder`, but the recurrence also reads what was read last: its input is [y_{t-1}; h~_{t-1}].

    It learns what is already translated, and pays with a loop over time; what of the loop depends on the known target
    alone is computed before it. With additive scores it is close to Bahdanau et al. 2015, who look before the
    recurrence, with h_{t-1}, and let it read c_t.

    The bottom layer must be a `Causal` of an `AffineCell`, connected or not, and reads both inputs side by side.

    Raises:
        ValueError: the bottom layer is another.

    Source:
        Luong et al. 2015, arXiv:1508.04025, section 3.3.
    """

    def __init__(
        self,
        fed_back: FedBack,
        stack: RecurrentStack,
        first: FirstState,
        reader: Reader,
        head: SoftmaxHead | VectorHead,
        known: KnownAhead | None = None,
    ) -> None:
        super().__init__(fed_back, stack, first, reader, head, known)
        _bottom(stack)

    def start(self, memory: Memory) -> State:
        """The stack's first state; nothing read yet."""
        state = super().start(memory)
        return state.replace(read=memory.values.new_zeros(memory.rows, self.reader.output_dim))

    def step(self, memory: Memory, state: State, previous: Shaped[Tensor, "row *value"]) -> tuple[Emission, State]:
        """One time step of the stack over both inputs, then a look at the source."""
        x = self.known(self.fed_back(previous, state.steps)[:, None], memory, state.steps)[:, 0]
        x = torch.cat([x, state.read], 1)
        h, cells = self.stack.step(x, state.cells)
        read, weights = self.reader(h[:, None], memory)
        read = read[:, 0]
        state = State(steps=state.steps + 1, cells=cells, read=read)
        return self.head(read, attention=lambda: weights[:, 0]), state

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Emission, State]:
        """The loop over time, with the embeddings already projected for the bottom cell."""
        cell, dropout = _bottom(self.stack)
        state, previous = self.begin(memory, target, state, previous)
        embedded = self.known(self.fed_back.shifted(target, previous, state.steps), memory, state.steps)
        inputs = cell.project(dropout(embedded))
        weight_read = cell.weight_ih[:, -self.reader.output_dim :].t()
        reads, looks = [], []
        times = zip(embedded.unbind(1), inputs.unbind(1), target.valid.all(0).tolist(), strict=True)
        for time, (x, projected, everywhere) in enumerate(times):
            bottom = cell.advance(torch.addmm(projected, dropout(state.read), weight_read), state.cells.layer0)
            h, cells = self.stack.step_above(partial(torch.cat, (x, state.read), 1), bottom, state.cells)
            read, weights = self.reader(h[:, None], memory)
            reads.append(read)
            looks.append(weights)
            after = State(steps=state.steps + 1, cells=cells, read=read[:, 0])
            state = after if everywhere else after.where(target.valid[:, time], state)
        if not reads:
            reads = [inputs.new_zeros(target.rows, 0, self.reader.output_dim)]
            looks = [inputs.new_zeros(target.rows, 0, memory.readable.shape[2])]
        return self.head(torch.cat(reads, 1), target.valid, lambda: torch.cat(looks, 1)), state


def _bottom(stack: RecurrentStack) -> tuple[AffineCell, Dropout]:
    layer = stack.named_layers[0][1]
    if isinstance(layer, Connected):
        layer = layer.layer
    if isinstance(layer, Causal) and isinstance(layer.cell, AffineCell):
        return layer.cell, layer.dropout
    raise ValueError("input feeding needs an AffineCell at the bottom: its input is projected before the loop")


class AttentionDecoderConfig(VectorSettings, StartSettings, DecoderConfig):
    """A recurrent decoder with attention."""

    outline: ClassVar[tuple[str, ...]] = (*StartSettings.outline, "scores")

    scores: Literal["dot", "general", "additive"] = Field(
        "general", description="how a decoder's vector and a place of the source are compared"
    )
    attention_dim: int = Field(256, ge=1, description="width of the sum in additive scores")
    local_window: int | None = Field(
        None, ge=1, description="D of local-p attention (Luong 2015): look only within D places of one that is "
        "predicted, and less the further from it; null: look everywhere"
    )
    input_feeding: bool = Field(
        False, description="the recurrence also reads what was last read from the source; slower to train"
    )

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> RnnAttentionDecoder:
        """Make a decoder that looks at such a memory and emits this stream."""
        own = self._fed_back(target, embed)
        kind = RnnInputFeedingDecoder if self.input_feeding else RnnAttentionDecoder
        stack = RecurrentStack(self.make_layers(self.embed_dim * 2 if self.input_feeding else self.embed_dim))
        return kind(
            fed_back=FedBack(own, self.embed_dim),
            stack=stack,
            first=self.make_first(memory, stack),
            reader=Reader(self._scores(memory.vectors_dim), self._focus(), self.embed_dim),
            head=self._head(target, own),
            known=KnownAhead(memory.future_dim, self.embed_dim),
        )

    def _fed_back(self, target: Stream, embed: nn.Module | None) -> nn.Module:
        """The input layer."""
        if isinstance(target, Vectors):
            return nn.Linear(target.dim, self.embed_dim)
        self.refuse_emission()
        return target_embedding(target, embed, self.embed_dim)

    def _head(self, target: Stream, own: nn.Module) -> SoftmaxHead | VectorHead:
        """What says the distribution, of symbols by their embedding where tied."""
        if isinstance(target, Vectors):
            return self.vector_head(self.embed_dim, target, self.dropout)
        assert isinstance(own, SymbolEmbedding)
        return self.head(own, self.embed_dim)

    def _focus(self) -> Focus:
        return Everywhere() if self.local_window is None else AroundPredicted(self.hidden_dim, self.local_window)

    def _scores(self, vectors_dim: int) -> Scores:
        if self.scores == "additive":
            return AdditiveScores(self.hidden_dim, vectors_dim, self.attention_dim)
        if self.scores == "general":
            return GeneralScores(self.hidden_dim, vectors_dim)
        if self.hidden_dim != vectors_dim:
            raise ConfigError(
                f"scores=dot compares vectors of one width, not decoder.hidden_dim={self.hidden_dim} with the "
                f"encoder's {vectors_dim} (twice its hidden_dim where bidirectional): change one, or scores=general"
            )
        return DotScores(self.hidden_dim, vectors_dim)
