"""Where texts occur in a text that grows symbol by symbol, whatever symbols it is made of."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import permutations
from typing import NamedTuple

import numpy as np

from anyseq.core import Spelling
from anyseq.search.letters import Kind, can_go_on, kind, length_of

NEVER = 1 << 30
"""More symbols than any output has."""

_REPLACEMENT = "\ufffd"
_ANYWHERE, _OUTSIDE = 0, 1  # where a text begins: at any place, or outside a word only
_MOST_MARKS = 4  # of one letter; with more, their order is taken as it is


class Place(NamedTuple):
    """All that has to be known of a text in order to go on.

    Attributes:
        begun: How far which of the sought texts have come.
        in_word: The last character belongs to a word.
        rest: The bytes of a character that is not finished.
        fresh: Nothing was written yet, and a space (that is no byte) will not be shown.
    """

    begun: frozenset[int]
    in_word: bool = False
    rest: bytes = b""
    fresh: bool = False


class Occurrences:
    """An automaton over characters; it is built as far as somebody asks.

    An edge of a sought text that is a letter or digit of a script written with spaces is the edge of a word: `cat`
    occurs in "the cat.", not in "category". Where the edge is anything else (punctuation, Chinese, Thai ...), a text
    occurs wherever its characters stand. What the codec takes for the same (letter and accent in one or apart, white
    space, case) is the same here.

    A text whose last edge is that of a word is found with the character behind it, or the end; until then it is
    pending.

    Places are numbered as they are met; the beginning is 0.

    Args:
        texts: What is sought; in canonical form none is empty.
        spelling: How symbols spell.
    """

    def __init__(self, texts: Sequence[str], spelling: Spelling) -> None:
        self.spelling = spelling
        self._moves: list[dict[str, set[int]]] = [{}, {}]
        self._complete: set[int] = set()
        self._whole: set[int] = set()
        for text in texts:
            self._add(spelling.canonical(text))
        # Characters that play no role are told apart by their kind alone.
        known = sorted({character for moves in self._moves for character in moves} | {" "})
        self._codes = {character: code for code, character in enumerate(known, len(Kind))}
        self._kinds = [*Kind, *map(kind, known)]
        self._by_code = [
            {self._codes[character]: frozenset(nodes) for character, nodes in moves.items()} for moves in self._moves
        ]
        self._places: list[Place] = []
        self._numbers: dict[Place, int] = {}
        self._needs: dict[int, int] = {}
        self._steps = np.empty((0, len(self._kinds)), np.int64)
        self._number(Place(frozenset(), fresh=not spelling.first_space))

    def _add(self, text: str) -> None:
        """A path from where the text may begin to its end."""
        node = _OUTSIDE if kind(text[0]) is Kind.LETTER else _ANYWHERE
        for letter in _letters(text):
            after = self._node()
            for spelt in _spellings(letter, self.spelling.fold):
                before = node
                for character in spelt[:-1]:
                    between = self._node()
                    self._moves[before].setdefault(character, set()).add(between)
                    before = between
                self._moves[before].setdefault(spelt[-1], set()).add(after)
            if letter == " " and self.spelling.squeeze:
                self._moves[after][" "] = {after}
            node = after
        last = next((each for character in reversed(text) if (each := kind(character)) is not Kind.MARK), Kind.BREAK)
        (self._whole if last is Kind.LETTER else self._complete).add(node)

    def _node(self) -> int:
        self._moves.append({})
        return len(self._moves) - 1

    def _number(self, place: Place) -> int:
        number = self._numbers.setdefault(place, len(self._places))
        if number == len(self._places):
            self._places.append(place)
        return number

    def __len__(self) -> int:
        """Places met so far."""
        return len(self._places)

    # By characters.

    def _step(self, place: Place, code: int) -> tuple[Place, bool]:
        """The place after one more character, and whether a text is found with it."""
        if place.fresh and code == self._codes[" "]:
            return Place(frozenset()), False
        kind_ = self._kinds[code]
        in_word = place.in_word if kind_ is Kind.MARK else kind_ is Kind.LETTER
        found = not in_word and self._is_pending(place)
        begun: set[int] = set()
        for node in (*place.begun, _ANYWHERE) if place.in_word else (*place.begun, _ANYWHERE, _OUTSIDE):
            begun.update(self._by_code[node].get(code, ()))
        found = found or not self._complete.isdisjoint(begun)
        return Place(frozenset(begun - self._complete), in_word), found

    def _code(self, character: str) -> int:
        if self.spelling.squeeze and character.isspace():
            character = " "
        return self._codes.get(character, kind(character))

    def _write(self, place: Place, text: Iterable[str]) -> tuple[Place, bool]:
        found = False
        for character in text:
            place, now = self._step(place, self._code(character))
            found = found or now
        return place, found

    def _settle(self, place: Place) -> tuple[Place, bool]:
        """What follows is no byte: the unfinished ones are no character."""
        return self._write(place._replace(rest=b""), _REPLACEMENT * len(place.rest))

    def _byte(self, place: Place, byte: int) -> tuple[Place, bool]:
        rest, found = place.rest + bytes([byte]), False
        while rest:
            length = length_of(rest[0])
            if length > len(rest) and all(0x80 <= each < 0xC0 for each in rest[1:]):
                break
            try:
                text, taken = self.spelling.fold(rest[:length].decode()) if length else _REPLACEMENT, max(length, 1)
            except UnicodeDecodeError:
                text, taken = _REPLACEMENT, 1
            place, now = self._write(place._replace(rest=b"", fresh=False), text)
            found, rest = found or now, rest[taken:]
        return place._replace(rest=rest), found

    def _take(self, place: Place, surface: str | bytes) -> tuple[Place, bool]:
        """The place after one more symbol, and whether a text is found with it."""
        if isinstance(surface, bytes):
            return self._byte(place, surface[0])
        place, found = self._settle(place)
        after, now = self._write(place, surface)
        return after, found or now

    # By symbols.

    def hold(self, surfaces: Iterable[str | bytes]) -> Held:
        """Whether a text is found in what these surfaces, one behind the other, make."""
        place, found = self._places[0], False
        for surface in surfaces:
            place, now = self._take(place, surface)
            found = found or now
        number = self._number(place)
        return Held(found or self.ends(number), found or self.needs(number) == NEVER)

    def ends(self, number: int) -> bool:
        """Whether a text is found if the output ends here."""
        place, found = self._settle(self._places[number])
        return found or self._is_pending(place)

    def _is_pending(self, place: Place) -> bool:
        return not self._whole.isdisjoint(place.begun)

    def row(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """For each symbol (0 is the end): the number of the place after it, and whether a text is found with it."""
        table, width = self._table, len(self._kinds)
        settled, found = self._settle(self._places[number])
        entry = 2 * self._number(settled) + found
        entries = np.full(len(table.order), entry)
        for codes in table.columns:
            entries[: len(codes)] = self._step_all(entries[: len(codes)], codes, width)
        after, hit = np.empty(len(self.spelling.surfaces), np.int64), np.empty(len(self.spelling.surfaces), bool)
        after[table.order], hit[table.order] = entries >> 1, entries & 1
        lone = self._byte_after(number, 0xFF)
        rest = self._places[number].rest
        for symbol, byte in table.of_bytes:
            known = lone if not rest and not length_of(byte) else self._byte_after(number, byte)
            after[symbol], hit[symbol] = known
        hit[0] = self.ends(number)
        return after, hit

    def after(self, number: int, surfaces: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The same for a few symbols more, by their surfaces."""
        taken = [self._take(self._places[number], surface) for surface in surfaces]
        after = np.array([self._number(place) for place, _ in taken], np.int64)
        return after, np.array([found for _, found in taken], bool)

    def _byte_after(self, number: int, byte: int) -> tuple[int, bool]:
        place, found = self._byte(self._places[number], byte)
        return self._number(place), found

    def _step_all(self, entries: np.ndarray, codes: np.ndarray, width: int) -> np.ndarray:
        """One more character for many symbols at once; an entry is twice the place's number, and 1 if found so far."""
        cells = (entries >> 1) * width + codes
        self._make_room()
        steps = self._steps.ravel().take(cells)
        missing = np.unique(cells[steps < 0])
        if len(missing):
            for cell in missing.tolist():
                place, found = self._step(self._places[cell // width], cell % width)
                self._steps[divmod(cell, width)] = 2 * self._number(place) + found
            steps = self._steps.ravel().take(cells)
        return steps | entries & 1

    def _make_room(self) -> None:
        """As many rows of steps as there are places; what is not known yet is -1."""
        if len(self._steps) < len(self._places):
            more = np.full((2 * len(self._places), len(self._kinds)), -1)
            more[: len(self._steps)] = self._steps
            self._steps = more

    @cached_property
    def _table(self) -> _Surfaces:
        texts: list[tuple[int, str]] = []
        of_bytes: list[tuple[int, int]] = []
        for symbol, surface in enumerate(self.spelling.surfaces):
            if isinstance(surface, str):
                texts.append((symbol, surface))
            elif surface[0] < 0x80 and surface != b" ":  # a character by itself
                texts.append((symbol, self.spelling.fold(surface.decode())))
            else:
                of_bytes.append((symbol, surface[0]))
        texts.sort(key=lambda each: len(each[1]), reverse=True)
        longest = len(texts[0][1]) if texts else 0
        columns: list[list[int]] = [[] for _ in range(longest)]
        for _, surface in texts:
            for column, character in zip(columns, surface, strict=False):
                column.append(self._code(character))
        order = np.array([symbol for symbol, _ in texts], np.int64)
        return _Surfaces(order, [np.array(column, np.int64) for column in columns], of_bytes)

    def needs(self, number: int) -> int:
        """The fewest symbols with which nothing is found, and after which the output may end.

        0 where it may end at once, `NEVER` where no way leads on.
        """
        if number not in self._needs:
            self._needs[number] = NEVER  # for whoever comes back here on the way
            self._needs[number] = self._fewest(self._places[number]) if self.ends(number) else 0
        return self._needs[number]

    def _fewest(self, place: Place) -> int:
        least, surfaces = 1, self._going_on
        if place.rest:
            least, surfaces = length_of(place.rest[0]) - len(place.rest), self._continuing
            if not can_go_on(place.rest, in_word=self._is_pending(place)):
                return NEVER
            if least > 1:
                return least
        fewest = NEVER
        for surface in surfaces:
            after, found = self._take(place, surface)
            if not found:
                fewest = min(fewest, 1 + self.needs(self._number(after)))
            if fewest == least:
                break
        return fewest

    @cached_property
    def _going_on(self) -> Sequence[str | bytes]:
        """The surfaces that may go on with a word, those that do so the soonest first."""
        surfaces = self.spelling.surfaces
        texts = [text for text in surfaces if isinstance(text, str) and text and kind(text[0]) is not Kind.BREAK]
        of_bytes = [surface for surface in surfaces if isinstance(surface, bytes)]
        return [*sorted(texts, key=lambda text: (text[0] in self._codes, len(text))), *of_bytes]

    @cached_property
    def _continuing(self) -> Sequence[str | bytes]:
        """The bytes that go on with a character."""
        return [each for each in self.spelling.surfaces if isinstance(each, bytes) and 0x80 <= each[0] < 0xC0]


class Held(NamedTuple):
    """What a text holds.

    Attributes:
        found: A sought text, if it ends here.
        inevitable: A sought text, whatever follows.
    """

    found: bool
    inevitable: bool


class _Surfaces(NamedTuple):
    """The surfaces column by column, the longest first.

    Attributes:
        order: The symbols that are text (bytes that are characters among them), those of the longest first.
        columns: The codes of their first characters, of their second ...; each column shorter than the one before.
        of_bytes: The other symbols, with their bytes.
    """

    order: np.ndarray
    columns: list[np.ndarray]
    of_bytes: list[tuple[int, int]]


def _letters(text: str) -> Iterator[str]:
    """The characters of a text, each with the marks that may change places or melt with it."""
    letter = ""
    for character in text:
        if letter and (letter == " " or not unicodedata.combining(character)):
            yield letter
            letter = ""
        letter += character
    yield letter


def _spellings(letter: str, fold: Callable[[str], str]) -> set[str]:
    """All strings whose canonical form is this letter: with its marks apart, in any order, or partly composed."""
    apart = unicodedata.normalize("NFD", letter)
    first, marks = apart[0], tuple(apart[1:])
    orders = permutations(marks) if len(marks) <= _MOST_MARKS else [marks]
    spelt = {letter, *(first + "".join(order) for order in orders)}
    todo = list(spelt)
    while todo:
        text = todo.pop()
        for place in range(len(text) - 1):
            composed = unicodedata.normalize("NFC", text[place : place + 2])
            if len(composed) == 1 and (shorter := text[:place] + composed + text[place + 2 :]) not in spelt:
                spelt.add(shorter)
                todo.append(shorter)
    return {text for text in spelt if fold(text) == fold(letter)}
