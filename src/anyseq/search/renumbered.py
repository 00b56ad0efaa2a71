"""A constraint over symbols of which each source has some of its own."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from anyseq.core import Constraint, Memory, State, width


class Renumbered(Constraint):
    """A constraint that takes a batch's sources together, for a decoder that numbers the own symbols of each.

    Symbol vocab_size + i of source s is, to the constraint, symbol vocab_size + memory.own[s, i]: the same number
    where two sources have the same. So what forbids a word forbids it in every source.

    Args:
        constraint: Over the vocabulary and all own symbols of the batch.
        vocab_size: Symbols that mean the same everywhere.
    """

    def __init__(self, constraint: Constraint, vocab_size: int) -> None:
        self.constraint, self.vocab_size = constraint, vocab_size

    def start(self, memory: Memory) -> State:
        """The constraint's own State."""
        return self.constraint.start(memory)

    def allowed(self, memory: Memory, state: State) -> Bool[Tensor, "row symbol"]:
        """What the constraint allows, the own symbols in the order of each source."""
        table = self.constraint.allowed(memory, state)
        return torch.cat([table[:, : self.vocab_size], table.gather(1, self._numbers(memory, state.rows))], 1)

    def advance(self, memory: Memory, state: State, chosen: Int[Tensor, " row"]) -> State:
        """Let it take in what was chosen, by the number it has there."""
        numbers = self._numbers(memory, state.rows)
        own = numbers.gather(1, (chosen - self.vocab_size).clamp(min=0)[:, None]).squeeze(1)
        return self.constraint.advance(memory, state, torch.where(chosen < self.vocab_size, chosen, own))

    def _numbers(self, memory: Memory, rows: int) -> Int[Tensor, "row own"]:
        return self.vocab_size + memory.own.values.repeat_interleave(width(memory, rows), 0)
