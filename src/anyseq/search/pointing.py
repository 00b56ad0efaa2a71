"""Constraints of a model that points at its source: every element once, a closed outline, triples.

`memory.valid` says which elements there are; symbol 0 is the end, 1 + i is element i. None of them ever leaves a row
without a symbol, so that greedy search ends well, too, within a budget of what is needed (a symbol an element and two).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from anyseq.core import Constraint, Memory, Padded, State

_FEWEST_CORNERS = 3


class EachOnce(Constraint):
    """Every element exactly once, and then the end: orders, tours."""

    def start(self, memory: Memory) -> State:
        """All are left."""
        return State(steps=torch.zeros_like(memory.item), left=_elements(memory))

    def allowed(self, memory: Memory, state: State) -> Bool[Tensor, "row symbol"]:
        """What is left; the end where nothing is."""
        return _with_end(state.left, ~state.left.any(-1))

    def advance(self, memory: Memory, state: State, chosen: Int[Tensor, " row"]) -> State:
        """Take in what was chosen."""
        return state.replace(steps=state.steps + 1, left=state.left & ~_marked(chosen, state.left))

    def unroll(self, memory: Memory, state: State, target: Padded) -> tuple[Bool[Tensor, "row time symbol"], State]:
        """All places at once."""
        left, after = _left_along(state.left, target)
        return _with_end(left, ~left.any(-1)), state.replace(steps=state.steps + target.lengths, left=after)


class Closing(Constraint):
    """No element twice but the first, which comes again, after at least three, and then the end: outlines.

    Of fewer than three elements all come, and the first again.
    """

    def start(self, memory: Memory) -> State:
        """All are left."""
        nothing, elements = torch.zeros_like(memory.item), _elements(memory)
        return State(steps=nothing, left=elements, count=elements.sum(-1), first=nothing)

    def allowed(self, memory: Memory, state: State) -> Bool[Tensor, "row symbol"]:
        """What is left, and the first where there is something to close; only the end once it is."""
        return self._at(state.left, state.steps, state.first, state.count)

    def advance(self, memory: Memory, state: State, chosen: Int[Tensor, " row"]) -> State:
        """Take in what was chosen."""
        first = torch.where(state.steps == 0, chosen, state.first)
        left = state.left & ~_marked(chosen, state.left)
        return state.replace(steps=state.steps + 1, left=left, first=first)

    def unroll(self, memory: Memory, state: State, target: Padded) -> tuple[Bool[Tensor, "row time symbol"], State]:
        """All places at once."""
        left, after = _left_along(state.left, target)
        steps = state.steps[:, None] + torch.arange(target.values.shape[1], device=state.steps.device)
        first = state.first
        if target.values.shape[1]:
            first = torch.where((state.steps == 0) & target.valid[:, 0], target.values[:, 0], first)
        table = self._at(left, steps, first[:, None].expand_as(steps), state.count[:, None].expand_as(steps))
        return table, state.replace(steps=state.steps + target.lengths, left=after, first=first)

    def _at(
        self,
        left: Bool[Tensor, "*place symbol"],
        steps: Int[Tensor, "*place"],
        first: Int[Tensor, "*place"],
        count: Int[Tensor, "*place"],
    ) -> Bool[Tensor, "*place symbol"]:
        corners = count - left.sum(-1)
        closed = steps > corners
        may_close = ~closed & (corners >= count.clamp(max=_FEWEST_CORNERS))
        table = (left & ~closed.unsqueeze(-1)) | (_marked(first, left) & may_close.unsqueeze(-1))
        return _with_end(table, closed)


class Triples(Constraint):
    """Three elements at a time, in increasing order; the end between them, not before the first: triangles.

    Of fewer than three elements there is no triple, and the end alone.
    """

    def start(self, memory: Memory) -> State:
        """Nothing chosen yet."""
        nothing = torch.zeros_like(memory.item)
        return State(steps=nothing, last=nothing, elements=_elements(memory))

    def allowed(self, memory: Memory, state: State) -> Bool[Tensor, "row symbol"]:
        """What comes behind the last and leaves enough behind itself."""
        return self._at(state.elements, state.steps, state.last)

    def advance(self, memory: Memory, state: State, chosen: Int[Tensor, " row"]) -> State:
        """Take in what was chosen."""
        return state.replace(steps=state.steps + 1, last=chosen)

    def unroll(self, memory: Memory, state: State, target: Padded) -> tuple[Bool[Tensor, "row time symbol"], State]:
        """All places at once."""
        steps = state.steps[:, None] + torch.arange(target.values.shape[1], device=state.steps.device)
        before = torch.cat([state.last[:, None], target.values], 1)
        after = before.gather(1, target.lengths[:, None]).squeeze(1)
        elements = state.elements[:, None].expand(-1, target.values.shape[1], -1)
        table = self._at(elements, steps, before[:, : target.values.shape[1]])
        return table, state.replace(steps=state.steps + target.lengths, last=after)

    def _at(
        self,
        elements: Bool[Tensor, "*place symbol"],
        steps: Int[Tensor, "*place"],
        last: Int[Tensor, "*place"],
    ) -> Bool[Tensor, "*place symbol"]:
        symbols, inside, count = torch.arange(elements.shape[-1], device=steps.device), steps % 3, elements.sum(-1)
        above = last.masked_fill(inside == 0, 0).unsqueeze(-1)
        table = (symbols > above) & (symbols <= (count - 2 + inside).unsqueeze(-1))
        return _with_end(table, (inside == 0) & ((steps > 0) | (count < 3)))


def _elements(memory: Memory) -> Bool[Tensor, "source symbol"]:
    """The symbols that are elements."""
    return F.pad(memory.valid, (1, 0), value=False)


def _marked(symbols: Int[Tensor, "*place"], like: Bool[Tensor, "*place symbol"]) -> Bool[Tensor, "*place symbol"]:
    """True at a symbol each, but at the end."""
    numbers = torch.arange(like.shape[-1], device=symbols.device)
    return (symbols.unsqueeze(-1) == numbers) & (numbers > 0)


def _with_end(table: Bool[Tensor, "*place symbol"], end: Bool[Tensor, "*place"]) -> Bool[Tensor, "*place symbol"]:
    """The table, with the end where it may be."""
    return torch.cat([end.unsqueeze(-1), table[..., 1:]], -1)


def _left_along(
    left: Bool[Tensor, "row symbol"], target: Padded
) -> tuple[Bool[Tensor, "row time symbol"], Bool[Tensor, "row symbol"]]:
    """What is left before each place of a target, and after it."""
    time = target.values.shape[1]
    # Where each is first named: no table of numbers by row, place and symbol is made.
    places = torch.arange(time, device=left.device)
    never = torch.full_like(left, time, dtype=torch.int64)
    named = target.values.masked_fill(~target.valid, 0)
    when = never.scatter_reduce(1, named, places.expand_as(named), "amin")
    when[:, 0] = time
    return left[:, None] & (when[:, None] >= places[:, None]), left & (when == time)
