"""A series with a trend, a season and noise."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import numpy as np
from pydantic import Field

from anyseq.core import Item
from anyseq.data.clock import Clock, Step
from anyseq.data.series import Series, Stretch
from anyseq.data.synthetic.base import GeneratorConfig
from anyseq.errors import UsageError

_PARTS = {"train": (0.0, 0.7), "dev": (0.7, 0.85), "test": (0.85, 1.0)}
_CLOCKS = {
    "month": Clock(datetime(1995, 1, 1), Step("month", 1), "%Y-%m"),
    "hour": Clock(datetime(2024, 1, 1), Step("second", 3600), "%Y-%m-%d %H:%M"),
}
_LASTS = {"month": 1, "hour": 24}  # cut prices, in rows
_SHARE_OF_CUTS = 0.12


class SeasonsConfig(GeneratorConfig):
    """Sales of a shop, made up: a trend that bends, a season that grows with it, and noise that leans on itself.

    By months the season is the year; by hours the day, and at weekends things are other than on weekdays. Now and then
    prices are cut, which is known in advance (column `cut`: 1). Train, dev and test are 70, 15 and 15 % of the rows.
    """

    every: Literal["month", "hour"] = Field("month", description="how far apart rows are")
    rows: int = Field(360, ge=60, description="rows of the series")
    variables: int = Field(1, ge=1, le=9, description="shops, each with a season of its own")
    cuts: bool = Field(True, description="times of cut prices, as a column that is known in advance")
    noise: float = Field(0.04, ge=0, description="standard deviation of the noise, as a share of the level")
    seed: int = Field(1, description="of the draws; another seed gives another series")

    def series(self) -> Series:
        """All of it."""
        draw = np.random.default_rng(self.seed)
        lasts = _LASTS[self.every]
        drawn = draw.random(-(-self.rows // lasts)) < _SHARE_OF_CUTS
        cut = np.repeat(drawn.astype(np.float64), lasts)[: self.rows] * self.cuts
        columns = [self._sales(draw, cut) for _ in range(self.variables)]
        names = tuple(f"sales{number}" for number in range(1, self.variables + 1))
        names = names if self.variables > 1 else ("sales",)
        values, clock = np.stack(columns, 1), _CLOCKS[self.every]
        return Series(names, values, clock, ("cut",), cut[:, None]) if self.cuts else Series(names, values, clock)

    def _sales(self, draw: np.random.Generator, cut: np.ndarray) -> np.ndarray:
        time, turn = np.arange(self.rows), draw.uniform(0, 2 * np.pi, 4)
        level = 100 * np.exp(0.6 * time / self.rows + 0.15 * np.sin(2 * np.pi * time / self.rows + turn[0]))
        period = 12 if self.every == "month" else 24
        season = sum(
            size * np.sin(2 * np.pi * number * time / period + turn[number])
            for number, size in enumerate((0.2, 0.1, 0.05), 1)
        )
        if self.every == "hour":
            season = season * np.where(time // 24 % 7 < 5, 1.0, 0.4)
        errors = draw.standard_normal(self.rows) * self.noise
        for row in range(1, self.rows):
            errors[row] += 0.5 * errors[row - 1]
        return np.round(level * (1 + season + 0.2 * cut + errors), 2)

    def generate(self, split: str) -> list[Item]:
        """The stretch of the series that is `train`, `dev` or `test`."""
        if split not in _PARTS:
            raise UsageError(f"there is no split {split!r}; the splits are {', '.join(_PARTS)}")
        first, last = (round(share * self.rows) for share in _PARTS[split])
        return [Item({"source": Stretch(self.series(), first, last)}, 0)]
