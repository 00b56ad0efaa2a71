"""A recurrent decoder that knows where in the tree it stands, and reads the source there."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Memory, Padded, State, Stream, Symbols
from anyseq.models.decoders.base import DecoderConfig, MemoryShape, target_embedding
from anyseq.models.decoders.rnn import FirstState, SoftmaxHead, StartSettings
from anyseq.nn.embeddings import FedBack
from anyseq.nn.emissions import Categorical
from anyseq.nn.nesting import Moves, Nest, Track, along
from anyseq.nn.recurrent import RecurrentStack


class PlaceReader(nn.Module):
    """A sum over what is read at several places of the source, each with its own linear map, and over the labels there.

    The maps are applied to the source, once, instead of at every step: the same by linearity.

    Args:
        vectors_dim: Width of `memory.vectors`.
        places: How many are read.
        levels: How many labels are.
        symbols: What a label may be.
        dim: Width of the sum.
    """

    def __init__(self, vectors_dim: int, places: int, levels: int, symbols: int, dim: int) -> None:
        super().__init__()
        self.places, self.symbols, self.dim = places, symbols, dim
        self.value = nn.Linear(vectors_dim, places * dim)
        self.label = nn.Embedding(levels * symbols, dim)  # of brackets, by level: not the target's embedding
        nn.init.normal_(self.label.weight, std=dim**-0.5)
        nn.init.xavier_uniform_(self.value.weight.view(places, dim, vectors_dim))
        nn.init.zeros_(self.value.bias)

    def prepare(self, vectors: Float[Tensor, "source time vectors_dim"]) -> Float[Tensor, "source time value"]:
        """What can be read, once per source."""
        return self.value(vectors)

    def forward(
        self,
        values: Float[Tensor, "source time value"],
        at: Int[Tensor, "row *steps place"],
        labels: Int[Tensor, "row *steps level"],
    ) -> Float[Tensor, "row *steps dim"]:
        """Read the source of each row: row r that of source r // (row / source)."""
        sources, time, _ = values.shape
        own = torch.arange(sources, device=at.device).repeat_interleave(at.shape[0] // sources)
        index = (own.view(-1, *(1,) * (at.dim() - 1)) * time + at) * self.places + _counted(at)
        label = self.label(labels + self.symbols * _counted(labels))
        return F.embedding(index, values.reshape(-1, self.dim)).sum(-2) + label.sum(-2)


def _counted(x: Int[Tensor, "*axes last"]) -> Int[Tensor, " last"]:
    """0, 1, 2, ... along the last axis."""
    return torch.arange(x.shape[-1], device=x.device)


class TreeDecoder(Decoder):
    """It reads the source where it writes: the element that comes next, the one before, the first of open brackets.

    x_t = E y_{t-1} + R(places_t, labels_t),  h_t = stack(x_t, h_{t-1}),  p(y_t) = softmax(E tanh(W h_t + R'(...)))

    where the symbols written so far say which brackets are open (the innermost are read, with their labels) and how
    many elements are taken: attention that need not be learnt. All of a known target is read at once, through the fused
    recurrence. In streams that write no tree each symbol takes an element, and nothing is ever open.

    Args:
        moves: What the symbols do.
        fed_back: The own output as input.
        levels: How many open brackets are read.
        reader: R.
        stack: The recurrence, from left to right.
        first: Makes its first state.
        readout: W.
        late_reader: R'.
        head: The softmax.

    Source:
        The next element: Ma et al. 2017 (AAAI), deterministic attention. The open brackets: as
        shift-reduce parsers see their stack (Cross and Huang 2016, arXiv:1612.06475: spans by their ends).
    """

    def __init__(
        self, moves: Moves, fed_back: FedBack, levels: int, reader: PlaceReader, stack: RecurrentStack,
        first: FirstState, readout: nn.Linear, late_reader: PlaceReader, head: SoftmaxHead,
    ) -> None:  # fmt: skip
        super().__init__()
        self.moves, self.levels = moves, levels
        self.fed_back, self.reader, self.stack, self.first = fed_back, reader, stack, first
        self.readout, self.late_reader, self.head = readout, late_reader, head
        self.output_dim = head.output.in_features

    def prepare(self, memory: Memory) -> Memory:
        """Add what the readers read, and the last place of each source."""
        early, late = self.reader.prepare(memory.vectors), self.late_reader.prepare(memory.vectors)
        return memory.replace(early=early, late=late, last=memory.valid.sum(1) - 1)

    def start(self, memory: Memory) -> State:
        """The stack's first state; nothing open, nothing taken."""
        steps = torch.zeros_like(memory.item)
        return State(steps=steps, cells=self.first(memory, self.stack), nest=Nest.start(steps))

    def step(self, memory: Memory, state: State, previous: Shaped[Tensor, " row"]) -> tuple[Categorical, State]:
        """One symbol."""
        moves = self.moves.to(previous.device)
        nest = state.nest.advance(moves, previous.masked_fill(state.steps == 0, 0))
        places, labels = (each[:, 0] for each in self._seen(memory, Track.of(nest, self.levels)))
        x = self.fed_back(previous, state.steps) + self.reader(memory.early, places, labels)
        h, cells = self.stack.step(x, state.cells)
        hidden = (self.readout(h) + self.late_reader(memory.late, places, labels)).tanh()
        return self.head(hidden), State(steps=state.steps + 1, cells=cells, nest=nest)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Categorical, State]:
        """The whole target: first where it stands at each symbol, then the rest through the fused recurrence."""
        state, previous = self.begin(memory, target, state, previous)
        if not target.values.shape[1]:
            return self.head(memory.vectors.new_zeros(target.rows, 0, self.output_dim), target.valid), state
        first = previous.masked_fill(state.steps == 0, 0)
        inputs = Padded(torch.cat([first[:, None], target.values[:, :-1]], 1), target.valid)
        track, nest = along(state.nest, self.moves.to(first.device), inputs, self.levels)
        places, labels = self._seen(memory, track)
        x = self.fed_back.shifted(target, previous, state.steps) + self.reader(memory.early, places, labels)
        h, cells = self.stack(x, target.valid, state.cells)
        hidden = (self.readout(h) + self.late_reader(memory.late, places, labels)).tanh()
        state = State(steps=state.steps + target.lengths, cells=cells, nest=nest)
        return self.head(hidden, target.valid), state

    def _seen(self, memory: Memory, track: Track) -> tuple[Tensor, Tensor]:
        """The places that are read, and the labels of the brackets, [row, time, place or level]."""
        last = memory.last.repeat_interleave(len(track.taken) // memory.rows)[:, None, None]
        following = track.taken[:, :, None]
        places = torch.cat([following, (following - 1).clamp(min=0), track.places], 2)
        return torch.minimum(places, last), track.labels


class TreeDecoderConfig(StartSettings, DecoderConfig):
    """A recurrent decoder of trees that reads the source where it writes."""

    outline: ClassVar[tuple[str, ...]] = (*StartSettings.outline, "levels")

    levels: int = Field(2, ge=1, description="open brackets that are read, the innermost first")

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> TreeDecoder:
        """Make a decoder that reads such a memory and emits this stream of symbols."""
        own, dim = target_embedding(target, embed, self.embed_dim), self.embed_dim
        stack = RecurrentStack(self.make_layers(dim))
        shape = (memory.vectors_dim, 2 + self.levels, self.levels, own.num_embeddings, dim)
        readers = [PlaceReader(*shape) for _ in range(2)]
        return TreeDecoder(
            moves=Moves.of(target if isinstance(target, Symbols) else Symbols(own.num_embeddings)),
            fed_back=FedBack(own, dim),
            levels=self.levels,
            reader=readers[0],
            stack=stack,
            first=self.make_first(memory, stack),
            readout=nn.Linear(self.hidden_dim, dim),
            late_reader=readers[1],
            head=self.head(own, dim),
        )
