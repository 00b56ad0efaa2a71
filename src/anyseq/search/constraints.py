"""What may come next: constraints of the user over a search, and of a model over its own emission."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from anyseq.core import Constraint, Decoder, Emission, Memory, Padded, State
from anyseq.errors import UsageError

_NOTHING = -1  # stands in a history where nothing was chosen yet; no symbol


class All(Constraint):
    """Allows what every one of several constraints allows.

    Args:
        constraints: At least one.
    """

    def __init__(self, constraints: Sequence[Constraint]) -> None:
        if not constraints:
            raise UsageError("All needs at least one constraint; pass None to a search where nothing is forbidden")
        self.parts = {f"part{place}": constraint for place, constraint in enumerate(constraints)}

    def start(self, memory: Memory) -> State:
        """Every part's own State, side by side."""
        return State(
            steps=torch.zeros_like(memory.item), **{name: part.start(memory) for name, part in self.parts.items()}
        )

    def allowed(self, memory: Memory, state: State) -> Bool[Tensor, "row symbol"]:
        """What all parts allow."""
        first, *others = (part.allowed(memory, getattr(state, name)) for name, part in self.parts.items())
        for other in others:
            first = first & other
        return first

    def advance(self, memory: Memory, state: State, chosen: Int[Tensor, " row"]) -> State:
        """Every part takes in what was chosen."""
        parts = {name: part.advance(memory, getattr(state, name), chosen) for name, part in self.parts.items()}
        return State(steps=state.steps + 1, **parts)


class MinLength(Constraint):
    """Forbids the end symbol until an output is long enough.

    Args:
        min_length: Shortest output in symbols, end and prefix counted, at least 1.
        vocab_size: Symbols of the target.
        end: The end symbol.
    """

    def __init__(self, min_length: int, vocab_size: int, end: int = 0) -> None:
        if min_length < 1:
            raise UsageError(f"min_length is {min_length}; the end symbol counts, so it must be 1 or more")
        self.min_length, self.vocab_size, self.end = min_length, vocab_size, end

    def start(self, memory: Memory) -> State:
        """Nothing chosen yet."""
        return State(steps=torch.zeros_like(memory.item))

    def allowed(self, memory: Memory, state: State) -> Bool[Tensor, "row symbol"]:
        """All symbols; the end only as symbol number `min_length` or later."""
        table = torch.ones(1, self.vocab_size, dtype=torch.bool, device=state.steps.device)
        may_end = state.steps + 1 >= self.min_length
        if bool(may_end.any()) != bool(may_end.all()):
            table = table.repeat(state.rows, 1)
            table[:, self.end] = may_end
        elif not bool(may_end.any()):
            table[:, self.end] = False
        return table.expand(state.rows, -1)

    def advance(self, memory: Memory, state: State, chosen: Int[Tensor, " row"]) -> State:
        """Count."""
        return State(steps=state.steps + 1)


class Never(Constraint):
    """Forbids a symbol, wherever it would stand.

    Args:
        symbol: Which.
        vocab_size: Symbols of the target.
    """

    def __init__(self, symbol: int, vocab_size: int) -> None:
        self.table = torch.arange(vocab_size) != symbol

    def start(self, memory: Memory) -> State:
        """Nothing to remember."""
        return State(steps=torch.zeros_like(memory.item))

    def allowed(self, memory: Memory, state: State) -> Bool[Tensor, "row symbol"]:
        """All others."""
        return self.table.to(state.steps.device).expand(state.rows, -1)

    def advance(self, memory: Memory, state: State, chosen: Int[Tensor, " row"]) -> State:
        """Count."""
        return State(steps=state.steps + 1)


class NoRepeatNgram(Constraint):
    """Lets no run of n symbols occur twice in an output.

    Args:
        n: Length of the run, at least 1; 1 lets no symbol occur twice.
        vocab_size: Symbols of the target.

    Source:
        Paulus et al. 2018, arXiv:1705.04304, section 2.5 (there for trigrams).
    """

    def __init__(self, n: int, vocab_size: int) -> None:
        if n < 1:
            raise UsageError(f"no_repeat_ngram is {n}; a run has 1 symbol or more")
        self.n, self.vocab_size = n, vocab_size

    def start(self, memory: Memory) -> State:
        """Nothing chosen yet."""
        return State(steps=torch.zeros_like(memory.item), history=_History(memory.item.new_zeros(memory.rows, 0)))

    def allowed(self, memory: Memory, state: State) -> Bool[Tensor, "row symbol"]:
        """All symbols but those that followed an earlier occurrence of the last n - 1."""
        chosen, before = state.history.chosen, self.n - 1
        table = torch.ones(state.rows, self.vocab_size, dtype=torch.bool, device=chosen.device)
        if chosen.shape[1] < self.n:
            return table
        last = state.steps[:, None] + torch.arange(-before, 0, device=chosen.device)
        recent = chosen.gather(1, last.clamp(min=0))
        followers = chosen[:, before:]
        repeats = (chosen.unfold(1, self.n, 1)[:, :, :before] == recent.unsqueeze(1)).all(2) & (followers != _NOTHING)
        row, place = repeats.nonzero(as_tuple=True)
        table[row, followers[row, place]] = False
        return table

    def advance(self, memory: Memory, state: State, chosen: Int[Tensor, " row"]) -> State:
        """Write it down."""
        return State(steps=state.steps + 1, history=state.history.append(state.steps, chosen))


@dataclass(frozen=True)
class _History:
    """What each row has chosen, from the left; rows may have chosen unequally much."""

    chosen: Int[Tensor, "row time"]

    def append(self, steps: Int[Tensor, " row"], chosen: Int[Tensor, " row"]) -> _History:
        """One more symbol a row, at its own place."""
        return _History(F.pad(self.chosen, (0, 1), value=_NOTHING).scatter_(1, steps[:, None], chosen[:, None]))

    def select(self, rows: Int[Tensor, " new"]) -> _History:
        """The given rows."""
        return _History(self.chosen.index_select(0, rows))

    def where(self, rows: Bool[Tensor, " row"], old: _History) -> _History:
        """This history in `rows`, the old one (which is never longer) elsewhere."""
        older = F.pad(old.chosen, (0, self.chosen.shape[1] - old.chosen.shape[1]), value=_NOTHING)
        return _History(torch.where(rows[:, None], self.chosen, older))

    def to(self, device: torch.device) -> _History:
        """The same on a device."""
        return _History(self.chosen.to(device))


class Constrained(Decoder):
    """A decoder under a constraint of the model: training, scoring and search all see the renormalised rest.

    To a search it is a decoder like any other.

    Args:
        decoder: Discrete, feeding its output back, with an emission that can be restricted.
        constraint: What it may emit, given what it has emitted.

    Raises:
        UsageError: the decoder's emission cannot be restricted step by step.
    """

    constrained: ClassVar[bool] = True

    def __init__(self, decoder: Decoder, constraint: Constraint) -> None:
        super().__init__()
        if decoder.whole or not (decoder.discrete and decoder.restricts):
            raise UsageError(f"{type(decoder).__name__} cannot be constrained: its emission takes no step-wise limits")
        self.decoder, self.constraint = decoder, constraint

    @property
    def attends(self) -> bool:  # type: ignore[override]
        """As the decoder inside."""
        return self.decoder.attends

    @property
    def aligned(self) -> bool:  # type: ignore[override]
        """As the decoder inside."""
        return self.decoder.aligned

    def prepare(self, memory: Memory) -> Memory:
        """As the decoder inside."""
        return self.decoder.prepare(memory)

    def start(self, memory: Memory) -> State:
        """Both States before anything was emitted."""
        inner = self.decoder.start(memory)
        return State(steps=inner.steps, inner=inner, constraint=self.constraint.start(memory))

    def step(self, memory: Memory, state: State, previous: Int[Tensor, " row"]) -> tuple[Emission, State]:
        """The decoder's step, restricted to what may follow `previous`."""
        limits = self.constraint.advance(memory, state.constraint, previous).where(state.steps > 0, state.constraint)
        emission, inner = self.decoder.step(memory, state.inner, previous)
        emission = emission.restrict(self.constraint.allowed(memory, limits))
        return emission, State(steps=inner.steps, inner=inner, constraint=limits)

    def unroll(
        self,
        memory: Memory,
        target: Padded,
        state: State | None = None,
        previous: Int[Tensor, " row"] | None = None,
    ) -> tuple[Emission, State]:
        """The decoder's unroll, restricted at each place to what may stand there."""
        state, previous = self.begin(memory, target, state, previous)
        emission, inner = self.decoder.unroll(memory, target, state.inner, previous)
        # The constraint takes in what the decoder does: `previous`, then each row's target but its last.
        consumes = (state.steps > 0) & (target.lengths > 0)
        limits = self.constraint.advance(memory, state.constraint, previous).where(consumes, state.constraint)
        rest, tables = Padded(target.values[:, :-1], target.valid[:, 1:]), []
        if rest.values.shape[1]:
            table, limits = self.constraint.unroll(memory, limits, rest)
            tables.append(table)
        last = self.constraint.allowed(memory, limits)
        allowed = torch.cat([*tables, last.unsqueeze(1)], 1)
        allowed[torch.arange(target.rows, device=last.device), (target.lengths - 1).clamp(min=0)] = last
        emission = emission.restrict(allowed | ~target.valid.unsqueeze(-1))
        return emission, State(steps=inner.steps, inner=inner, constraint=limits)
