"""Forecasting: the next rows of a series, with intervals."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from anyseq.core import Batch, Hypotheses, Item, Memory, PartConfig
from anyseq.data.series import Series, Stretch
from anyseq.errors import DataError
from anyseq.metrics import forecasts
from anyseq.search.settings import SearchConfig
from anyseq.tasks.decoding import batches
from anyseq.tasks.series import SeriesTask
from anyseq.tasks.series_settings import SeriesData, SeriesTaskConfig
from anyseq.tasks.trivial import Trivial
from anyseq.training.checkpoint import write_atomically

if TYPE_CHECKING:
    from anyseq.tasks.decoding import Prediction

_FILE = "interval.json"
_DOUBT = 8  # windows of dev below which its coverage is trusted less than the model's own


class ForecastData(SeriesData):
    """Series, and the windows that are cut of them: what is looked back at, and what comes. Without `train`, the
    generator's."""

    horizon: int = Field(12, ge=1, description="rows that are forecast")


class IntervalConfig(PartConfig):
    """Intervals around forecasts."""

    level: float = Field(0.8, gt=0, lt=1, description="share of values that an interval is to hold; half of the rest "
                         "is below it")  # fmt: skip
    samples: int = Field(100, ge=2, description="draws it is made of where a model feeds its outputs back")
    calibrate: bool = Field(
        True, description="when training has ended, make intervals wider or narrower, all by one factor, towards that "
        "share of dev; of other rows that is no guarantee",
    )  # fmt: skip


class ForecastConfig(SeriesTaskConfig):
    """The next rows of a series."""

    data: ForecastData = Field(default_factory=ForecastData, description="what to learn from")
    interval: IntervalConfig = Field(default_factory=IntervalConfig, description="intervals around forecasts")

    def build(self) -> Forecast:
        """Make the task."""
        return Forecast(self)


class Said(NamedTuple):
    """Forecasts of some windows, scaled: the value to give, and the ends of the interval."""

    values: Tensor
    lower: Tensor
    upper: Tensor


class Forecast(SeriesTask):
    """Windows of what is looked back at, and what comes behind them.

    An output is rows of a table, `date,variable,value,lower,upper`.

    Args:
        config: The recipe.
    """

    plots = ("predictions",)
    tables: ClassVar[tuple[str, ...]] = ("date", "variable", "value", "lower", "upper")
    figures: ClassVar[Mapping[str, bool]] = dict.fromkeys(("mse", "mae", "mape", "mase", "quantile_loss"), False)

    _config: ForecastConfig
    _factor: float = 1.0  # by which intervals are wider than what the model says
    _fitted: frozenset[str] = frozenset()  # sources of the windows it was fitted to

    @property
    def length(self) -> int:
        """The horizon."""
        return self._config.data.horizon

    @property
    def level(self) -> float:
        """Share of values that an interval is to hold."""
        return self._config.interval.level

    def _needs(self) -> str:
        return f"{super()._needs()} and data.horizon={self.length} rows"

    def windows(self, series: Series, first: int, last: int, stride: int = 1) -> Iterator[Mapping[str, Stretch]]:
        """What is forecast lies in these rows; what is looked back at may lie before them."""
        back = self._config.data.look_back
        for row in range(max(first, back), last - self.length + 1, stride):
            source = Stretch(series, row - back, row)
            yield {"source": source, "target": source.after(self.length)}

    def _to_predict(self, series: Series) -> Iterator[Stretch]:
        back = self._config.data.look_back
        if len(series) < back:
            raise DataError(f"{len(series):,} rows are given, the model looks back at {back:,}: give more", series.file)
        yield Stretch(series, len(series) - back, len(series))

    def _output_rows(self, source: Stretch) -> Stretch:
        return source.after(self.length)

    def search(self, batch: Batch, settings: SearchConfig) -> Hypotheses:
        """Forecasts of a batch; beside the values stand the ends of their interval, where these are no samples."""
        memory = self.model.encode(batch)
        found = self.searched(memory, settings)
        if settings.samples:
            return found
        lower, upper = self._interval(memory, settings, found.values[:, 0])
        return replace(found, values=torch.cat([found.values, lower[:, None], upper[:, None]], -1))

    def _interval(self, memory: Memory, settings: SearchConfig, values: Tensor) -> list[Tensor]:
        """The ends of the intervals around these values."""
        return [torch.lerp(values, end, self._factor) for end in self._said_interval(memory, settings)]

    def _said_interval(self, memory: Memory, settings: SearchConfig) -> tuple[Tensor, Tensor]:
        """What the model itself says."""
        ends = [(1 - self.level) / 2, (1 + self.level) / 2]
        if self.model.decoder.independent:
            emission = self.at_once(memory)
            return emission.quantile(ends[0]), emission.quantile(ends[1])
        drawn = settings.model_copy(update={"beam_size": 1, "samples": self._config.interval.samples, "n_best": 1})
        lower, upper = self.searched(memory, drawn).values.quantile(memory.shift.new_tensor(ends), dim=1)
        return lower, upper

    def forecasts(self, items: Sequence[Item], settings: SearchConfig) -> Said:
        """Forecasts of items, in order; by decoders that feed nothing back all rows at once."""
        fields = [self.encode_source(item).fields for item in items]
        found: list[Said] = []
        order: list[int] = []
        self.model.eval()
        for rows in batches(fields, settings.batch_tokens):
            batch = self.batch([items[row] for row in rows.tolist()], [fields[row] for row in rows.tolist()])
            with torch.inference_mode():
                memory = self.model.encode(batch)
                values = self.likeliest(memory, settings)
                said = values, *self._interval(memory, settings, values)
                found.append(Said(*(each.cpu() for each in said)))
            order += rows.tolist()
        back = torch.tensor(order).argsort()
        return Said(*(torch.cat(each)[back] for each in zip(*found, strict=True)))

    def settle(self, items: Sequence[Item], folder: Path) -> Sequence[str]:
        """Bring intervals towards the share of dev that they are to hold, by one factor.

        Of a short dev, whose windows overlap, little can be told: the factor f that would bring them there is taken as
        f^(n / (n + 8)), where n windows of dev do not overlap. This is after split conformal prediction, without its
        guarantee: dev chose the checkpoint, too, and what comes later may be of another kind.

        Source:
            Romano et al. 2019, arXiv:1905.03222, with their (n + 1) / n; theirs adds where here is a factor.
        """
        self._factor, self._fitted = 1.0, frozenset()
        if not self._config.interval.calibrate:
            return []
        said, actual = self.forecasts(items, self._config.search), torch.from_numpy(self.actual(items))
        off = actual - said.values
        width = torch.where(off < 0, said.values - said.lower, said.upper - said.values)
        off_by = (off.abs() / width.clamp(min=1e-6)).numpy()
        share = min(1.0, self.level * (off_by.size + 1) / off_by.size)
        factor = float(np.quantile(off_by, share, method="inverted_cdf"))
        targets = [item.raw["target"] for item in items]
        apart = len({(each.series, row) for each in targets for row in range(each.first, each.last)}) / self.length
        self._factor = max(factor, 1e-3) ** (apart / (apart + _DOUBT))
        self._fitted = frozenset(repr(item.raw["source"]) for item in items)
        write_atomically(folder / _FILE, json.dumps({"factor": self._factor}))
        wide = f"intervals are {self._factor:.2f} times as wide as the model says, to come nearer to {self.level:.0%}"
        return [f"{wide} of dev; how much of other rows they hold, test tells (coverage)"]

    def load_settled(self, folder: Path) -> None:
        """Read the factor of intervals."""
        if (folder / _FILE).exists():
            self._factor = float(json.loads((folder / _FILE).read_text(encoding="utf-8"))["factor"])

    def measure(self, items: Sequence[Item], settings: SearchConfig) -> Mapping[str, float]:
        """Errors of forecasts, and of their intervals.

        `mse`, `mae`: in standard deviations of train, of logarithms where `codec.target.log`; `mape`: in percent of
        what came, where nothing of it is 0; `mase`: in the units given, by the error of the seasonal naive forecast
        over train; `coverage`: of the intervals, in percent, called `coverage_fitted` of the very windows by which
        their width was set; `quantile_loss`: of both ends and the value, the mean of twice the pinball loss, scaled as
        `mse`.
        """
        quick = settings.model_copy(update={"samples": 0, "n_best": 1, "beam_size": 1})
        said = self.forecasts(items, quick)
        figures = self._errors(items, said.values)
        actual, (lower, upper) = self.actual(items), (said.lower.numpy(), said.upper.numpy())
        out = (1 - self.level) / 2
        levels = ((lower, out), (said.values.numpy(), 0.5), (upper, 1 - out))
        losses = [forecasts.quantile_loss(values, actual, level) for values, level in levels]
        fitted = all(repr(item.raw["source"]) in self._fitted for item in items)
        name = "coverage_fitted" if fitted else "coverage"
        return {**figures, name: forecasts.coverage(lower, upper, actual), "quantile_loss": float(np.mean(losses))}

    def undefined(self, items: Sequence[Item]) -> Mapping[str, str]:
        """Errors by what is 0."""
        found = {}
        if not all(item.raw["target"].values.all() for item in items):
            found["mape"] = "it is an error in percent of what came, and some of that is 0"
        if not any(each > 0 for item in items for each in self.of_variables(item, self.codec.naive)):
            season = f"{self.codec.season} row{'s'[: self.codec.season > 1]}"
            found["mase"] = f"train holds no two rows that are {season} apart and differ (codec.target.season)"
        return found

    def _errors(self, items: Sequence[Item], values: Tensor) -> dict[str, float]:
        actual, said = self.actual(items), values.numpy()
        naive = np.array([self.of_variables(item, self.codec.naive) for item in items])[:, None]
        given = np.stack([item.raw["target"].values for item in items])
        units = np.stack([self.codec.decode(own, item) for own, item in zip(values, items, strict=True)])
        found = {
            "mse": forecasts.mse(said, actual),
            "mae": forecasts.mae(said, actual),
            "mape": forecasts.mape(units, given),
            "mase": forecasts.mase(units, given, naive),
        }
        return {name: value for name, value in found.items() if value is not None}

    def naive(self, source: Stretch) -> np.ndarray:
        """What stood there a season before (or two, where the forecast is longer), in the units given."""
        season = min(self.codec.season, source.last)
        behind = source.last - season + np.arange(self.length) % season
        rows = source.series.values[behind]
        return rows if source.variable is None else rows[:, source.variable : source.variable + 1]

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial:
        """The seasonal naive forecast."""
        values = torch.stack([self.scaled(item, self.naive(item.raw["source"])) for item in items])
        season = f"season of {self.codec.season} rows" if self.codec.season > 1 else "the last value"
        return Trivial(f"seasonal naive, {season}", metrics=self._errors(items, values))

    def output(self, values: Tensor, item: Item) -> str:
        """Rows of the table."""
        source: Stretch = item.raw["source"]
        dim = self.codec.stream.dim
        parts = [self.codec.decode(part, item) for part in values.split(dim, -1)]
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        for row in range(len(values)):
            for place, name in enumerate(source.names):
                numbers = [f"{part[row, place]:.7g}" for part in parts]
                writer.writerow([source.series.show(source.last + row), name, *numbers, *[""] * (3 - len(parts))])
        return stream.getvalue().rstrip("\n")

    def plot(self, items: Sequence[Item], predictions: Sequence[Prediction], path: Path) -> None:
        """Draw each forecast with its interval behind what was looked back at, and beside it the seasonal naive one."""
        from anyseq.tasks.forecast.picture import draw

        draw(self, items, predictions, path)
