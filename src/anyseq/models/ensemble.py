"""Several models as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jaxtyping import Shaped
from torch import Tensor, nn

from anyseq.core import Batch, Decoder, Emission, Memory, Model, Padded, State
from anyseq.errors import UsageError

Reader = Callable[[Batch], Batch]
"""Makes a member's own batch of the one that an ensemble is given: the same items, encoded another way."""


class EnsembleDecoder(Decoder):
    """The mean of its members' probabilities at every step; each member sees what all of them emitted together.

    Its Memory holds the members' as `member0`, `member1`, ..., and so does its State.

    Args:
        members: At least one, over the same target symbols.
        one_source: All read the same encoding of the source, so that their attentions have a mean.

    Raises:
        UsageError: some emit symbols or the whole output at once, others do not.

    Source:
        Sutskever et al. 2014, arXiv:1409.3215. The mean is that of probabilities, not of their logarithms, as in
        fairseq.
    """

    def __init__(self, members: Sequence[Decoder], one_source: bool = True) -> None:
        super().__init__()
        if len({(member.discrete, member.whole) for member in members}) != 1:
            kinds = ", ".join(type(member).__name__ for member in members)
            raise UsageError(f"{kinds} emit unlike things: an ensemble's members all emit symbols, step by step")
        self.members, self.one_source = nn.ModuleList(members), one_source

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        """As its members."""
        return all(member.discrete for member in self._decoders)

    @property
    def whole(self) -> bool:  # type: ignore[override]
        """As its members."""
        return all(member.whole for member in self._decoders)

    @property
    def restricts(self) -> bool:  # type: ignore[override]
        """Where all members do."""
        return all(member.restricts for member in self._decoders)

    @property
    def constrained(self) -> bool:  # type: ignore[override]
        """Where a member is."""
        return any(member.constrained for member in self._decoders)

    @property
    def attends(self) -> bool:  # type: ignore[override]
        """Where all members do, to the same encoding of the source."""
        return self.one_source and all(member.attends for member in self._decoders)

    def prepare(self, memory: Memory) -> Memory:
        """Every member's own."""
        return memory.replace(**{name: member.prepare(getattr(memory, name)) for name, member in self._named})

    def start(self, memory: Memory) -> State:
        """Every member's own, side by side."""
        return _together({name: member.start(getattr(memory, name)) for name, member in self._named})

    def step(self, memory: Memory, state: State, previous: Shaped[Tensor, "row *value"]) -> tuple[Emission, State]:
        """Every member's step, mixed."""
        return self._mixed(
            member.step(getattr(memory, name), getattr(state, name), previous) for name, member in self._named
        )

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Emission, State]:
        """Every member's unroll, mixed."""
        state, previous = self.begin(memory, target, state, previous)
        return self._mixed(
            member.unroll(getattr(memory, name), target, getattr(state, name), previous) for name, member in self._named
        )

    @property
    def _decoders(self) -> Sequence[Decoder]:
        return list(self.members)  # type: ignore[arg-type]

    @property
    def _named(self) -> Iterator[tuple[str, Decoder]]:
        return ((f"member{number}", member) for number, member in enumerate(self._decoders))

    def _mixed(self, results: Iterator[tuple[Emission, State]]) -> tuple[Emission, State]:
        emissions, states = zip(*results, strict=True)
        mixed = type(emissions[0]).mix(emissions)
        if not self.attends:
            mixed.attention = None
        return mixed, _together({name: state for (name, _), state in zip(self._named, states, strict=True)})


class Ensemble(Model):
    """Several models whose probabilities are averaged.

    The Memory has the members' Memories as `member0`, `member1`, ..., and `item` and `valid` of the first on top: a
    limit on the output's length that follows the source's counts the first member's elements.

    Args:
        members: At least one, over the same target symbols; they may differ in all else.
        readers: How each member gets its batch; None where it reads the one given.
    """

    def __init__(self, members: Sequence[Model], readers: Sequence[Reader | None] = ()) -> None:
        super().__init__()
        self.members, self.readers = nn.ModuleList(members), list(readers) or [None] * len(members)
        one_source = all(reader is None for reader in self.readers)
        self._decoder = EnsembleDecoder([member.decoder for member in members], one_source)

    def encode(self, batch: Batch) -> Memory:
        """Fold the source once for each member."""
        memories: list[Memory] = [
            member.encode(batch if reader is None else reader(batch))  # type: ignore[operator]
            for member, reader in zip(self.members, self.readers, strict=True)
        ]
        first = memories[0]
        top: dict[str, Any] = {"valid": first.valid} if "valid" in first else {}
        members = {f"member{number}": memory for number, memory in enumerate(memories)}
        return Memory(item=first.item, **top, **members)

    @property
    def decoder(self) -> EnsembleDecoder:
        """The members' decoders, mixed."""
        return self._decoder


def _together(states: dict[str, State]) -> State:
    return State(steps=next(iter(states.values())).steps, **states)
