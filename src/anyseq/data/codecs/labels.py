"""A label: the whole text is one symbol."""

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
class Labels(TextCodec):
    """One symbol for a text, whatever it holds: 0 the end, 1 an unknown one, then the known ones. No text has none.

    Attributes:
        normalise: Makes the canonical form.
        labels: The known ones; the i-th is symbol 2 + i.
    """

    def __init__(self, labels: Sequence[str], normalise: Normalise) -> None:
        self.labels, self.normalise = tuple(labels), normalise
        self.stream = Symbols(2 + len(self.labels))
        self._symbols = {label: symbol for symbol, label in enumerate(self.labels, 2)}
        self._shown = ("", REPLACEMENT, *self.labels)

    def encode(self, raw: Any) -> Int[Tensor, " time"]:
        """Encode a label; the end comes last."""
        return torch.tensor([self._symbols.get(part, UNKNOWN) for part in self.parts(raw)] + [0])

    def decode(self, values: Int[Tensor, " time"], item: Item | None = None) -> str:
        """Return the label that stands first; none before the end."""
        return self._shown[int(values[0])] if len(values) else ""

    @property
    def spelling(self) -> Spelling | None:
        """None: the symbols spell no text together."""
        return None

    @property
    def shown(self) -> Sequence[str]:
        """What each symbol is shown as."""
        return self._shown

    def parts(self, raw: Any) -> list[str]:
        """The text, where there is one."""
        text = self.normalise(raw)
        return [text] if text else []

    def join(self, parts: Sequence[str]) -> str:
        """The first one."""
        return parts[0] if parts else ""

    def units_of(self, parts: Sequence[str], symbols: int) -> Units:
        """The label."""
        return Units(parts, [range(place, place + (place < len(parts))) for place in range(symbols)])

    def with_more(self, parts: Sequence[str]) -> Self:
        """This with some labels more."""
        return type(self)([*self.labels, *parts], self.normalise)

    def save(self, folder: Path) -> None:
        """Write `codec.json`."""
        write_codec(folder, self.normalise, {"labels": self.labels})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        normalise, [labels] = read_codec(folder, "labels")
        return cls(labels, normalise)


class LabelsConfig(TextCodecConfig):
    """A label: the whole text is one symbol."""

    squeeze: Literal[True] = Field(True, description="always: labels do not differ by white space alone")
    most: int = Field(10_000, ge=2, description="more different labels than this are no labels")

    def fit(self, raws: Iterable[Any]) -> Labels:
        """Learn the labels, the most frequent first.

        Raises:
            DataError: there is none, or are too many.
        """
        counts = Counter(text for raw in raws if (text := self.normalise(raw)))
        if not counts:
            raise DataError("there are no labels to learn: every text is empty; look at data.train")
        if len(counts) > self.most:
            raise DataError(
                f"{len(counts):,} different labels are given, at most {self.most:,} are expected; is the label in the "
                "other column (data.label_first=true)? If they are meant, raise codec.target.most"
            )
        return Labels(frequent(counts, 1), self.normalise)

    def load(self, folder: Path) -> Labels:
        """Read a codec of this kind that `Labels.save` wrote."""
        return Labels.load(folder)
