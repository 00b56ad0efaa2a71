"""A text as its tokens, each with the characters it is spelt with: what a tagger reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Self, final

import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor

from anyseq.core import Codec, Item, Spelt, Units, Unknown
from anyseq.data.codecs.characters import frequent
from anyseq.data.codecs.text import REPLACEMENT, UNKNOWN, TextCodecConfig, read_codec, write_codec
from anyseq.data.codecs.tokens import count_tokens
from anyseq.data.text import Normalise

_CACHED_TOKENS = 200_000


@final
class SpeltTokens(Codec):
    """One place a token (what stands between spaces): its symbol, then those of its characters.

    An unknown token is so still told from others: by its ending, its capitals, its digits. For sources alone; it
    decodes what it knows, and what it does not know by the characters.

    Attributes:
        normalise: Makes the canonical form.
        tokens: The known tokens; the i-th is symbol 2 + i.
        characters: The known characters; the i-th is symbol 2 + i.
        longest: Characters kept of a token: of a longer one as many of the beginning as of the end.
    """

    stream: Spelt

    def __init__(self, tokens: Sequence[str], characters: Sequence[str], longest: int, normalise: Normalise) -> None:
        self.tokens, self.characters, self.longest = tuple(tokens), tuple(characters), longest
        self.normalise = normalise
        self.stream = Spelt(2 + len(self.tokens), 2 + len(self.characters), longest)
        self._symbols = {token: symbol for symbol, token in enumerate(self.tokens, 2)}
        self._letters = {character: symbol for symbol, character in enumerate(self.characters, 2)}
        self._rows: dict[str, list[int]] = {}

    def encode(self, raw: Any) -> Int[Tensor, "time value"]:
        """Encode a text; the end comes last."""
        return torch.tensor([*map(self._row, self.normalise(raw).split()), [0] * (1 + self.longest)])

    def _row(self, token: str) -> list[int]:
        row = self._rows.get(token)
        if row is None:
            head = self.longest - self.longest // 2
            kept = token if len(token) <= self.longest else token[:head] + token[len(token) - self.longest // 2 :]
            letters = [self._letters.get(character, UNKNOWN) for character in kept]
            row = [self._symbols.get(token, UNKNOWN), *letters, *[0] * (self.longest - len(letters))]
            if len(self._rows) < _CACHED_TOKENS:
                self._rows[token] = row
        return row

    def decode(self, values: Int[Tensor, "time value"], item: Item | None = None) -> str:
        """Return the text up to the end symbol."""
        shown = ("", REPLACEMENT, *self.characters)
        words = []
        for symbol, *letters in values.tolist():
            if symbol == 0:
                break
            spelt = "".join(shown[letter] for letter in letters)
            words.append(spelt if symbol == UNKNOWN else self.tokens[symbol - 2])
        return " ".join(words)

    def canonical(self, raw: Any) -> str:
        """The canonical form of a text."""
        return self.decode(self.encode(raw))

    def units(self, values: Int[Tensor, "time value"]) -> Units:
        """The tokens."""
        shown = self.decode(values).split(" ") if len(values) else []
        ends = (values[:, 0] == 0).nonzero()
        count = int(ends[0]) if len(ends) else len(values)
        return Units(shown[:count], [range(place, place + (place < count)) for place in range(len(values))])

    def unknown(self, raw: Any) -> Unknown:
        """The characters that are no symbols: a token that was never seen is still spelt."""
        text = self.normalise(raw)
        return Unknown.of(text, [each for each in text.replace(" ", "") if each not in self._letters])

    def grown(self, other: Codec) -> tuple[Self, Sequence[str]] | None:
        """This with the tokens and characters that another knows besides."""
        if not isinstance(other, SpeltTokens):
            return None
        tokens = [token for token in other.tokens if token not in self._symbols]
        letters = [letter for letter in other.characters if letter not in self._letters]
        more = [*self.tokens, *tokens], [*self.characters, *letters]
        return type(self)(*more, self.longest, self.normalise), [*tokens, *letters]

    def save(self, folder: Path) -> None:
        """Write `codec.json`."""
        content = {"tokens": self.tokens, "characters": self.characters, "longest": self.longest}
        write_codec(folder, self.normalise, content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        normalise, [tokens, characters, longest] = read_codec(folder, "tokens", "characters", "longest")
        return cls(tokens, characters, longest, normalise)


class SpeltConfig(TextCodecConfig):
    """A text as its tokens (what stands between spaces) with their characters; for sources."""

    squeeze: Literal[True] = Field(True, description="always: tokens stand one space apart")
    min_count: int = Field(2, ge=1, description="tokens seen less often than this are known by their characters alone")
    longest: int = Field(20, ge=2, description="characters of a token that are read; of a longer one both ends")

    def fit(self, raws: Iterable[Any]) -> SpeltTokens:
        """Learn tokens and characters, the most frequent first.

        Raises:
            DataError: no text has a token.
        """
        counts, letters = count_tokens(raws, self.normalise), Counter[str]()
        for token, number in counts.items():
            for letter in token:
                letters[letter] += number
        return SpeltTokens(frequent(counts, self.min_count), frequent(letters, 1), self.longest, self.normalise)

    def load(self, folder: Path) -> SpeltTokens:
        """Read a codec of this kind that `SpeltTokens.save` wrote."""
        return SpeltTokens.load(folder)
