"""A constraint of outputs that are trees over the words of their source."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from anyseq.core import Constraint, Memory, Padded, State, Stop, TreeSymbols
from anyseq.nn.nesting import Moves, Nest, Track, along

BRACKETS_A_WORD, BRACKETS_MORE = 4, 8
"""A tree has at most so many brackets for each word, and so many more: chains of brackets end."""


class WellFormed(Constraint):
    """Every output is one tree over exactly the source's elements but its end: no other can be written.

    A bracket closes with its own label and holds something; the first closes last, when every element is taken. No
    dead end is ever entered, so that greedy search ends with a tree, too; within a budget wherever that is enough for
    a tree of one bracket.

    Args:
        stream: What the symbols do.
        stop: Says how long an output may become; None: as long as it likes.
    """

    def __init__(self, stream: TreeSymbols, stop: Stop | None = None) -> None:
        self.stream, self.stop, self.moves = stream, stop, Moves.of(stream)

    def start(self, memory: Memory) -> State:
        """Nothing open, nothing taken."""
        words = memory.valid.sum(1) - 1
        most = words + 2 * (BRACKETS_A_WORD * words + BRACKETS_MORE) + 1
        budget = most if self.stop is None else torch.minimum(most, self.stop.budget(memory))
        nothing = torch.zeros_like(memory.item)
        return State(steps=nothing, nest=Nest.start(nothing), words=words, budget=budget)

    def allowed(self, memory: Memory, state: State) -> Bool[Tensor, "row symbol"]:
        """What leaves a way to the end."""
        return self._open(state, Track.of(state.nest, 1), state.steps[:, None])[:, 0]

    def advance(self, memory: Memory, state: State, chosen: Int[Tensor, " row"]) -> State:
        """Take in what was chosen."""
        nest = state.nest.advance(self.moves.to(chosen.device), chosen)
        return state.replace(steps=state.steps + 1, nest=nest)

    def unroll(self, memory: Memory, state: State, target: Padded) -> tuple[Bool[Tensor, "row time symbol"], State]:
        """All places at once."""
        track, nest = along(state.nest, self.moves.to(state.steps.device), target, 1)
        steps = state.steps[:, None] + torch.arange(target.values.shape[1], device=state.steps.device)
        table = self._open(state, track.behind(Track.of(state.nest, 1)), steps)
        return table, state.replace(steps=state.steps + target.lengths, nest=nest)

    def _open(self, state: State, at: Track, steps: Int[Tensor, "row time"]) -> Bool[Tensor, "row time symbol"]:
        """What leaves a way to the end from each of some places, so many steps after the beginning."""
        words, moves = state.words[:, None], self.moves.to(steps.device)
        left, inside = words - at.taken, at.depth > 0
        # Behind one bracket more there are to come: it, what is left, all that closes, the end.
        needed = steps + 1 + left + at.depth + 1 + 1
        fits = (needed <= state.budget[:, None]) & (at.opened < BRACKETS_A_WORD * words + BRACKETS_MORE)
        may_open = (left > 0) & ((at.opened == 0) | (inside & fits))
        may_close = inside & ~at.bare & ((at.depth > 1) | (left == 0))
        symbols = torch.arange(self.stream.vocab_size, device=steps.device)
        return (
            (may_open[:, :, None] & moves.opens)
            | ((inside & (left > 0))[:, :, None] & moves.takes)
            | (may_close[:, :, None] & (symbols == moves.closed_by[at.labels]))
            | ((~inside & (left == 0))[:, :, None] & (symbols == self.stream.end))
        )
