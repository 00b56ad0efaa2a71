"""A picture of forecasts."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        (item.raw["source"], name, [each.output for each in prediction.n_best] or [prediction.output])
        for item, prediction in zip(items, predictions, strict=True)
        for name in item.raw["source"].names
    ][:_MOST]
    figure = Figure(figsize=(9, 2.6 * len(panels) + 0.6), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axis, (source, name, outputs) in zip(axes, panels, strict=True):
        futures = [[row for row in csv.reader(output.splitlines()) if row[1] == name] for output in outputs]
        _panel(axis, task, source, name, futures)
    axes[0].legend(loc="upper left", fontsize="small")
    figure.savefig(path)


def _panel(
    axis: Any, task: Forecast, source: Stretch, name: str, futures: Sequence[Sequence[Sequence[str]]]
) -> None:
    """What was given, what it is compared with, and each of the futures: one with its interval, or samples."""
    place, rows = source.names.index(name), len(futures[0])
    past, future = np.arange(source.first, source.last), np.arange(source.last, source.last + rows)
    axis.plot(past, source.values[:, place], color="0.2", lw=1.2, label="given")
    axis.plot(future, task.naive(source)[:rows, place], color="tab:orange", lw=1, ls="--", label="seasonal naive")
    sampled, interval = not futures[0][0][3], f"{task.level:.0%} interval"
    for number, each in enumerate(futures):
        value, lower, upper = (np.array([float(row[n] or "nan") for row in each]) for n in (2, 3, 4))
        label = None if number else "samples" if sampled else "forecast"
        axis.plot(future, value, color="tab:blue", lw=0.8 if sampled else 1.5, label=label)
        if not sampled:
            axis.fill_between(future, lower, upper, color="tab:blue", alpha=0.2, lw=0, label=interval)
    marks = np.linspace(source.first, future[-1], _MARKS).round().astype(int).tolist()
    axis.set_xticks(marks, [source.series.show(mark) for mark in marks], fontsize="small")
    axis.set_ylabel(name)
