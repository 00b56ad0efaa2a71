"""An output for every place of the source: tags; or for all of it: a label."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Memory, Padded, State, Stream, Symbols
from anyseq.core.precision import doubled
from anyseq.errors import ConfigError
from anyseq.models.decoders.base import DecoderConfig, MemoryShape, at_places
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import FedBack, OutputEmbedding, SymbolEmbedding
from anyseq.nn.emissions import Table
from anyseq.nn.pooling import AttentionPooling, LastPooling, MaxPooling, MeanPooling, Pooling

_IMPOSSIBLE = -1e4  # e to that power is 0; an infinity would make gradients of nothing
_TINY = 1e-300  # less than this is no sum of anything possible


class PlacewiseDecoder(Decoder):
    """Symbol t is said of the source's place t, and of no other symbol: softmax of u_t = W vectors_t + b.

    Beyond the source's last place that one counts again. That an output ends where its source does is a constraint of
    the model (`AsLong`), not of this decoder.

    With `pooling` a label of the whole source comes first: u_0 = W pool(vectors) + b, and the source's places follow.

    Args:
        output: W and b.
        dropout: Share of the vectors dropped in training.
        pooling: Makes one vector of a source's, for its label; None: there is none.
    """

    def __init__(self, output: nn.Linear, dropout: float, pooling: Pooling | None = None) -> None:
        super().__init__()
        self.output, self.dropout, self.pooling = output, Dropout(dropout), pooling
        self.independent, self.aligned = True, pooling is None

    def prepare(self, memory: Memory) -> Memory:
        """Add u, [source, place, symbol], and the last place: once per source."""
        vectors, last = memory.vectors, memory.valid.sum(1) - 1
        if self.pooling is not None:
            whole = self.pooling(vectors, memory.valid)[:, None]
            vectors, last = torch.cat([whole, vectors], 1), last + 1
        return memory.replace(said=self.output(self.dropout(vectors)), last=last.clamp(min=0))

    def start(self, memory: Memory) -> State:
        """Nothing but the count."""
        return State(steps=torch.zeros_like(memory.item))

    def step(self, memory: Memory, state: State, previous: Int[Tensor, " row"]) -> tuple[Table, State]:
        """What is said at the row's place."""
        said = said_at(memory, state.steps[:, None]).squeeze(1)
        return Table(said), State(steps=state.steps + 1)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Table, State]:
        """All places at once."""
        state, previous = self.begin(memory, target, state, previous)
        places = state.steps[:, None] + torch.arange(target.values.shape[1], device=state.steps.device)
        return Table(said_at(memory, places), valid=target.valid), State(steps=state.steps + target.lengths)


class AlignedDecoder(PlacewiseDecoder):
    """Symbol t is said of the symbol before it, too: softmax over y of u_t(y) + A(y_{t-1}, y).

    Args:
        output, dropout, pooling: As `PlacewiseDecoder` has them.
        fed_back: A, and what an output begins with.

    Source:
        McCallum et al. 2000, "Maximum entropy Markov models"; u over a recurrent network.
    """

    def __init__(
        self, output: OutputEmbedding, fed_back: FedBack, dropout: float, pooling: Pooling | None = None
    ) -> None:
        super().__init__(output, dropout, pooling)
        self.fed_back, self.independent = fed_back, False

    def step(self, memory: Memory, state: State, previous: Int[Tensor, " row"]) -> tuple[Table, State]:
        """What follows the previous symbol at the row's place."""
        said = said_at(memory, state.steps[:, None]).squeeze(1)
        return Table(said + self.fed_back(previous, state.steps)), State(steps=state.steps + 1)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Table, State]:
        """All places at once."""
        state, previous = self.begin(memory, target, state, previous)
        places = state.steps[:, None] + torch.arange(target.values.shape[1], device=state.steps.device)
        table = said_at(memory, places) + self.fed_back.shifted(target, previous, state.steps)
        return Table(table, valid=target.valid), State(steps=state.steps + target.lengths)


class CrfDecoder(AlignedDecoder):
    """A linear-chain conditional random field, said symbol by symbol.

    p(y | x) = exp(Σ_t u_t(y_t) + A(y_{t-1}, y_t)) / Z(x). Given all that stands before, the probability of a symbol y
    is exactly the softmax of A(y_{t-1}, y) + u_t(y) + β_t(y), where the sum over all that may follow,
    β_t(y) = log Σ_y' exp(A(y, y') + u_{t+1}(y') + β_{t+1}(y')), is 0 at the source's last place (of a place only its
    differences count). So likelihood, samples and beams of the field are those of any decoder: the log-probabilities of
    an output's symbols add up to its own.

    Under a constraint of the model (which symbol may follow which, and that the end comes last) it is the field over
    the sequences that obey, once `only` told which these are; else each step alone would be renormalised.

    Source:
        Lafferty et al. 2001, "Conditional random fields"; over a recurrent network: Huang et al. 2015,
        arXiv:1508.01991.
    """

    legal: Tensor | None = None
    end: int = 0

    def only(self, legal: Bool[Tensor, "before symbol"], end: int = 0) -> None:
        """Sum over sequences alone whose symbols may follow each other and that end at the source's last place.

        Args:
            legal: Row i: what may follow symbol i (the last row, what comes first, is not needed here).
            end: The end symbol.
        """
        self.legal, self.end = legal[: self.output.out_features], end

    def prepare(self, memory: Memory) -> Memory:
        """Add u + β: once per source, from its last place to its first."""
        memory = super().prepare(memory)
        # In float64, each place's sums by their largest: what adds up over a long source would drown differences.
        follow: Tensor = self.fed_back.embed.weight  # type: ignore[assignment]
        said, weights = doubled(memory.said), doubled(follow)
        if self.legal is not None:
            weights = weights.masked_fill(~self.legal.to(weights.device), _IMPOSSIBLE)
        ends = torch.arange(said.shape[2], device=said.device) == self.end
        most = weights.amax(1).detach()
        factors = (weights - most[:, None]).exp().T
        last, beyond, columns = memory.last.to(said.device), torch.zeros_like(said[:, 0]), []
        for time in range(said.shape[1] - 1, -1, -1):
            at_last = (time >= last)[:, None]
            inner = said[:, time] + beyond.masked_fill(at_last, 0.0)
            columns.append(inner)
            if self.legal is not None:
                inner = inner.masked_fill(ends != at_last, _IMPOSSIBLE)
            sums = (inner - inner.amax(1, keepdim=True).detach()).exp() @ factors
            beyond = sums.clamp(min=_TINY).log() + most
        precision = torch.promote_types(memory.said.dtype, torch.float32)  # bfloat16 would round what is summed
        return memory.replace(said=torch.stack(columns[::-1], 1).to(memory.said.device, precision))


class LabelDecoder(AlignedDecoder):
    """The same of the source as one place: softmax over y of u(y) + A(y_{t-1}, y) with u = W pool(vectors) + b.

    That one label is an output is a constraint of the model (`Exactly`), not of this decoder, which says several, one
    behind the other, where it is free to.

    Args:
        output: W and b.
        fed_back: A, and what an output begins with.
        pooling: Makes one vector of a source's.
        dropout: Share of that vector dropped in training.
    """

    def __init__(self, output: OutputEmbedding, fed_back: FedBack, pooling: Pooling, dropout: float) -> None:
        super().__init__(output, fed_back, dropout)
        self.pooled, self.aligned = pooling, False

    def prepare(self, memory: Memory) -> Memory:
        """Add u, once per source."""
        said = self.output(self.dropout(self.pooled(memory.vectors, memory.valid)))
        return memory.replace(said=said[:, None], last=torch.zeros_like(memory.item))


def said_at(memory: Memory, places: Int[Tensor, "row place"]) -> Float[Tensor, "row place symbol"]:
    """What is said at each row's places of its source."""
    return at_places(memory.said, memory.last, places)


Pooled = Literal["max", "mean", "last", "attention"]


class AlignedSettings(DecoderConfig):
    """What tagging decoders share."""

    dropout: float = Field(0.2, ge=0, lt=1, description="share dropped of what the output layer reads")
    label: Pooled | None = Field(
        None, description="how the source becomes one vector, for a label of all of it before the rest; null: no label"
    )

    @property
    def labels(self) -> bool:
        """Whether a label comes first."""
        return self.label is not None

    def pooling(self, dim: int) -> Pooling | None:
        """What makes the one vector."""
        return None if self.label is None else make_pooling(self.label, dim)


def make_pooling(kind: Pooled, dim: int) -> Pooling:
    """A pooling of vectors of this width, by its name."""
    kinds: dict[str, type[Pooling]] = {"max": MaxPooling, "mean": MeanPooling, "last": LastPooling}
    return AttentionPooling(dim) if kind == "attention" else kinds[kind]()


class PlacewiseDecoderConfig(AlignedSettings):
    """One symbol for each place of the source, each by itself: what is said of the others does not matter."""

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> PlacewiseDecoder:
        """Make a decoder that says a symbol of this stream of each of the memory's vectors."""
        output = _output(memory, target)
        return PlacewiseDecoder(output, self.dropout, self.pooling(memory.vectors_dim))


class AlignedDecoderConfig(AlignedSettings):
    """One symbol for each place of the source, from left to right, each knowing the one before (MEMM)."""

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> AlignedDecoder:
        """Make a decoder that says a symbol of this stream of each of the memory's vectors."""
        return AlignedDecoder(*_layers(memory, target), self.dropout, self.pooling(memory.vectors_dim))


class CrfDecoderConfig(AlignedSettings):
    """One symbol for each place of the source, all together: a linear-chain conditional random field."""

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> CrfDecoder:
        """Make a decoder that says the symbols of this stream of the memory's vectors."""
        return CrfDecoder(*_layers(memory, target), self.dropout, self.pooling(memory.vectors_dim))


class LabelDecoderConfig(DecoderConfig):
    """One label for the whole source."""

    pooling: Pooled = Field("max", description="how the source becomes one vector")
    dropout: float = Field(0.2, ge=0, lt=1, description="share dropped of what the output layer reads")

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> LabelDecoder:
        """Make a decoder that says a symbol of this stream of all the memory's vectors together."""
        pooling = make_pooling(self.pooling, memory.vectors_dim)
        return LabelDecoder(*_layers(memory, target), pooling, self.dropout)


def _layers(memory: MemoryShape, target: Stream) -> tuple[OutputEmbedding, FedBack]:
    output = _output(memory, target)
    vocab_size = output.out_features
    return output, FedBack(SymbolEmbedding(vocab_size, vocab_size), vocab_size)


def _output(memory: MemoryShape, target: Stream) -> OutputEmbedding:
    if not isinstance(target, Symbols):
        raise ConfigError("this decoder has a softmax and emits symbols; for vectors choose another decoder")
    output = OutputEmbedding(memory.vectors_dim, target.vocab_size)
    nn.init.normal_(output.weight, std=memory.vectors_dim**-0.5)
    nn.init.zeros_(output.bias)
    return output
