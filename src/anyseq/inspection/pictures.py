"""Pictures of what was seen, for papers and slides: the first items of each view as PNG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from anyseq.inspection.attention import AttentionMap, draw
from anyseq.inspection.gates import Gates, Trace
from anyseq.inspection.gradients import Gradients
from anyseq.inspection.result import Inspection

ITEMS = 3
"""Of which there are pictures."""
_MOST_PLACES = 80  # in a picture
_NAMES = ("attention_?.png", "gates_?.png", "gradient_by_distance.png")


def earlier(folder: Path) -> set[Path]:
    """The pictures of a report that a folder holds."""
    return {path for model in ("", "model?_") for name in _NAMES for path in folder.glob(model + name)}


def pictures(inspections: Sequence[Inspection], folder: Path) -> list[Path]:
    """Draw the first items of each view that has a picture.

    Args:
        inspections: One model, or several, whose pictures are numbered.
        folder: Where to.

    Returns:
        The files.
    """
    written: list[Path] = []
    for number, each in enumerate(inspections, 1):
        model = f"model{number}_" if len(inspections) > 1 else ""
        written += _attention(each, folder, model)
        if each.gates is not None:
            written += _gates(each.gates, folder, model)
        if each.gradients is not None:
            written.append(_distance(each.gradients, folder / f"{model}gradient_by_distance.png"))
    return written


def _attention(inspection: Inspection, folder: Path, model: str) -> Iterator[Path]:
    items = () if inspection.attention is None else inspection.attention.items
    for number, maps in enumerate(items[:ITEMS], 1):
        shown = last_over_source(maps)
        if shown is not None and max(shown.weights.shape[1:]) <= _MOST_PLACES:
            path = folder / f"{model}attention_{number}.png"
            source, target = ([_plain(each) for each in side] for side in (shown.columns, shown.rows))
            draw(torch.from_numpy(np.ascontiguousarray(shown.weights.mean(0))), source, target, path)
            yield path


def last_over_source(maps: Sequence[AttentionMap]) -> AttentionMap | None:
    """The top layer's map of the output over the source; where there is none, the last of any kind."""
    over = [each for each in maps if each.looks == "output" and each.at != "itself"]
    chosen = over or maps
    return chosen[-1] if chosen else None


def _gates(gates: Gates, folder: Path, model: str) -> Iterator[Path]:
    for number, traces in enumerate(gates.items[:ITEMS], 1):
        shown = [trace for trace in traces if trace.gates and len(trace.places) <= _MOST_PLACES]
        if not shown:
            continue
        wide = max(4.0, 0.22 * max(len(trace.places) for trace in shown))
        figure = Figure(figsize=(wide, 1.9 * len(shown)), layout="constrained")
        FigureCanvasAgg(figure)
        for axes, trace in zip(figure.subplots(len(shown), 1, squeeze=False)[:, 0], shown, strict=True):
            _lines(axes, trace)
        path = folder / f"{model}gates_{number}.png"
        figure.savefig(path, dpi=110)
        yield path


def _lines(axes: Axes, trace: Trace) -> None:
    for name, values in trace.gates.items():
        axes.plot(values.mean(1), label=name)
    axes.set(ylim=(0, 1), title=trace.path)
    axes.title.set_fontsize("small")
    axes.set_xticks(range(len(trace.places)), [_plain(place) for place in trace.places], fontsize="x-small")
    axes.legend(fontsize="x-small", loc="upper right")


def _distance(gradients: Gradients, path: Path) -> Path:
    figure = Figure(figsize=(5, 3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(gradients.distance, gradients.norm, marker="o", markersize=3)
    axes.set(xlabel="steps between reading and saying", ylabel="mean norm of the gradient", ylim=(0, None))
    figure.savefig(path, dpi=110)
    return path


def _plain(text: str) -> str:
    """As matplotlib can show it: without its marks of formulas, and a space to be seen."""
    return text.replace("$", r"\$").strip() or "␣"
