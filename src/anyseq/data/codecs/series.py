"""Series as vectors: values by the mean and deviation of train, and what of the calendar and of the future is known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self, final

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from anyseq.core import Codec, Item, Vectors
from anyseq.data.clock import Step
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.measured import Measured
from anyseq.data.series import Series, Stretch
from anyseq.errors import DataError

_FILE = "codec.json"
_YEAR_DAYS = 365.25

Feature = Literal["year", "yearday", "month", "weekday", "hour"]


def _one_of(count: int, place: int) -> list[float]:
    return [float(place == each) for each in range(count)]


def _around(date: datetime) -> list[float]:
    turns = [2 * math.pi * each * date.timetuple().tm_yday / _YEAR_DAYS for each in (1, 2)]
    return [wave(turn) for turn in turns for wave in (math.sin, math.cos)]


_FEATURES: Mapping[Feature, Callable[[datetime], list[float]]] = {
    "year": lambda date: [date.year + (date.timetuple().tm_yday - 1) / _YEAR_DAYS],
    "yearday": _around,
    "month": lambda date: _one_of(12, date.month - 1),
    "weekday": lambda date: _one_of(7, date.weekday()),
    "hour": lambda date: _one_of(24, date.hour),
}


def usual_features(step: Step | None) -> tuple[Feature, ...]:
    """What of the calendar may matter where rows are so far apart."""
    if step is None:
        return ()
    if step.unit == "month":
        return ("month",) if step.count < 12 else ()
    if step.count >= 7 * 86400:
        return ("yearday",)
    return ("weekday", "yearday") if step.count >= 86400 else ("hour", "weekday")


@final
class SeriesCodec(Codec):
    """A stretch of a series as vectors: each variable less its mean over train, by its standard deviation there.

    Law: decode(encode(x)) is x, but for rounding to float32.

    Attributes:
        stream: Vectors of all variables, or of one.

    Args:
        names: The variables.
        measured: Mean and deviation of each over train.
        season: Rows after which things are expected to repeat; 1: no season.
        naive: Of each variable the mean absolute error over train of the value a season before, in the units given.
        residual: Of each the standard deviation over train around its mean at that place of the season, scaled. It
            holds a trend, where there is one.
        calendar: Features of the dates.
        years: Middle and half the length of train, in years, by which the feature `year` is scaled.
        known: Columns known in advance.
        known_measured: Mean and deviation of each over train.
        step: From row to row; None: there are no dates.
        apart: Each variable is an item of its own.
        log: Logarithms of the values stand for them.
    """

    stream: Vectors

    def __init__(
        self,
        names: Sequence[str],
        measured: Measured,
        season: int,
        naive: Sequence[float],
        residual: Sequence[float],
        calendar: Sequence[Feature] = (),
        years: tuple[float, float] = (0.0, 1.0),
        known: Sequence[str] = (),
        known_measured: Measured | None = None,
        step: Step | None = None,
        apart: bool = False,
        log: bool = False,
    ) -> None:
        self.names, self.measured, self.season, self.naive = tuple(names), measured, season, tuple(naive)
        self.residual, self.calendar, self.years = tuple(residual), tuple(calendar), years
        self.known, self.known_measured = tuple(known), known_measured
        self.step, self.apart, self.log = step, apart, log
        self.stream = Vectors(1 if apart else len(self.names))
        self._scaled: dict[Series, Tensor] = {}
        self._described: dict[Series, Tensor] = {}

    def encode(self, raw: Any) -> Float[Tensor, "time value"]:
        """The scaled values of a stretch."""
        values = self._scaled.get(raw.series)
        if values is None:
            self.refuse_other(raw.series)
            values = self.measured.scaled(levels(raw.series, self.log)).float()
            self._scaled[raw.series] = values
        rows = values[raw.first : raw.last]
        return rows if raw.variable is None else rows[:, raw.variable : raw.variable + 1]

    def decode(self, values: Float[Tensor, "time value"], item: Item | None = None) -> np.ndarray:
        """Values in the units they were given in; `item` says which variable they are of, where each stands apart."""
        measured = self.measured
        if self.apart and item is not None:
            own = slice(item.raw["source"].variable, item.raw["source"].variable + 1)
            measured = Measured(measured.mean[own], measured.deviation[own])
        found = measured.original(values.double())
        return (found.exp() if self.log else found).numpy()

    @property
    def features_dim(self) -> int:
        """Width of what is known of a row besides its values."""
        epoch = datetime(2000, 1, 1)
        own = len(self.names) if self.apart else 0
        return sum(len(_FEATURES[name](epoch)) for name in self.calendar) + len(self.known) + own

    def features(self, stretch: Stretch) -> Float[Tensor, "time feature"]:
        """What is known of each row besides its values, also of rows to come: its date, what is known in advance, and,
        where each variable stands apart, which one it is.

        Raises:
            DataError: columns that are known in advance have no such rows.
        """
        table = self._table(stretch.series, stretch.last)[stretch.first : stretch.last]
        if not self.apart:
            return table
        own = torch.zeros(len(stretch), len(self.names))
        own[:, stretch.variable] = 1.0
        return torch.cat([table, own], 1)

    def _table(self, series: Series, rows: int) -> Tensor:
        found = self._described.get(series)
        if found is None or len(found) < rows:
            found = self._described[series] = self._describe(series, max(rows, len(series)))
        return found

    def _describe(self, series: Series, rows: int) -> Tensor:
        parts = [torch.zeros(rows, 0)]
        if self.calendar:
            assert series.clock is not None  # `refuse_other` has seen to it
            dates = [series.clock.at(row) for row in range(rows)]
            for name in self.calendar:
                column = torch.tensor([_FEATURES[name](date) for date in dates], dtype=torch.float64)
                if name == "year":
                    column = (column - self.years[0]) / self.years[1]
                parts.append(column.float())
        if self.known:
            assert series.known is not None and self.known_measured is not None
            if len(series.known) < rows:
                lacking = rows - len(series.known)
                raise DataError(
                    f"{', '.join(self.known)} must be known in advance, and the last row is "
                    f"{series.show(len(series.known) - 1)}: give {lacking:,} rows more, their values left empty",
                    series.file,
                )
            parts.append(self.known_measured.scaled(torch.from_numpy(series.known[:rows])).float())
        return torch.cat(parts, 1)

    def refuse_other(self, series: Series) -> None:
        """Refuse a series that is not of the kind that was learnt.

        Raises:
            DataError: its variables are others, or its rows are other distances apart.
        """
        if series.names != self.names:
            raise DataError(
                f"the model's variables are {', '.join(self.names)}, these are {', '.join(series.names)}", series.file
            )
        step = None if series.clock is None else series.clock.step
        if self.step is not None and step != self.step:
            given = "there are no dates" if step is None else f"these are {step}"
            raise DataError(f"the model's rows are {self.step}, {given}", series.file)

    def save(self, folder: Path) -> None:
        """Write `codec.json`."""
        step = None if self.step is None else [self.step.unit, self.step.count, self.step.at_end]
        content = {
            "names": self.names, "measured": self.measured.as_lists(), "season": self.season, "naive": self.naive,
            "residual": self.residual, "calendar": self.calendar, "years": self.years, "known": self.known,
            "known_measured": None if self.known_measured is None else self.known_measured.as_lists(), "step": step,
            "apart": self.apart, "log": self.log,
        }  # fmt: skip
        (folder / _FILE).write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelFolderError: the file is missing or is none of ours.
        """
        content = Measured.read(folder / _FILE)
        known, step, years = (content.pop(name) for name in ("known_measured", "step", "years"))
        measured = None if known is None else Measured(torch.tensor(known["mean"]), torch.tensor(known["deviation"]))
        return cls(
            **content, years=(years[0], years[1]), known_measured=measured, step=None if step is None else Step(*step)
        )


class SeriesConfig(CodecConfig):
    """Values of one variable or several, at equal distances in time."""

    calendar: Annotated[tuple[Feature, ...], Field(strict=False)] | None = Field(
        None, description="what of the dates is told: year, yearday (where in the year), month, weekday, hour; null: "
        "of months the month, of days weekday and yearday, of hours hour and weekday",
    )  # fmt: skip
    season: int | None = Field(
        None, ge=1, description="rows after which things usually repeat, for the naive forecast and MASE; null: of "
        "months a year, of days a week, of what is shorter a day; without dates 1",
    )  # fmt: skip
    log: bool = Field(False, description="learn the logarithms: for values above 0 that grow, and vary, by shares")
    apart: bool = Field(False, description="each variable is an item of its own, and all are learnt by one model")

    def fit(self, raws: Iterable[Any]) -> SeriesCodec:
        """Learn means and deviations, from stretches; a row that several hold counts once.

        Raises:
            DataError: there is none, series differ, or features of dates are asked for where there are none.
        """
        spans: dict[Series, tuple[int, int]] = {}
        for raw in raws:
            if not isinstance(raw, Stretch):
                raise DataError(f"codec kind=series reads stretches of series, as their tasks give; not {raw!r:.40}")
            first, last = spans.get(raw.series, (raw.first, raw.last))
            spans[raw.series] = min(first, raw.first), max(last, raw.last)
        if not spans:
            raise DataError("there is no stretch of a series to learn from; look at data.train, and at data.split")
        one = next(iter(spans))
        for series in spans:
            if series.names != one.names:
                raise DataError(
                    f"this series is of {', '.join(series.names)}, the first one ({one.file or 'from Python'}) of "
                    f"{', '.join(one.names)}: name the columns that all have (data.variables)", series.file,
                )  # fmt: skip
        step = None if one.clock is None else one.clock.step
        calendar = usual_features(step) if self.calendar is None else self.calendar
        if calendar and one.clock is None:
            raise DataError("codec.target.calendar tells of dates, and there are no dates: set it to []", one.file)
        season = self.season or (1 if step is None else step.season)
        values = [_came(levels(series, self.log), series)[first:last] for series, (first, last) in spans.items()]
        measured, known = _measured(values), None
        for name, mean in zip(one.names, measured.mean.tolist(), strict=True):
            if math.isnan(mean):
                raise DataError(f"{name} has no number in the rows of train: leave it out (data.variables)", one.file)
        if one.known is not None:
            known = _measured([torch.from_numpy(each.known[a:b]) for each, (a, b) in spans.items()])  # type: ignore[index]
        off = [_seasonal(each.exp() if self.log else each, season) for each in values]
        naive = torch.cat(off).abs().nanmean(0)
        residual = torch.cat([_residual(each, season) for each in values]) / measured.deviation
        residual = (residual - residual.nanmean(0)).square().nanmean(0).sqrt()
        codec = SeriesCodec(
            one.names, measured, season, naive.tolist(), residual.tolist(), calendar, _years(spans, calendar),
            one.known_names, known, step, self.apart, self.log,
        )  # fmt: skip
        for series in spans:
            codec.refuse_other(series)
        return codec

    def load(self, folder: Path) -> SeriesCodec:
        """Read a codec of this kind that `SeriesCodec.save` wrote."""
        return SeriesCodec.load(folder)


def levels(series: Series, log: bool) -> Float[Tensor, "time variable"]:
    """The values, or their logarithms.

    Raises:
        DataError: one has none.
    """
    values = torch.from_numpy(series.values)
    if not log:
        return values
    if series.values.min() <= 0:
        row, column = np.argwhere(series.values <= 0)[0].tolist()
        raise DataError(
            f"codec.target.log is for values above 0, and {series.names[column]} is {series.values[row, column]:g} at "
            f"{series.show(row)}: set it to false", series.file,
        )  # fmt: skip
    return values.log()


def _came(values: Tensor, series: Series) -> Tensor:
    """The values, NaN where they were filled in."""
    return values if series.measured is None else values.where(torch.from_numpy(series.measured), math.nan)


def _measured(values: Sequence[Tensor]) -> Measured:
    rows = torch.cat(list(values))
    mean = rows.nanmean(0)
    # Not from sums of squares: a level far from 0 would drown what varies.
    deviation = (rows - mean).square().nanmean(0).sqrt()
    return Measured(mean.float(), torch.where(deviation > 1e-12 * mean.abs(), deviation, 1.0).float())


def _seasonal(values: Tensor, season: int) -> Tensor:
    return values[season:] - values[:-season]


def _residual(values: Tensor, season: int) -> Tensor:
    """Values less their mean at the same place of the season."""
    place, nothing = torch.arange(len(values)) % season, torch.zeros(season, values.shape[1], dtype=values.dtype)
    total = nothing.index_add(0, place, values.nan_to_num(0.0))
    count = nothing.index_add(0, place, (~values.isnan()).to(values.dtype))
    return values - (total / count.clamp(min=1))[place]


def _years(spans: Mapping[Series, tuple[int, int]], calendar: Sequence[Feature]) -> tuple[float, float]:
    if "year" not in calendar:
        return 0.0, 1.0
    ends = [
        _FEATURES["year"](series.clock.at(row))[0]
        for series, (first, last) in spans.items()
        if series.clock is not None
        for row in (first, last - 1)
    ]
    return (min(ends) + max(ends)) / 2, max((max(ends) - min(ends)) / 2, 1e-6)
