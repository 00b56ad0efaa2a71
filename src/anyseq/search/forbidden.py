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
        self._rows, self._stop = _Rows(Occurrences(texts, spelling), len(spelling.surfaces)), stop

    def within(self, stop: Stop) -> ForbiddenTexts:
        """The same where `stop` cuts the outputs; what one finds out, both know."""
        same = object.__new__(ForbiddenTexts)
        same._rows, same._stop = self._rows, stop
        return same

    def holds(self, symbols: Iterable[int]) -> bool:
        """Whether a text occurs in what these symbols (without end) spell, or will whatever follows them."""
        return self._rows.occurrences.holds(symbols)

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
    """Tables that grow with the places reached."""

    def __init__(self, occurrences: Occurrences, vocab_size: int) -> None:
        self.occurrences, self._rows = occurrences, 0
        self._row_of, self._needs = np.empty(0, np.int64), np.empty(0, np.int64)
        self._after, self._allowed = np.empty((0, vocab_size), np.int32), np.empty((0, vocab_size), bool)
        self._most = np.empty(0, np.int64)
        self.known = self._tables(torch.device("cpu"))

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
        after, found = self.occurrences.row(place)
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
        allowed = ~found & (needed < NEVER)
        self._after[self._rows], self._allowed[self._rows] = after, allowed
        self._most[self._rows] = needed[allowed].max(initial=0)
        self._row_of[place] = self._rows
        self._rows += 1

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
