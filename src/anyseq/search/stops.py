"""When an output is complete, and when it is cut."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from anyseq.core import Memory, State, Stop
from anyseq.errors import UsageError


class EndSymbol(Stop):
    """An output is complete with its end symbol, and cut at a length that may follow the source's.

    budget = min(max_length, ceil(max_length_ratio * source length) + max_length_extra), at least 1. The source's
    length is counted in `memory.valid`, in the encoder's elements (its end symbol is one). Where there is no ratio or
    the Memory holds no vectors, budget = max_length.

    Args:
        max_length: Longest output in symbols, end and prefix counted, at least 1.
        max_length_ratio: Output symbols per source element, above 0; None: the source's length plays no role.
        max_length_extra: Symbols granted to every source on top of the ratio, at least 0.
        end: The end symbol.

    Raises:
        UsageError: a number is outside its range.
    """

    def __init__(
        self, max_length: int, max_length_ratio: float | None = None, max_length_extra: int = 0, end: int = 0
    ) -> None:
        if max_length < 1:
            raise UsageError(f"max_length is {max_length}; an output has at least its end symbol: give 1 or more")
        if max_length_ratio is not None and not max_length_ratio > 0:
            raise UsageError(f"max_length_ratio is {max_length_ratio}; it must be above 0, or None")
        if max_length_extra < 0:
            raise UsageError(f"max_length_extra is {max_length_extra}; it must be 0 or more")
        self.max_length, self.max_length_ratio, self.max_length_extra = max_length, max_length_ratio, max_length_extra
        self.end = end

    def done(
        self, memory: Memory, state: State, length: Int[Tensor, " row"], last: Shaped[Tensor, "row k *value"]
    ) -> Bool[Tensor, "row k"]:
        """Whether the child is the end symbol."""
        return last == self.end

    def budget(self, memory: Memory) -> Int[Tensor, " source"]:
        """The longest output allowed, from each source alone."""
        if self.max_length_ratio is None or "valid" not in memory:
            return torch.full_like(memory.item, self.max_length)
        # 0.1 * 30 is 3.0000000000000004 in floating point and means 3.
        by_source = (memory.valid.sum(1).cpu().double() * self.max_length_ratio - 1e-9).ceil().long()
        return (by_source + self.max_length_extra).clamp(1, self.max_length).to(memory.item.device)


class AtBudget(EndSymbol):
    """An output has no end of its own, as where it is of vectors: it is as long as its budget."""

    def done(
        self, memory: Memory, state: State, length: Int[Tensor, " row"], last: Shaped[Tensor, "row k *value"]
    ) -> Bool[Tensor, "row k"]:
        """Nothing is done before its budget is spent."""
        return torch.zeros(last.shape[:2], dtype=torch.bool, device=last.device)
