"""Several labels of one text, in no order: `delivery, price`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from anyseq.core import Codec, Item, Vectors
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.characters import frequent
from anyseq.errors import DataError, ModelFolderError

_FILE = "codec.json"
NONE = "-"
"""How it is written that a text has none of the labels."""


def labels_of(text: str, separator: str) -> list[str]:
    """The labels that a text names, each once, in the order of the alphabet."""
    return sorted({part.strip() for part in text.split(separator)} - {"", NONE})


def joined(labels: Sequence[str], separator: str) -> str:
    """The text that names some labels; the inverse of `labels_of`."""
    return f"{separator} ".join(sorted(labels)) or NONE


@final
class LabelSet(Codec):
    """One vector for a text: a value for each known label, 1 where the text has it, 0 where not.

    decode(encode(x)) are the known labels of x in the order of the alphabet; `-` where there is none.

    Attributes:
        labels: The known ones, the most frequent first; the i-th is value i.
        separator: Stands between labels.
    """

    stream: Vectors

    def __init__(self, labels: Sequence[str], separator: str) -> None:
        self.labels, self.separator = tuple(labels), separator
        self.stream = Vectors(len(self.labels))

    def encode(self, raw: Any) -> Float[Tensor, "1 label"]:
        """Encode the labels of a text."""
        named = set(labels_of(str(raw), self.separator))
        return torch.tensor([[float(label in named) for label in self.labels]])

    def decode(self, values: Float[Tensor, "1 label"], item: Item | None = None) -> str:
        """The labels whose value is nearer to 1."""
        named = [label for label, value in zip(self.labels, values[0].tolist(), strict=True) if value > 0.5]
        return joined(named, self.separator)

    def grown(self, other: Codec) -> tuple[Self, Sequence[str]] | None:
        """This with the labels that another knows besides."""
        if not isinstance(other, LabelSet):
            return None
        added = [label for label in other.labels if label not in self.labels]
        return type(self)([*self.labels, *added], self.separator), added

    def save(self, folder: Path) -> None:
        """Write `codec.json`."""
        content = {"labels": self.labels, "separator": self.separator}
        (folder / _FILE).write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelFolderError: the file is missing or is none of ours.
        """
        try:
            return cls(**json.loads((folder / _FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            fault = f"{folder / _FILE} is no codec of this kind ({error}); copy the model folder again, whole"
            raise ModelFolderError(fault) from error


class LabelSetConfig(CodecConfig):
    """Several labels of a text, in no order, such as `delivery, price`; `-` for none."""

    separator: str = Field(",", min_length=1, max_length=1, description="stands between labels")
    most: int = Field(10_000, ge=1, description="more different labels than this are no labels")

    def fit(self, raws: Iterable[Any]) -> LabelSet:
        """Learn the labels, the most frequent first.

        Raises:
            DataError: there is none, or are too many.
        """
        counts = Counter(label for raw in raws for label in labels_of(str(raw), self.separator))
        if not counts:
            raise DataError("there are no labels to learn: no text has one; look at data.train")
        if len(counts) > self.most:
            raise DataError(
                f"{len(counts):,} different labels are given, at most {self.most:,} are expected; is the label in the "
                f"other column (data.label_first=true), or another separator than {self.separator!r} between labels "
                "(codec.target.separator)? If they are meant, raise codec.target.most"
            )
        return LabelSet(frequent(counts, 1), self.separator)

    def load(self, folder: Path) -> LabelSet:
        """Read a codec of this kind that `LabelSet.save` wrote."""
        return LabelSet.load(folder)
