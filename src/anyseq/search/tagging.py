"""Constraints of a model that tags or labels: how many symbols there are, and which may stand behind which."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from anyseq.core import Constraint, Memory, Padded, State


class AsLong(Constraint):
    """The end stands where the source's end stands, and nowhere before.

    Args:
        vocab_size: Symbols of the target.
        end: The end symbol.
        more: Symbols that come before the first of the source's places.
    """

    def __init__(self, vocab_size: int, end: int = 0, more: int = 0) -> None:
        self.vocab_size, self.end, self.more = vocab_size, end, more

    def start(self, memory: Memory) -> State:
        """Nothing chosen yet."""
        return State(steps=torch.zeros_like(memory.item), last=memory.valid.sum(1) - 1 + self.more)

    def allowed(self, memory: Memory, state: State) -> Bool[Tensor, "row symbol"]:
        """The end at the last place, all others before."""
        return self._at(state.steps, state.last)

    def advance(self, memory: Memory, state: State, chosen: Int[Tensor, " row"]) -> State:
        """Count."""
        return state.replace(steps=state.steps + 1)

    def unroll(
        self, memory: Memory, state: State, target: Padded
    ) -> tuple[Bool[Tensor, "row time symbol"], State]:
        """All places at once."""
        places = state.steps[:, None] + torch.arange(target.values.shape[1], device=state.steps.device)
        return self._at(places, state.last[:, None]), state.replace(steps=state.steps + target.lengths)

    def _at(self, places: Int[Tensor, "*place"], last: Int[Tensor, "*#place"]) -> Bool[Tensor, "*place symbol"]:
        ends = (places >= last).unsqueeze(-1)
        return ends == (torch.arange(self.vocab_size, device=places.device) == self.end)


class Exactly(AsLong):
    """The same number of symbols for every source, and then the end.

    Args:
        count: Symbols before the end, at least 1.
        vocab_size: Symbols of the target.
        end: The end symbol.
    """

    def __init__(self, count: int, vocab_size: int, end: int = 0) -> None:
        super().__init__(vocab_size, end)
        self.count = count

    def start(self, memory: Memory) -> State:
        """Nothing chosen yet."""
        return State(steps=torch.zeros_like(memory.item), last=torch.full_like(memory.item, self.count))


class Following(Constraint):
    """What may stand behind what, one symbol back.

    Args:
        allowed: Row i: what may follow symbol i; the last row: what an output may begin with.
    """

    def __init__(self, allowed: Bool[Tensor, "before symbol"]) -> None:
        self.table = allowed

    def start(self, memory: Memory) -> State:
        """The beginning."""
        return State(steps=torch.zeros_like(memory.item), before=torch.full_like(memory.item, len(self.table) - 1))

    def allowed(self, memory: Memory, state: State) -> Bool[Tensor, "row symbol"]:
        """What may follow the last symbol."""
        return self.table.to(state.before.device)[state.before]

    def advance(self, memory: Memory, state: State, chosen: Int[Tensor, " row"]) -> State:
        """Keep the last symbol."""
        return State(steps=state.steps + 1, before=chosen)

    def unroll(
        self, memory: Memory, state: State, target: Padded
    ) -> tuple[Bool[Tensor, "row time symbol"], State]:
        """All places at once."""
        before = torch.cat([state.before[:, None], target.values], 1)
        after = before.gather(1, target.lengths[:, None]).squeeze(1)
        table = self.table.to(before.device)[before[:, : target.values.shape[1]]]
        return table, State(steps=state.steps + target.lengths, before=after)
