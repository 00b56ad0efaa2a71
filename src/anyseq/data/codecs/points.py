"""Elements of numbers, such as points: what a model may point at."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from anyseq.core import Codec, Item, Vectors
from anyseq.core.pointed import as_numbers, elements_of
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.measured import Measured
from anyseq.data.prefixes import Step
from anyseq.errors import DataError

_FILE = "points.json"


class Points(Codec):
    """Elements of a few numbers each, from text (`x1 y1 x2 y2 ...`) or from an array [element, column].

    Args:
        measured: Of each column in train: what it is scaled by.
    """

    def __init__(self, measured: Measured) -> None:
        self.measured, self.stream = measured, Vectors(len(measured.mean))

    @property
    def columns(self) -> int:
        """Numbers of an element."""
        return len(self.measured.mean)

    def encode(self, raw: Any) -> Float[Tensor, "element column"]:
        """A vector for each element.

        Raises:
            DataError: it is no such text or array.
        """
        return self.measured.scaled(torch.from_numpy(elements_of(raw, self.columns))).float()

    def decode(self, values: Float[Tensor, "element column"], item: Item | None = None) -> str:
        """The numbers, to five places of a column's deviation."""
        steps = 1e-5 * self.measured.deviation.double()
        return as_numbers(((self.measured.original(values.double()) / steps).round() * steps).numpy(), 8)

    def save(self, folder: Path) -> None:
        """Write the scale."""
        (folder / _FILE).write_text(json.dumps({"measured": self.measured.as_lists()}), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**Measured.read(folder / _FILE))


class PointsConfig(CodecConfig):
    """Elements of numbers: points, rows of a table; as text `x1 y1 x2 y2 ...` or as arrays."""

    steps: ClassVar[tuple[Step, ...]] = ()

    columns: int = Field(2, ge=1, description="numbers of an element: 2 for points in the plane")
    scale: bool = Field(True, description="scale each column by its mean and deviation in train")

    def fit(self, raws: Iterable[Any]) -> Points:
        """Measure the columns."""
        count, total = 0, torch.zeros(self.columns, dtype=torch.float64)
        squares = torch.zeros_like(total)
        for raw in raws:
            values = torch.from_numpy(elements_of(raw, self.columns))
            total, squares, count = total + values.sum(0), squares + (values**2).sum(0), count + len(values)
        if not count:
            raise DataError("there is no element to learn the scale from")
        if not self.scale:
            return Points(Measured(torch.zeros(self.columns), torch.ones(self.columns)))
        return Points(Measured.of(total, squares, count))

    def load(self, folder: Path) -> Points:
        """Read a codec of this kind."""
        return Points.load(folder)
