"""A picture of forecasts."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anyseq.core import Item
from anyseq.data.series import Stretch

if TYPE_CHECKING:
    from anyseq.tasks.decoding import Prediction
    from anyseq.tasks.forecast.task import Forecast

_MOST = 12  # panels of one picture
_MARKS = 6  # dates along the axis


def draw(task: Forecast, items: Sequence[Item], predictions: Sequence[Prediction], path: Path) -> None:
    """A panel for each variable of each item, the first twelve of them.

    Args:
        task: With its codec.
        items: What was looked back at.
        predictions: Of each.
        path: The file to write.
    """
    from matplotlib.figure import Figure  # here: drawing is rare

    panels = [
        (item.raw["source"], name, prediction.output)
        for item, prediction in zip(items, predictions, strict=True)
        for name in item.raw["source"].names
    ][:_MOST]
    figure = Figure(figsize=(9, 2.6 * len(panels) + 0.6), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axis, (source, name, output) in zip(axes, panels, strict=True):
        rows = [row for row in csv.reader(output.splitlines()) if row[1] == name]
        _panel(axis, task, source, name, rows, f"{task.level:.0%} interval")
    axes[0].legend(loc="upper left", fontsize="small")
    figure.savefig(path)


def _panel(
    axis: object, task: Forecast, source: Stretch, name: str, rows: Sequence[Sequence[str]], interval: str
) -> None:
    place = source.names.index(name)
    past = np.arange(source.first, source.last)
    future = np.arange(source.last, source.last + len(rows))
    value, lower, upper = (np.array([float(row[n] or "nan") for row in rows]) for n in (2, 3, 4))
    axis.plot(past, source.values[:, place], color="0.2", lw=1.2, label="given")  # type: ignore[attr-defined]
    naive = task.naive(source)[: len(rows), place]
    axis.plot(future, naive, color="tab:orange", lw=1, ls="--", label="seasonal naive")  # type: ignore[attr-defined]
    axis.plot(future, value, color="tab:blue", lw=1.5, label="forecast")  # type: ignore[attr-defined]
    axis.fill_between(future, lower, upper, color="tab:blue", alpha=0.2, lw=0, label=interval)  # type: ignore[attr-defined]
    marks = np.linspace(source.first, future[-1], _MARKS).round().astype(int).tolist()
    axis.set_xticks(marks, [source.series.show(mark) for mark in marks], fontsize="small")  # type: ignore[attr-defined]
    axis.set_ylabel(name)  # type: ignore[attr-defined]
