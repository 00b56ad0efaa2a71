"""Tokens with what else is known of them: `talking￨VBG`, a word and its part of speech."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, cast, final

import torch
from jaxtyping import Int
from pydantic import Field, field_validator
from torch import Tensor

from anyseq.core import Codec, Factored, Item, Symbols, Units, Unknown
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.spelt import SpeltConfig, SpeltTokens
from anyseq.data.codecs.text import REPLACEMENT
from anyseq.data.codecs.tokens import Tokens, TokensConfig
from anyseq.errors import DataError, ModelFolderError

SEPARATOR = "￨"
"""What stands between a token and its factors: the halfwidth line U+FFE8, which no text has."""
_KINDS: dict[str, type[Tokens] | type[SpeltTokens]] = {"tokens": Tokens, "spelt": SpeltTokens}


def split_factors(text: str, factors: int) -> Iterator[list[str]]:
    """Each token of a text with its factors; of one with too few, those that lack are empty."""
    for token in text.split():
        found = token.rsplit(SEPARATOR, factors)
        yield [*found, *[""] * (1 + factors - len(found))]


@final
class FactoredTokens(Codec):
    """One place a token: the columns of what the codec of tokens makes of it, then those of its factors.

    For sources alone. A factor that is missing is unknown. decode(encode(x)) is x where all is known.

    Attributes:
        parts: The codec of the tokens, then one a factor.
    """

    stream: Factored

    def __init__(self, parts: Sequence[Tokens | SpeltTokens]) -> None:
        self.parts = tuple(parts)
        self.stream = Factored(tuple(part.stream for part in parts))

    @property
    def _factors(self) -> int:
        return len(self.parts) - 1

    def _columns(self, raw: Any) -> list[str]:
        """The text of tokens, then that of each factor."""
        return columns(str(raw), self._factors)

    def encode(self, raw: Any) -> Int[Tensor, "time value"]:
        """Encode a text; the end comes last."""
        encoded = [part.encode(text) for part, text in zip(self.parts, self._columns(raw), strict=True)]
        return torch.cat([each.view(len(each), -1) for each in encoded], 1)

    def _split(self, values: Int[Tensor, "time value"]) -> list[Tensor]:
        """What each part encoded."""
        pieces = values.split(self.stream.widths, 1)
        kinds = zip(pieces, self.stream.streams, strict=True)
        return [piece.squeeze(1) if isinstance(stream, Symbols) else piece for piece, stream in kinds]

    def decode(self, values: Int[Tensor, "time value"], item: Item | None = None) -> str:
        """Return the text up to the end."""
        shown = [part.decode(piece).split() for part, piece in zip(self.parts, self._split(values), strict=True)]
        return " ".join(SEPARATOR.join(each) for each in zip(*shown, strict=False))

    def units(self, values: Int[Tensor, "time value"]) -> Units:
        """The tokens, without factors."""
        return self.parts[0].units(self._split(values)[0])

    def unknown(self, raw: Any) -> Unknown:
        """Tokens that lack a factor; where all have theirs, what of the tokens has no symbol."""
        bare = [row[0] for row in split_factors(str(raw), self._factors) if not all(row)]
        text = self._columns(raw)[0]
        return Unknown.of(text, bare) if bare else self.parts[0].unknown(text)

    def grown(self, other: Codec) -> tuple[Self, Sequence[str]] | None:
        """This with what the parts of another know besides."""
        if not isinstance(other, FactoredTokens) or len(other.parts) != len(self.parts):
            return None
        found = [one.grown(two) for one, two in zip(self.parts, other.parts, strict=True)]
        grown = [each for each in found if each is not None]
        if len(grown) < len(found):
            return None
        return type(self)([part for part, _ in grown]), [added for _, each in grown for added in each]

    def save(self, folder: Path) -> None:
        """A folder for each part, named by its place and kind."""
        for number, part in enumerate(self.parts):
            kind = next(kind for kind, of in _KINDS.items() if isinstance(part, of))
            (folder / f"{number}-{kind}").mkdir()
            part.save(folder / f"{number}-{kind}")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelFolderError: it is none of ours.
        """
        found = {path.name.partition("-")[0]: path for path in folder.iterdir() if path.is_dir()}
        paths = [found.get(str(number)) for number in range(len(found))]
        parts = [_KINDS[kind].load(path) for path in paths if path and (kind := path.name.partition("-")[2]) in _KINDS]
        if len(parts) < 2 or len(parts) < len(found):
            raise ModelFolderError(f"{folder} is no codec of this kind; copy the model folder again, whole")
        return cls(parts)


class FactoredConfig(CodecConfig):
    """Tokens with factors, such as parts of speech, `talking￨VBG`; for sources."""

    base: CodecConfig = Field(description="codec of the tokens: tokens, or spelt")
    factors: tuple[TokensConfig, ...] = Field((TokensConfig(),), min_length=1, description="settings of each factor's")

    @field_validator("base")
    @classmethod
    def _of_tokens(cls, base: CodecConfig) -> CodecConfig:
        if not isinstance(base, TokensConfig | SpeltConfig):
            raise ValueError("factors belong to tokens: choose kind=tokens, or kind=spelt")
        return base

    def fit(self, raws: Iterable[Any]) -> FactoredTokens:
        """Learn each part.

        Raises:
            DataError: there is nothing to learn from.
        """
        texts = list(zip(*(columns(str(raw), len(self.factors)) for raw in raws), strict=True))
        if not texts:
            raise DataError("there are no tokens to learn: look at data.train")
        configs = [cast(TokensConfig | SpeltConfig, self.base), *self.factors]
        return FactoredTokens([config.fit(each) for config, each in zip(configs, texts, strict=True)])

    def load(self, folder: Path) -> FactoredTokens:
        """Read a codec of this kind that `FactoredTokens.save` wrote."""
        return FactoredTokens.load(folder)


def columns(text: str, factors: int) -> list[str]:
    """The text of tokens, then that of each factor, as many tokens each."""
    rows = [[each or REPLACEMENT for each in row] for row in split_factors(text, factors)]
    return [" ".join(column) for column in zip(*rows, strict=True)] if rows else [""] * (1 + factors)
