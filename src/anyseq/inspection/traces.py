"""Sound as it was heard, as a picture: the wave, a probability over time, what was detected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_MOST = 12  # recordings in one picture
_POINTS = 4000  # across; of more samples the lowest and highest of each stretch are drawn
_WIDTH, _HEIGHT = 12.0, 2.2  # inches


@dataclass(frozen=True)
class Picture:
    """A recording as it was heard.

    Attributes:
        name: What it is called.
        samples: In [-1, 1].
        seconds: Its length.
        times_s, levels: When, and how likely it is that the keyword was just said.
        detected_s: When it was detected.
        spoken_s: From when to when it was said, where that is known.
    """

    name: str
    samples: Float[np.ndarray, " sample"]
    seconds: float
    times_s: Float[np.ndarray, " frame"]
    levels: Float[np.ndarray, " frame"]
    detected_s: Sequence[float]
    spoken_s: Sequence[tuple[float, float]] = field(default=())


def draw_traces(pictures: Sequence[Picture], path: Path) -> None:
    """Draw the first dozen recordings below each other: wave (grey), probability, detections (red) and the level that
    was reached (dashed: the threshold, or a little more).

    Args:
        pictures: At least one.
        path: The file to write; its ending says what kind.
    """
    shown = pictures[:_MOST]
    figure = Figure(figsize=(_WIDTH, 0.6 + _HEIGHT * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
    for axes, each in zip(rows, shown, strict=True):
        low, high = _envelope(each.samples)
        loudest = max(1e-9, float(np.abs(each.samples).max(initial=0.0)))
        places = np.linspace(0, each.seconds, len(low))
        axes.fill_between(places, 0.5 + low / loudest / 2, 0.5 + high / loudest / 2, color="0.8", linewidth=0)
        for begin_s, end_s in each.spoken_s:
            axes.axvspan(begin_s, end_s, color="tab:green", alpha=0.2, linewidth=0)
        axes.plot(each.times_s, each.levels, color="tab:blue", linewidth=1)
        if each.detected_s:
            axes.axhline(_reached(each), color="0.4", linestyle="--", linewidth=0.8)
        for time_s in each.detected_s:
            axes.axvline(time_s, color="tab:red", linewidth=1)
        axes.set(xlim=(0, each.seconds), ylim=(0, 1), ylabel="probability")
        axes.set_title(each.name, fontsize="small", loc="left")
    rows[-1].set_xlabel("seconds")
    if len(pictures) > len(shown):
        figure.suptitle(f"the first {len(shown)} of {len(pictures)} recordings", fontsize="small")
    figure.savefig(path, dpi=110)


def _reached(picture: Picture) -> float:
    """The lowest level at which there was a detection."""
    places = [int(np.abs(picture.times_s - time_s).argmin()) for time_s in picture.detected_s]
    return float(picture.levels[places].min())


def _envelope(samples: Float[np.ndarray, " sample"]) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest sample of each of so many stretches."""
    stretches = np.array_split(samples, min(_POINTS, max(1, len(samples))))
    return np.array([each.min() for each in stretches]), np.array([each.max() for each in stretches])
