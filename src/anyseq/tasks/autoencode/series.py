"""Windows of a series as their own targets: what is not reproduced is odd."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
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
from anyseq.tasks.base import Trivial
from anyseq.tasks.decoding import batches
from anyseq.tasks.series import SeriesTask, SeriesTaskConfig

KINDS = ("spike", "shift", "phase")
_SIZE = 2.0  # of what is planted, in standard deviations of what is left around the season
_SEED = 1


class AutoencodeSeriesConfig(SeriesTaskConfig):
    """Windows of a series and themselves, judged by what is reproduced and by what of planted anomalies is found."""

    def build(self) -> AutoencodeSeries:
        """Make the task."""
        return AutoencodeSeries(self)


class AutoencodeSeries(SeriesTask):
    """Windows, each through one vector and back.

    An output is a row of a table, `first,last,score,worst`: the window's first and last date, how far it is from what
    comes back (root of the mean square, in standard deviations of train), and the date at which it is furthest.

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
        deviations of what is left around the season; `auc_shift`: so are all rows from somewhere in the middle half on;
        `auc_phase`: the values of half a season later (or before) stand there. The figure is the share of pairs of a
        window and a planted one of which the planted one has the larger error.
        """
        fields = [self.encode_source(item).fields for item in items]
        scores = {kind: self._scores(items, [self._planted(*each, kind) for each in zip(items, fields, strict=True)],
                                     settings)[1] for kind in KINDS}  # fmt: skip
        values, usual = self._scores(items, fields, settings)
        actual = self.actual(items)
        return {
            "mse": forecasts.mse(values, actual), "mae": forecasts.mae(values, actual),
            **{f"auc_{kind}": auc(usual, scores[kind]) for kind in KINDS},
        }  # fmt: skip

    def _scores(
        self, items: Sequence[Item], fields: Sequence[Mapping[str, Tensor]], settings: SearchConfig
    ) -> tuple[np.ndarray, np.ndarray]:
        """What comes back of each window, and how far it is off."""
        found, dim = [torch.zeros(0)] * len(items), self.codec.stream.dim
        self.model.eval()
        for rows in batches(fields, settings.batch_tokens):
            batch = self.batch([items[row] for row in rows.tolist()], [fields[row] for row in rows.tolist()])
            with torch.inference_mode():
                said = self.likeliest(self.model.encode(batch), settings).cpu()
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
            values[:, :dim] = self.codec.encode(self._other_phase(source))
        return {**fields, "source": values}

    def _other_phase(self, source: Stretch) -> Stretch:
        """The window half a season later, or before where nothing comes later."""
        half = max(1, self.codec.season // 2)
        away = half if source.last + half <= len(source.series) else -half
        first = max(0, source.first + away)
        return Stretch(source.series, first, first + len(source), source.variable)

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial:
        """What stood there a season before, as what comes back: figures of the same anomalies."""
        fields = [self.encode_source(item).fields for item in items]
        dim, season = self.codec.stream.dim, self.codec.season
        before = []
        for item in items:
            source: Stretch = item.raw["source"]
            first = source.first - season if source.first >= season else source.first + season
            before.append(self.codec.encode(Stretch(source.series, first, first + len(source), source.variable)))
        values = torch.stack(before)

        def scores(kind: str | None) -> np.ndarray:
            pairs = zip(items, fields, strict=True)
            given = [own if kind is None else self._planted(item, own, kind) for item, own in pairs]
            off = values - torch.stack([each["source"][:, :dim] for each in given])
            return off.square().mean((1, 2)).sqrt().double().numpy()

        actual, usual = self.actual(items), scores(None)
        metrics = {"mse": forecasts.mse(values.numpy(), actual), "mae": forecasts.mae(values.numpy(), actual)}
        found = {f"auc_{kind}": auc(usual, scores(kind)) for kind in KINDS}
        return Trivial(f"what stood there {season} rows before", metrics={**metrics, **found})
