"""Texts that must not occur in an output, however its symbols spell them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from anyseq.core import Constraint, Memory, Spelling, State, Stop
from anyseq.errors import UsageError
from anyseq.search.occurrences import NEVER, Occurrences


class ForbiddenTexts(Constraint):
    """Forbids texts: none of them occurs in what an output spells (what an occurrence is: `Occurrences`).

    A symbol is forbidden if it completes a text, and where nothing could follow it that does not. So is the end where
    the word that stands there ends with it, and, if it is known where an output is cut, all that would be cut inside
    such a word. An output that other constraints leave without any way on (blocked) may end in one.

    What is known of a place is found when the place is first reached, then looked up.

    Args:
        texts: At least one; each is taken in its canonical form.
        spelling: How the target's symbols spell.
        stop: What cuts outputs; None: nothing does.

    Raises:
        UsageError: there is no text, or one is empty.
    """

    def __init__(self, texts: Sequence[str], spelling: Spelling, stop: Stop | None = None) -> None:
        if not texts:
            raise UsageError("there is no text to forbid; pass None to a search where nothing is forbidden")
        for text in texts:
            if not spelling.canonical(text):
                raise UsageError(f"{text!r} is empty to the codec, so every output holds it: forbid something else")
        self._rows, self._stop = _Rows(Occurrences(texts, spelling)), stop

    def within(self, stop: Stop | None) -> ForbiddenTexts:
        """The same where `stop` cuts the outputs; what one finds out, both know."""
        same = object.__new__(ForbiddenTexts)
        same._rows, same._stop = self._rows, stop
        return same

    def beside(self, own: Sequence[str]) -> ForbiddenTexts:
        """The same where there are symbols behind the vocabulary that spell this, such as a source has of its own.

        What may follow a symbol is found in the vocabulary alone, for not every source has these.
        """
        same = self.within(self._stop)
        fold = self._rows.occurrences.spelling.fold
        same._rows = _Rows(self._rows.occurrences, [fold(each) for each in own], self._rows)
        return same

    def holds(self, symbols: Iterable[int]) -> bool:
        """Whether a text occurs in an output of these symbols."""
        return self._rows.occurrences.hold(map(self._rows.surface, symbols)).found

    def rules_out(self, symbols: Iterable[int]) -> bool:
        """Whether no output is left that begins with these symbols."""
        return self._rows.occurrences.hold(map(self._rows.surface, symbols)).inevitable

    def start(self, memory: Memory) -> State:
        """The beginning of a text."""
        place = torch.zeros_like(memory.item)
        self._rows.find(place)
        budget = torch.full_like(place, NEVER) if self._stop is None else self._stop.budget(memory)
        return State(steps=torch.zeros_like(place), place=place, budget=budget)

    def allowed(self, memory: Memory, state: State) -> Bool[Tensor, "row symbol"]:
        """All symbols but those with which a text occurs, or must."""
        known = self._rows.known
        row = known.row_of[state.place]
        table = known.allowed.index_select(0, row)
        left = state.budget - state.steps - 1
        short = left < known.most[row]
        if bool(short.any()):
            needs = known.needs[known.after[row[short]].long()]
            table[short] &= needs <= left[short].unsqueeze(1)
        return table

    def advance(self, memory: Memory, state: State, chosen: Int[Tensor, " row"]) -> State:
        """Go on to the place after what was chosen."""
        known = self._rows.known
        place = known.after[known.row_of[state.place], chosen].long()
        self._rows.find(place)
        return State(steps=state.steps + 1, place=place, budget=state.budget)


class _Known(NamedTuple):
    """What is known of the places reached so far.

    Attributes:
        row_of: The row of each place in the other tables, -1 where it was not reached yet.
        after: The place after each symbol.
        allowed: Whether a symbol may follow, if the output may become as long as it likes.
        most: The largest `needs` after an allowed symbol.
        needs: The symbols that must follow a place before an output may be cut (`Occurrences.needs`).
    """

    row_of: Int[Tensor, " place"]
    after: Int[Tensor, "row symbol"]
    allowed: Bool[Tensor, "row symbol"]
    most: Int[Tensor, " row"]
    needs: Int[Tensor, " place"]


class _Rows:
    """Tables that grow with the places reached.

    Args:
        occurrences: Who knows of a place.
        own: What symbols behind the vocabulary spell.
        base: The tables of the vocabulary alone, where there are such symbols.
    """

    def __init__(self, occurrences: Occurrences, own: Sequence[str] = (), base: _Rows | None = None) -> None:
        self.occurrences, self._own, self._base, self._rows = occurrences, own, base, 0
        symbols = len(occurrences.spelling.surfaces) + len(own)
        self._row_of, self._needs = np.empty(0, np.int64), np.empty(0, np.int64)
        self._after, self._allowed = np.empty((0, symbols), np.int32), np.empty((0, symbols), bool)
        self._most = np.empty(0, np.int64)
        self.known = self._tables(torch.device("cpu"))

    def surface(self, symbol: int) -> str | bytes:
        """What a symbol spells."""
        surfaces = self.occurrences.spelling.surfaces
        return surfaces[symbol] if symbol < len(surfaces) else self._own[symbol - len(surfaces)]

    def find(self, places: Int[Tensor, " row"]) -> None:
        """See to it that these places have their rows."""
        if self.known.row_of.device != places.device:
            self.known = self._tables(places.device)
        if not self._rows:
            self._add(0)
        elif bool((new := self.known.row_of[places] < 0).any()):
            for place in places[new].unique().tolist():
                self._add(place)
        else:
            return
        self.known = self._tables(places.device)

    def _add(self, place: int) -> None:
        after, possible = self._follow(place)
        follow = np.zeros(len(self.occurrences), bool)
        follow[after] = True
        needs = {each: self.occurrences.needs(each) for each in follow.nonzero()[0].tolist()}
        # Asking for what a place needs may have met new places.
        self._row_of = _grown(self._row_of, len(self.occurrences), -1)
        self._needs = _grown(self._needs, len(self.occurrences), 0)
        self._needs[list(needs)] = list(needs.values())
        self._after = _grown(self._after, self._rows + 1, 0)
        self._allowed = _grown(self._allowed, self._rows + 1, 0)
        self._most = _grown(self._most, self._rows + 1, 0)
        needed = self._needs[after]
        allowed = possible & (needed < NEVER)
        self._after[self._rows], self._allowed[self._rows] = after, allowed
        self._most[self._rows] = needed[allowed].max(initial=0)
        self._row_of[place] = self._rows
        self._rows += 1

    def _follow(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """For each symbol: the place after it, and whether nothing is found with it."""
        if self._base is None:
            after, found = self.occurrences.row(place)
            return after, ~found
        base, row = self._base, self._base._row(place)
        after, found = self.occurrences.after(place, self._own)
        return np.concatenate([base._after[row], after]), np.concatenate([base._allowed[row], ~found])

    def _row(self, place: int) -> int:
        """The row of a place, for those who need it outside a search."""
        if place >= len(self._row_of) or self._row_of[place] < 0:
            self._add(place)
            self.known = self._tables(self.known.row_of.device)
        return int(self._row_of[place])

    def _tables(self, device: torch.device) -> _Known:
        tables = (self._row_of, self._after, self._allowed, self._most, self._needs)
        return _Known(*(torch.from_numpy(table).to(device) for table in tables))


def _grown(table: np.ndarray, rows: int, rest: int) -> np.ndarray:
    """The table where it has so many rows, or a copy that has as many again."""
    if len(table) >= rows:
        return table
    more = np.full((max(rows, 2 * len(table)), *table.shape[1:]), rest, table.dtype)
    more[: len(table)] = table
    return more
