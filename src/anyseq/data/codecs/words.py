"""A text as its words and punctuation marks, with the spaces kept."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import count, groupby
from pathlib import Path
from typing import Any, Self, final

import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor

from anyseq.core import Item, Spelling, Symbols, Units
from anyseq.data.codecs.characters import frequent
from anyseq.data.codecs.text import REPLACEMENT, UNKNOWN, TextCodec, TextCodecConfig, read_codec, words_of, write_codec
from anyseq.data.codecs.vocabulary import read_words
from anyseq.data.text import Normalise
from anyseq.errors import DataError

_CACHED_CHUNKS = 200_000


def tokenise(text: str) -> list[str]:
    """Split a text into words and single punctuation marks; a space is part of the token it stands before.

    The text is read as if a space stood before it, so that a word is the same token at the start and inside:
    `"(Hi, you)"` gives `[" (", "Hi", ",", " you", ")"]`. Hence "".join(tokens) is always " " + text, whatever the
    text holds, and "" has no tokens. A word is a run of letters, digits, marks (accents, vowel signs), joiners and _.
    """
    return [token for chunk in text.split(" ") for token in _split(chunk)] if text else []


def _split(chunk: str) -> list[str]:
    """The tokens of " " + chunk, where chunk holds no space."""
    alone = count()  # a punctuation mark shares its group with nothing
    runs = groupby(chunk, key=lambda character: -1 if _in_word(character) else next(alone))
    tokens = ["".join(run) for _, run in runs] or [""]
    return [" " + tokens[0], *tokens[1:]]


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character) in {"Mn", "Mc", "Me", "Cf"}


@final
class Words(TextCodec):
    """One symbol a word or punctuation mark, the space before it included: 0 the end, 1 unknown, then the known ones.

    decode(encode(x)) is x normalised where all words are known. An unknown one is shown as " " and U+FFFD.

    Attributes:
        normalise: Makes the canonical form.
        words: The known tokens (see `tokenise`); the i-th is symbol 2 + i.
    """

    def __init__(self, words: Sequence[str], normalise: Normalise) -> None:
        self.words, self.normalise = tuple(words), normalise
        self.stream = Symbols(2 + len(self.words))
        self._symbols = {word: symbol for symbol, word in enumerate(self.words, 2)}
        self._shown = ("", " " + REPLACEMENT, *self.words)
        self._chunks: dict[str, list[int]] = {}

    def encode(self, raw: Any) -> Int[Tensor, " time"]:
        """Encode a text; the end comes last."""
        text = self.normalise(raw)
        symbols = [symbol for chunk in text.split(" ") for symbol in self._encode_chunk(chunk)] if text else []
        return torch.tensor([*symbols, 0])

    def _encode_chunk(self, chunk: str) -> list[int]:
        symbols = self._chunks.get(chunk)
        if symbols is None:
            symbols = [self._symbols.get(token, UNKNOWN) for token in _split(chunk)]
            if len(self._chunks) < _CACHED_CHUNKS:
                self._chunks[chunk] = symbols
        return symbols

    def units_of(self, parts: Sequence[str], symbols: int) -> Units:
        """The words between white space, each with its punctuation."""
        return words_of(parts, symbols)

    def decode(self, values: Int[Tensor, " time"], item: Item | None = None) -> str:
        """Return the text up to the end symbol."""
        symbols = values.tolist()
        end = symbols.index(0) if 0 in symbols else len(symbols)
        return "".join(self._shown[symbol] for symbol in symbols[:end]).removeprefix(" ")

    @property
    def spelling(self) -> Spelling:
        """Each symbol is its word, with the space before it."""
        return Spelling(self._shown, self.normalise.fold, self.normalise.squeeze, first_space=False)

    @property
    def shown(self) -> Sequence[str]:
        """What each symbol is shown as."""
        return self._shown

    def parts(self, raw: Any) -> list[str]:
        """The words of a text, unknown ones as they are spelt."""
        return tokenise(self.normalise(raw))

    def join(self, parts: Sequence[str]) -> str:
        """The text that some words make."""
        return "".join(parts).removeprefix(" ")

    def with_more(self, parts: Sequence[str]) -> Self:
        """This with some words more."""
        return type(self)([*self.words, *parts], self.normalise)

    def save(self, folder: Path) -> None:
        """Write `codec.json`."""
        write_codec(folder, self.normalise, {"words": self.words})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        normalise, [words] = read_codec(folder, "words")
        return cls(words, normalise)


class WordsConfig(TextCodecConfig):
    """A text as its words and punctuation marks; decode restores the spaces. Rare words are unknown."""

    min_count: int = Field(2, ge=1, description="words seen less often than this are unknown")
    max_size: int | None = Field(
        50_000, ge=3, description="largest vocabulary, end and unknown included; null for no limit"
    )

    vocabulary: str | None = Field(
        None,
        description="file of the words to know, one a line, instead of learning them; min_count and max_size are not "
        "used. A word is known behind a space, a mark without one; the other way too where the data have it so",
    )

    def fit(self, raws: Iterable[Any]) -> Words:
        """Learn the words, the most frequent first, or read those brought along, in the file's order.

        Raises:
            DataError: no text has a word, all are rarer than `min_count`, or the file of the vocabulary is not right.
        """
        normalise = self.normalise
        chunks, words = Counter[str](), Counter[str]()
        for raw in raws:
            if text := normalise(raw):
                chunks.update(text.split(" "))
        for chunk, number in chunks.items():
            for token in _split(chunk):
                words[token] += number
        if self.vocabulary is not None:
            return Words(_forms(read_words(self.vocabulary, normalise, tokenise), words), normalise)
        kept = frequent(words, self.min_count)
        if not words:
            raise DataError("there are no words to learn: every text is empty; look at data.train")
        if not kept:
            raise DataError(f"no word occurs {self.min_count} times; lower codec.min_count or give more text")
        return Words(kept if self.max_size is None else kept[: self.max_size - 2], normalise)

    def load(self, folder: Path) -> Words:
        """Read a codec of this kind that `Words.save` wrote."""
        return Words.load(folder)


def _forms(words: Sequence[str], seen: Collection[str]) -> list[str]:
    """Each word behind a space, each mark without one; and the other way too where it was seen so."""
    forms = []
    for word in words:
        usual, other = (" " + word, word) if _in_word(word[0]) else (word, " " + word)
        forms += [usual, other] if other in seen else [usual]
    return forms
