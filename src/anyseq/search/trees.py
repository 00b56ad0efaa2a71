"""A constraint of outputs that are trees over the words of their source."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from anyseq.core import Constraint, Memory, State, Stop, TreeSymbols
from anyseq.nn.nesting import Moves, Nest

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
        nest, moves = state.nest, self.moves.to(state.steps.device)
        left, inside = state.words - nest.taken, nest.depth > 0
        label, _ = nest.innermost(0)
        # Behind one bracket more there are to come: it, what is left, all that closes, the end.
        needed = state.steps + 1 + left + nest.depth + 1 + 1
        fits = (needed <= state.budget) & (nest.opened < BRACKETS_A_WORD * state.words + BRACKETS_MORE)
        may_open = (left > 0) & ((nest.opened == 0) | (inside & fits))
        may_close = inside & ~nest.bare & ((nest.depth > 1) | (left == 0))
        symbols = torch.arange(self.stream.vocab_size, device=label.device)
        return (
            (may_open[:, None] & moves.opens)
            | ((inside & (left > 0))[:, None] & moves.takes)
            | (may_close[:, None] & (symbols == moves.closed_by[label][:, None]))
            | ((~inside & (left == 0))[:, None] & (symbols == self.stream.end))
        )

    def advance(self, memory: Memory, state: State, chosen: Int[Tensor, " row"]) -> State:
        """Take in what was chosen."""
        nest = state.nest.advance(self.moves.to(chosen.device), chosen)
        return state.replace(steps=state.steps + 1, nest=nest)
