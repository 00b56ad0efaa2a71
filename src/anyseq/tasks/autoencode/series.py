"""Windows of a series as their own targets: what is not reproduced is odd."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from anyseq.core import Batch, Hypotheses, Item
from anyseq.data.series import Series, Stretch
from anyseq.errors import DataError
from anyseq.metrics import forecasts
from anyseq.metrics.anomalies import auc
from anyseq.search.settings import SearchConfig
from anyseq.tasks.decoding import batches
from anyseq.tasks.series import SeriesTask
from anyseq.tasks.series_settings import SeriesTaskConfig
from anyseq.tasks.trivial import Trivial

KINDS = ("spike", "shift", "phase")
_SIZE = 2.0  # of what is planted, in standard deviations around the mean at that place of the season
_SEED = 1


class AutoencodeSeriesConfig(SeriesTaskConfig):
    """Windows of a series and themselves, judged by what is reproduced and by what of planted anomalies is found."""

    def build(self) -> AutoencodeSeries:
        """Make the task."""
        return AutoencodeSeries(self)


class AutoencodeSeries(SeriesTask):
    """Windows, each through one vector and back.

    An output is a row of a table, `first,last,variable,score,worst`: the window's first and last date, its variable
    (where each stands apart; else empty), how far it is from what comes back (root of the mean square, in standard
    deviations of train, of logarithms where `codec.target.log`), and the date at which it is furthest.

    Args:
        config: The recipe.
    """

    tables: ClassVar[tuple[str, ...]] = ("first", "last", "variable", "score", "worst")
    figures: ClassVar[Mapping[str, bool]] = {"mse": False, "mae": False, **{f"auc_{kind}": True for kind in KINDS}}

    @property
    def length(self) -> int:
        """Rows of a window."""
        return self._config.data.look_back

    def windows(self, series: Series, first: int, last: int, stride: int = 1) -> Iterator[Mapping[str, Stretch]]:
        """All of a window lies in these rows."""
        for row in range(first, last - self.length + 1, stride):
            window = Stretch(series, row, row + self.length)
            yield {"source": window, "target": window}

    def _to_predict(self, series: Series) -> Iterator[Stretch]:
        found = [each["source"] for each in self.windows(series, 0, len(series), self._config.data.stride)]
        if not found:
            raise DataError(f"{len(series):,} rows are given, a window has {self.length:,}: give more", series.file)
        yield from found

    def _output_rows(self, source: Stretch) -> Stretch:
        return source

    def search(self, batch: Batch, settings: SearchConfig) -> Hypotheses:
        """What comes back of each window."""
        return self.searched(self.model.encode(batch), settings)

    def output(self, values: Tensor, item: Item) -> str:
        """Its row of the table."""
        source: Stretch = item.raw["source"]
        off = (values - self.codec.encode(source)).square().mean(1)
        shown = [source.series.show(row) for row in (source.first, source.last - 1, source.first + int(off.argmax()))]
        stream = io.StringIO()
        name = "" if source.variable is None else source.names[0]
        csv.writer(stream, lineterminator="").writerow([*shown[:2], name, f"{off.mean().sqrt():.6g}", shown[2]])
        return stream.getvalue()

    def measure(self, items: Sequence[Item], settings: SearchConfig) -> Mapping[str, float]:
        """Errors of what comes back, scaled (`mse`, `mae`), and how well these tell planted anomalies from the windows.

        Into a copy of each window something is planted, by a fixed seed: `auc_spike`: one row is off by two standard
        deviations of train around the mean at that place of the season (they hold a trend, where there is one);
        `auc_shift`: so are all rows from somewhere in the middle half on;
        `auc_phase`: the values of half a season before (or later, at the beginning of a series) stand there, where
        there are such. The figure is the share of pairs of a window and a planted one of which the planted one has the
        larger error.
        """
        fields = [self.encode_source(item).fields for item in items]
        values, usual = self._scores(items, fields, settings)
        actual = self.actual(items)
        found = {"mse": forecasts.mse(values, actual), "mae": forecasts.mae(values, actual)}
        for kind, own, planted in self._all_planted(items, fields):
            found[f"auc_{kind}"] = auc(usual, self._scores(own, planted, settings)[1])
        return found

    def undefined(self, items: Sequence[Item]) -> Mapping[str, str]:
        """What is planted of another phase, where nowhere is one."""
        if any(self._other_phase(item.raw["source"]) for item in items):
            return {}
        half = max(1, self.codec.season // 2)
        return {"auc_phase": f"no window has another {half} rows before it, or behind it"}

    def _all_planted(
        self, items: Sequence[Item], fields: Sequence[Mapping[str, Tensor]]
    ) -> Iterator[tuple[str, Sequence[Item], Sequence[Mapping[str, Tensor]]]]:
        """Of each kind the items that it can be planted into, and their windows with it."""
        for kind in KINDS:
            pairs = [
                (item, own) for item, own in zip(items, fields, strict=True)
                if kind != "phase" or self._other_phase(item.raw["source"])
            ]  # fmt: skip
            if pairs:
                yield kind, [item for item, _ in pairs], [self._planted(*each, kind) for each in pairs]

    def _scores(
        self, items: Sequence[Item], fields: Sequence[Mapping[str, Tensor]], settings: SearchConfig
    ) -> tuple[np.ndarray, np.ndarray]:
        """What comes back of each window, and how far it is off."""
        found, dim = [torch.zeros(0)] * len(items), self.codec.stream.dim
        self.model.eval()
        for rows in batches(fields, settings.batch_tokens):
            batch = self.batch([items[row] for row in rows.tolist()], [fields[row] for row in rows.tolist()])
            with torch.inference_mode():
                memory = self.model.encode(batch)
                said = self.likeliest(memory, settings, self.at_once(memory)).cpu()
            for row, values in zip(rows.tolist(), said, strict=True):
                found[row] = values
        given = torch.stack([each["source"][:, :dim] for each in fields])
        return torch.stack(found).numpy(), (torch.stack(found) - given).square().mean((1, 2)).sqrt().double().numpy()

    def _planted(self, item: Item, fields: Mapping[str, Tensor], kind: str) -> Mapping[str, Tensor]:
        """The window with an anomaly in it."""
        source: Stretch = item.raw["source"]
        draw = np.random.default_rng((_SEED, KINDS.index(kind), item.key))
        values, dim = fields["source"].clone(), self.codec.stream.dim
        size = torch.tensor(self.of_variables(item, self.codec.residual)) * _SIZE * float(draw.choice([-1.0, 1.0]))
        if kind == "spike":
            values[draw.integers(len(source)), :dim] += size
        elif kind == "shift":
            values[draw.integers(len(source) // 4, 3 * len(source) // 4 + 1) :, :dim] += size
        else:
            other = self._other_phase(source)
            assert other is not None  # `_all_planted` has seen to it
            values[:, :dim] = self.codec.encode(other)
        return {**fields, "source": values}

    def _other_phase(self, source: Stretch) -> Stretch | None:
        """The window half a season before, which is past to it; where nothing comes before, half a season later."""
        half = max(1, self.codec.season // 2)
        first = source.first - half if source.first >= half else source.first + half
        other = Stretch(source.series, first, first + len(source), source.variable)
        return other if other.last <= len(source.series) else None

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial | None:
        """What stood there a season before, as what comes back: figures of the same anomalies.

        Windows of a series' first season have no such rows and are left out; where there are no others, so is it all.
        """
        items = [item for item in items if item.raw["source"].first >= self.codec.season]
        if not items:
            return None
        fields = [self.encode_source(item).fields for item in items]
        dim, season = self.codec.stream.dim, self.codec.season

        def before(given: Sequence[Item]) -> Tensor:
            sources = [item.raw["source"] for item in given]
            earlier = [replace(each, first=each.first - season, last=each.last - season) for each in sources]
            return torch.stack([self.codec.encode(each) for each in earlier])

        def scores(given: Sequence[Item], planted: Sequence[Mapping[str, Tensor]]) -> np.ndarray:
            off = before(given) - torch.stack([each["source"][:, :dim] for each in planted])
            return off.square().mean((1, 2)).sqrt().double().numpy()

        values, actual, usual = before(items).numpy(), self.actual(items), scores(items, fields)
        found = {"mse": forecasts.mse(values, actual), "mae": forecasts.mae(values, actual)}
        for kind, own, planted in self._all_planted(items, fields):
            found[f"auc_{kind}"] = auc(usual, scores(own, planted))
        return Trivial(f"what stood there {season} rows before", metrics=found)
