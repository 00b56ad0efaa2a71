"""An output for every place of the source: tags."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Memory, Padded, State, Stream, Symbols
from anyseq.errors import ConfigError
from anyseq.models.decoders.base import DecoderConfig, MemoryShape
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import OutputEmbedding
from anyseq.nn.emissions import Categorical, Table


class AlignedDecoder(Decoder):
    """Symbol t is said of the source's place t alone: softmax(W vectors_t + b). Beyond the last place it counts again.

    That the output ends where the source does is a constraint of the model (`AsLong`), not of this decoder.

    Args:
        output: W and b.
        dropout: Share of the vectors dropped in training.
    """

    def __init__(self, output: OutputEmbedding, dropout: float) -> None:
        super().__init__()
        self.output, self.dropout, self.output_dim = output, Dropout(dropout), output.in_features

    def start(self, memory: Memory) -> State:
        """Nothing but the count."""
        return State(steps=torch.zeros_like(memory.item))

    def step(self, memory: Memory, state: State, previous: Int[Tensor, " row"]) -> tuple[Categorical, State]:
        """The softmax over what stands at the row's place."""
        vectors = _at(memory, memory.vectors, state.steps[:, None]).squeeze(1)
        emission = Categorical(self.dropout(vectors), self.output.weight, self.output.bias)
        return emission, State(steps=state.steps + 1)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Categorical, State]:
        """All places at once."""
        state, _ = self.begin(memory, target, state, previous)
        vectors = _at(memory, memory.vectors, _places(state, target))
        emission = Categorical(self.dropout(vectors), self.output.weight, self.output.bias, valid=target.valid)
        return emission, State(steps=state.steps + target.lengths)


class CrfDecoder(Decoder):
    """A linear-chain conditional random field, said symbol by symbol.

    p(y | x) = exp(Σ_t u_t(y_t) + A(y_{t-1}, y_t)) / Z(x) with u_t = W vectors_t + b. Given all that stands before, a
    symbol's probability is exactly softmax over y of A(y_{t-1}, y) + u_t(y) + β_t(y), where
    β_t(y) = log Σ_{y'} exp(A(y, y') + u_{t+1}(y') + β_{t+1}(y')) sums over everything that may follow, and is 0 at the
    source's last place. So likelihood, sampling and beams of the chain are those of any decoder, and the whole
    sequence's log-probability is the field's own. Beyond the last place the last one counts again, with β = 0.

    Args:
        output: W and b.
        dropout: Share of the vectors dropped in training.

    Source:
        Lafferty et al. 2001, "Conditional random fields"; over a recurrent network: Huang et al. 2015,
        arXiv:1508.01991. A has a row for the beginning, none for the end: the end is a symbol.
    """

    def __init__(self, output: OutputEmbedding, dropout: float) -> None:
        super().__init__()
        self.output, self.dropout = output, Dropout(dropout)
        self.follow = nn.Parameter(torch.zeros(output.out_features + 1, output.out_features))  # the last: the beginning

    def prepare(self, memory: Memory) -> Memory:
        """Add u + β, [source, time, symbol]: once per source, from its last place to its first."""
        unary = self.output(self.dropout(memory.vectors))
        between, beyond = self.follow[:-1], torch.zeros_like(unary[:, 0])
        columns = []
        last = memory.valid.sum(1) - 1
        for time in range(unary.shape[1] - 1, -1, -1):
            # At the last place, and at padding, nothing follows.
            beyond = torch.where((time >= last)[:, None], 0.0, beyond)
            columns.append(unary[:, time] + beyond)
            beyond = (between + columns[-1][:, None, :]).logsumexp(2)
        return memory.replace(forward=torch.stack(columns[::-1], 1))

    def start(self, memory: Memory) -> State:
        """Nothing but the count."""
        return State(steps=torch.zeros_like(memory.item))

    def step(self, memory: Memory, state: State, previous: Int[Tensor, " row"]) -> tuple[Table, State]:
        """What follows the previous symbol at the row's place."""
        before = torch.where(state.steps == 0, self.follow.shape[0] - 1, previous)
        table = _at(memory, memory.forward, state.steps[:, None]).squeeze(1) + self.follow[before]
        return Table(table), State(steps=state.steps + 1)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Table, State]:
        """All places at once."""
        state, previous = self.begin(memory, target, state, previous)
        first = torch.where(state.steps == 0, self.follow.shape[0] - 1, previous)
        before = torch.cat([first[:, None], target.values[:, :-1]], 1)[:, : target.values.shape[1]]
        table = _at(memory, memory.forward, _places(state, target)) + self.follow[before]
        return Table(table, valid=target.valid), State(steps=state.steps + target.lengths)


def _places(state: State, target: Padded) -> Int[Tensor, "row time"]:
    """The place each of a target's symbols is said of."""
    return state.steps[:, None] + torch.arange(target.values.shape[1], device=state.steps.device)


def _at(
    memory: Memory, of: Float[Tensor, "source time dim"], places: Int[Tensor, "row place"]
) -> Float[Tensor, "row place dim"]:
    """What stands at each row's places of its source; beyond the last one, what stands there."""
    sources, dim = memory.rows, of.shape[2]
    last = memory.valid.sum(1) - 1
    shared = torch.minimum(places.view(sources, -1), last[:, None])
    return of.gather(1, shared[:, :, None].expand(-1, -1, dim)).view(*places.shape, dim)


class AlignedDecoderConfig(DecoderConfig):
    """One symbol for each place of the source, each said by itself."""

    dropout: float = Field(0.2, ge=0, lt=1, description="share dropped of what the output layer reads")

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> AlignedDecoder:
        """Make a decoder that says a symbol of this stream of each of the memory's vectors."""
        return AlignedDecoder(_output(memory, target), self.dropout)


class CrfDecoderConfig(DecoderConfig):
    """One symbol for each place of the source, all together: a linear-chain conditional random field."""

    dropout: float = Field(0.2, ge=0, lt=1, description="share dropped of what the output layer reads")

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> CrfDecoder:
        """Make a decoder that says the symbols of this stream of the memory's vectors."""
        return CrfDecoder(_output(memory, target), self.dropout)


def _output(memory: MemoryShape, target: Stream) -> OutputEmbedding:
    if not isinstance(target, Symbols):
        raise ConfigError("this decoder has a softmax and emits symbols; for vectors choose another decoder")
    output = OutputEmbedding(memory.vectors_dim, target.vocab_size)
    nn.init.normal_(output.weight, std=memory.vectors_dim**-0.5)
    nn.init.zeros_(output.bias)
    return output
