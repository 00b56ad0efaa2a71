"""Points with what was wanted and what was found: outlines, triangulations, round trips, orders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_SIZE = 2.6  # inches, of a picture's side
_ACROSS = 5

Form = Literal["path", "triangles"]


@dataclass(frozen=True)
class Picture:
    """One source.

    Attributes:
        points: What is pointed into.
        found: What a model pointed at, counted from 1.
        wanted: What is right; None: nobody knows.
        title: Stands above it.
    """

    points: Float64[np.ndarray, "point column"]
    found: Sequence[int]
    wanted: Sequence[int] | None
    title: str


def draw(pictures: Sequence[Picture], form: Form, total: int, path: Path) -> None:
    """Draw points with lines along pointers, or around triples of them: what is wanted broad and grey, what was found
    thin and red.

    Args:
        pictures: At least one. Of points with more than two columns the first two are drawn; with one, their places in
            the source stand below it.
        form: What the pointers are.
        total: Sources there are, if more than these.
        path: The file to write.
    """
    across = min(_ACROSS, len(pictures))
    down = math.ceil(len(pictures) / across)
    figure = Figure(figsize=(_SIZE * across, (_SIZE + 0.3) * down + 0.3), layout="constrained")
    FigureCanvasAgg(figure)
    for place, picture in enumerate(pictures):
        axes = figure.add_subplot(down, across, place + 1)
        points = _in_the_plane(picture.points)
        if picture.wanted is not None:
            _lines(axes, points, picture.wanted, form, color="0.75", linewidth=5.0, zorder=1)
        _lines(axes, points, picture.found, form, color="tab:red", linewidth=1.2, zorder=2)
        axes.scatter(points[:, 0], points[:, 1], s=14, color="black", zorder=3)
        for number, (x, y) in enumerate(points.tolist(), 1):
            axes.annotate(str(number), (x, y), xytext=(3, 3), textcoords="offset points", fontsize=6)
        axes.set_title(picture.title, fontsize="small")
        axes.set_xticks([])
        axes.set_yticks([])
        if picture.points.shape[1] > 1:
            axes.set_aspect("equal", adjustable="datalim")
    legend = "red: found; grey: wanted" if any(each.wanted is not None for each in pictures) else "red: found"
    shown = f"; the first {len(pictures)} of {total}" if total > len(pictures) else ""
    figure.suptitle(legend + shown, fontsize="small")
    figure.savefig(path, dpi=120)


def _in_the_plane(points: Float64[np.ndarray, "point column"]) -> Float64[np.ndarray, "point 2"]:
    """The first two columns; of one column each element's place in the source beside it."""
    return points[:, :2] if points.shape[1] > 1 else np.column_stack([np.arange(len(points), dtype=np.float64), points])


def _lines(
    axes: Axes, points: Float64[np.ndarray, "point 2"], pointers: Sequence[int], form: Form, *, color: str,
    linewidth: float, zorder: int,
) -> None:  # fmt: skip
    places = np.array(pointers, np.int64) - 1
    ways = [places[places < len(points)]]  # a decoder of symbols may name more than there are
    if form == "triangles":
        whole = places[: len(places) // 3 * 3].reshape(-1, 3)
        ways = [np.append(triangle, triangle[:1]) for triangle in whole if triangle.max() < len(points)]
    for way in ways:
        axes.plot(points[way, 0], points[way, 1], color=color, linewidth=linewidth, zorder=zorder)
