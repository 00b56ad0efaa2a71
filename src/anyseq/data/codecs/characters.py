"""A text as its characters, or mostly."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, final

import torch
from jaxtyping import Int
from pydantic import Field, field_validator
from torch import Tensor

from anyseq.core import Item, Spelling, Symbols, Units
from anyseq.data.codecs.text import REPLACEMENT, UNKNOWN, TextCodec, TextCodecConfig, read_codec, write_codec
from anyseq.data.codecs.vocabulary import read_characters
from anyseq.data.text import Normalise
from anyseq.errors import DataError


@final
class Characters(TextCodec):
    """One symbol a character (code point): 0 the end, 1 unknown, then the known ones.

    decode(encode(x)) is x normalised, with U+FFFD for each unknown symbol.

    Attributes:
        normalise: Makes the canonical form.
        characters: The known symbols; the i-th is symbol 2 + i.
        whole: A regular expression: what it matches is one symbol, not several; empty for none.
    """

    def __init__(self, characters: Sequence[str], normalise: Normalise, whole: str = "") -> None:
        self.characters, self.normalise, self.whole = tuple(characters), normalise, whole
        self._parts = parts_of(whole)
        self.stream = Symbols(2 + len(self.characters))
        self._symbols = {character: symbol for symbol, character in enumerate(self.characters, 2)}
        self._shown = ("", REPLACEMENT, *self.characters)

    def encode(self, raw: Any) -> Int[Tensor, " time"]:
        """Encode a text; the end comes last."""
        known = self._symbols
        return torch.tensor([known.get(part, UNKNOWN) for part in self._parts(self.normalise(raw))] + [0])

    def decode(self, values: Int[Tensor, " time"], item: Item | None = None) -> str:
        """Return the text up to the end symbol."""
        symbols = values.tolist()
        end = symbols.index(0) if 0 in symbols else len(symbols)
        return "".join(self._shown[symbol] for symbol in symbols[:end])

    @property
    def spelling(self) -> Spelling:
        """Each symbol is its character."""
        return Spelling(self._shown, self.normalise.fold, self.normalise.squeeze)

    @property
    def shown(self) -> Sequence[str]:
        """What each symbol is shown as."""
        return self._shown

    def parts(self, raw: Any) -> list[str]:
        """The characters of a text, unknown ones as they are spelt."""
        return list(self._parts(self.normalise(raw)))

    def join(self, parts: Sequence[str]) -> str:
        """The text that some characters make."""
        return "".join(parts)

    def units_of(self, parts: Sequence[str], symbols: int) -> Units:
        """The characters."""
        return Units(parts, [range(place, place + (place < len(parts))) for place in range(symbols)])

    def with_more(self, parts: Sequence[str]) -> Self:
        """This with some characters more."""
        return type(self)([*self.characters, *parts], self.normalise, self.whole)

    def save(self, folder: Path) -> None:
        """Write `codec.json`."""
        write_codec(folder, self.normalise, {"characters": self.characters, "whole": self.whole})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        normalise, [characters, whole] = read_codec(folder, "characters", "whole")
        return cls(characters, normalise, whole)


class CharactersConfig(TextCodecConfig):
    """A text as its characters; those seen too rarely are unknown."""

    min_count: int = Field(1, ge=1, description="characters seen less often than this are unknown")
    vocabulary: str | None = Field(
        None, description="file of the characters to know, one a line, instead of learning them; min_count is not used"
    )
    whole: str = Field("", description="regular expression: what it matches is one symbol (a tag, a language's code)")

    @field_validator("whole")
    @classmethod
    def _compiles(cls, whole: str) -> str:
        try:
            re.compile(whole)
        except re.error as fault:
            raise ValueError(f"{whole!r} is no regular expression: {fault}") from None
        return whole

    def fit(self, raws: Iterable[Any]) -> Characters:
        """Learn the characters, the most frequent first, or read those brought along.

        Raises:
            DataError: no text has a character, all are rarer than `min_count`, or the file of the vocabulary is not
                right.
        """
        normalise, parts = self.normalise, parts_of(self.whole)
        if self.vocabulary is not None:
            return Characters(read_characters(self.vocabulary, normalise, parts), normalise, self.whole)
        counts = Counter[str]()
        for raw in raws:
            counts.update(parts(normalise(raw)))
        if not counts:
            raise DataError("there are no characters to learn: every text is empty; look at data.train")
        if not (kept := frequent(counts, self.min_count)):
            raise DataError(f"no character occurs {self.min_count} times; lower codec.min_count or give more text")
        return Characters(kept, normalise, self.whole)

    def load(self, folder: Path) -> Characters:
        """Read a codec of this kind that `Characters.save` wrote."""
        return Characters.load(folder)


def parts_of(whole: str) -> Callable[[str], Iterable[str]]:
    """What cuts a text into symbols: every character is one, but for what `whole` matches (never nothing)."""
    if not whole:
        return iter
    pattern = re.compile(whole)

    def cut(text: str) -> Iterator[str]:
        place = 0
        while place < len(text):
            found = pattern.match(text, place)
            end = found.end() if found and found.end() > place else place + 1
            yield text[place:end]
            place = end

    return cut


def frequent(counts: Counter[str], min_count: int) -> list[str]:
    """What was counted at least `min_count` times, the most frequent first, ties in code point order."""
    kept = [(-count, text) for text, count in counts.items() if count >= min_count]
    return [text for _, text in sorted(kept)]
