"""A text as its sentences: what is read sentence by sentence, not word by word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self, final

import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor

from anyseq.core import Codec, Grouped, Item, Units, Unknown
from anyseq.data.codecs.text import TextCodecConfig, read_codec, write_codec
from anyseq.data.codecs.words import Words, WordsConfig

_MARKS = frozenset(".?!…|")  # end a sentence where a space follows
_WIDE_MARKS = frozenset("。？！")  # end one wherever they stand


def sentences(tokens: Sequence[str], longest: int) -> list[list[int]]:
    """The places of a text's tokens (see `words.tokenise`), sentence by sentence; a mark is the last of its own.

    A sentence of more than `longest` tokens is several. `U.S. Army` is two, `3.14` and `...` are not divided.
    """
    found: list[list[int]] = [[]]
    for place, token in enumerate(tokens):
        if len(found[-1]) == longest:
            found.append([])
        found[-1].append(place)
        mark, after = token.strip(), tokens[place + 1 : place + 2]
        if after and (mark in _WIDE_MARKS or (mark in _MARKS and after[0].startswith(" "))):
            found.append([])
    return [each for each in found if each]


@final
class Sentences(Codec):
    """One place a sentence: the symbols of its words and punctuation marks, as `Words` has them, then zeros.

    For sources alone. The end is a place of zeros. decode(encode(x)) is x normalised where all words are known.

    Attributes:
        words: The codec of the words.
        longest: Words and marks of a place; a longer sentence takes several.
    """

    stream: Grouped

    def __init__(self, words: Words, longest: int) -> None:
        self.words, self.longest = words, longest
        self.stream = Grouped(words.stream.vocab_size, longest)

    def encode(self, raw: Any) -> Int[Tensor, "time value"]:
        """Encode a text; the end comes last."""
        symbols = self.words.encode(raw).tolist()
        rows = [[symbols[place] for place in each] for each in sentences(self.words.parts(raw), self.longest)]
        return torch.tensor([[*row, *[0] * (self.longest - len(row))] for row in [*rows, []]])

    def decode(self, values: Int[Tensor, "time value"], item: Item | None = None) -> str:
        """Return the text up to the end."""
        return self.words.decode(torch.cat([values.new_empty(0), *self._sentences(values)]))

    def _sentences(self, values: Int[Tensor, "time value"]) -> list[Int[Tensor, " symbol"]]:
        """The symbols of each sentence up to the end."""
        return [row[row != 0] for row in values[: int(values.any(1).cumprod(0).sum())]]

    def canonical(self, raw: Any) -> str:
        """The canonical form of a text."""
        return self.words.canonical(raw)

    def units(self, values: Int[Tensor, "time value"]) -> Units:
        """The sentences."""
        shown = [self.words.decode(row) for row in self._sentences(values)]
        return Units(shown, [range(place, place + (place < len(shown))) for place in range(len(values))])

    def unknown(self, raw: Any) -> Unknown:
        """The words that are no symbols."""
        return self.words.unknown(raw)

    def grown(self, other: Codec) -> tuple[Self, Sequence[str]] | None:
        """This with the words that another knows besides."""
        found = self.words.grown(other.words) if isinstance(other, Sentences) else None
        return None if found is None else (type(self)(found[0], self.longest), found[1])

    def save(self, folder: Path) -> None:
        """Write `codec.json`."""
        write_codec(folder, self.words.normalise, {"words": self.words.words, "longest": self.longest})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        normalise, [words, longest] = read_codec(folder, "words", "longest")
        return cls(Words(words, normalise), longest)


class SentencesConfig(TextCodecConfig):
    """A text as its sentences, each one place: the sum of its words, weighted by their places; for sources."""

    min_count: int = Field(2, ge=1, description="words seen less often than this are unknown")
    longest: int = Field(16, ge=2, description="words and punctuation marks of a sentence; a longer one is several")

    def fit(self, raws: Iterable[Any]) -> Sentences:
        """Learn the words, the most frequent first.

        Raises:
            DataError: no text has a word, or all are rarer than `min_count`.
        """
        words = WordsConfig(unicode=self.unicode, case=self.case, squeeze=self.squeeze, min_count=self.min_count)
        return Sentences(words.fit(raws), self.longest)

    def load(self, folder: Path) -> Sentences:
        """Read a codec of this kind that `Sentences.save` wrote."""
        return Sentences.load(folder)
