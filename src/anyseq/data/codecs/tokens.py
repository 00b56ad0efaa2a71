"""A text as what stands between its spaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, Self, final

import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor

from anyseq.core import Item, Spelling, Symbols, Units
from anyseq.data.codecs.characters import frequent
from anyseq.data.codecs.text import REPLACEMENT, UNKNOWN, TextCodec, TextCodecConfig, read_codec, write_codec
from anyseq.data.text import Normalise
from anyseq.errors import DataError


@final
class Tokens(TextCodec):
    """One symbol a token, which is whatever stands between spaces: 0 the end, 1 unknown, then the known ones.

    For text that is tokenised already, and for tags: `B-fromloc.city_name` is one symbol. decode(encode(x)) is x
    normalised, with U+FFFD for each unknown token.

    Attributes:
        normalise: Makes the canonical form, of single spaces.
        tokens: The known ones; the i-th is symbol 2 + i.
    """

    def __init__(self, tokens: Sequence[str], normalise: Normalise) -> None:
        self.tokens, self.normalise = tuple(tokens), normalise
        self.stream = Symbols(2 + len(self.tokens))
        self._symbols = {token: symbol for symbol, token in enumerate(self.tokens, 2)}
        self._shown = ("", REPLACEMENT, *self.tokens)

    def encode(self, raw: Any) -> Int[Tensor, " time"]:
        """Encode a text; the end comes last."""
        return torch.tensor([self._symbols.get(token, UNKNOWN) for token in self.parts(raw)] + [0])

    def decode(self, values: Int[Tensor, " time"], item: Item | None = None) -> str:
        """Return the text up to the end symbol."""
        symbols = values.tolist()
        end = symbols.index(0) if 0 in symbols else len(symbols)
        return " ".join(self._shown[symbol] for symbol in symbols[:end])

    @property
    def spelling(self) -> Spelling:
        """Each symbol is its token, with the space before it."""
        shown = (self._shown[0], *(" " + token for token in self._shown[1:]))
        return Spelling(shown, self.normalise.fold, self.normalise.squeeze, first_space=False)

    @property
    def shown(self) -> Sequence[str]:
        """What each symbol is shown as."""
        return self._shown

    def parts(self, raw: Any) -> list[str]:
        """The tokens of a text, unknown ones as they are spelt."""
        return self.normalise(raw).split()

    def join(self, parts: Sequence[str]) -> str:
        """The text that some tokens make."""
        return " ".join(parts)

    def units_of(self, parts: Sequence[str], symbols: int) -> Units:
        """The tokens."""
        return Units(parts, [range(place, place + (place < len(parts))) for place in range(symbols)])

    def with_more(self, parts: Sequence[str]) -> Self:
        """This with some tokens more."""
        return type(self)([*self.tokens, *parts], self.normalise)

    def save(self, folder: Path) -> None:
        """Write `codec.json`."""
        write_codec(folder, self.normalise, {"tokens": self.tokens})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        normalise, [tokens] = read_codec(folder, "tokens")
        return cls(tokens, normalise)


class TokensConfig(TextCodecConfig):
    """A text as what stands between its spaces: for tags, and for text that is tokenised already."""

    squeeze: Literal[True] = Field(True, description="always: tokens stand one space apart")
    min_count: int = Field(1, ge=1, description="tokens seen less often than this are unknown")

    def fit(self, raws: Iterable[Any]) -> Tokens:
        """Learn the tokens, the most frequent first.

        Raises:
            DataError: no text has a token, or all are rarer than `min_count`.
        """
        counts = count_tokens(raws, self.normalise)
        if not (kept := frequent(counts, self.min_count)):
            raise DataError(f"no token occurs {self.min_count} times; lower codec.min_count or give more text")
        return Tokens(kept, self.normalise)

    def load(self, folder: Path) -> Tokens:
        """Read a codec of this kind that `Tokens.save` wrote."""
        return Tokens.load(folder)


def count_tokens(raws: Iterable[Any], normalise: Normalise) -> Counter[str]:
    """How often each token stands in some texts.

    Raises:
        DataError: there are none.
    """
    counts = Counter[str]()
    for raw in raws:
        counts.update(normalise(raw).split())
    if not counts:
        raise DataError("there are no tokens to learn: every text is empty; look at data.train")
    return counts
