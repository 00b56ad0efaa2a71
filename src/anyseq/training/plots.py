"""Small pictures of curves as SVG, drawn with no library: a page with them opens without one, too."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 400, 200
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 14, 26
MOST_POINTS = 500
Point = tuple[float, float]
Axes = tuple[float, float, float, float]


@dataclass(frozen=True)
class Panel:
    """One curve over the updates.

    Attributes:
        title: What it shows.
        points: Step and value of each, in order.
        best: The step of the best checkpoint, where it is to be marked.
        marks: Step and words of what else happened.
        from_zero: Whether the axis of values begins at 0.
    """

    title: str
    points: Sequence[Point]
    best: int | None = None
    marks: Sequence[tuple[int, str]] = field(default=())
    from_zero: bool = False


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """Fewer points of the same look: the ends, and of each stretch its lowest and its highest."""
    if len(points) <= most:
        return list(points)
    inner = points[1:-1]
    stretches = (most - 2) // 2
    bounds = [round(n * len(inner) / stretches) for n in range(stretches + 1)]
    kept = [points[0]]
    for first, end in pairwise(bounds):
        stretch = inner[first:end]
        ends = {min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])}
        kept += sorted(ends)
    return [*kept, points[-1]]


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers within a range: multiples of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 12) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """A number in few characters: `12k`, `0.034`, `3e-05`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):.3g}{unit}"
    return f"{value:.4g}"


def draw(panel: Panel, number: int) -> str:
    """A figure: heading, picture, and its points for the page's script. Text stands in it escaped."""
    title = escape(panel.title)
    points = thinned([point for point in panel.points if math.isfinite(point[1])])
    if not points:
        return f'<figure><figcaption id="p{number}">{title}</figcaption><p>no figure yet</p></figure>'
    axes = _axes(points, panel.from_zero)
    last, values = points[-1][1], [value for _, value in points]
    about = f"{panel.title}: from {short(min(values))} to {short(max(values))}, the last {short(last)}"
    data = json.dumps({"points": [[step, _exact(value)] for step, value in points], "axes": axes})
    return "\n".join(
        (
            f'<figure><figcaption id="p{number}">{title} <output>{short(last)}</output></figcaption>',
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" tabindex="0" aria-label="{escape(about)}"',
            f"  data-curve='{escape(data)}'>",
            *_grid(axes),
            _line(points, axes),
            *_marks(panel, points, axes),
            '<g class="cursor" visibility="hidden"><line/><circle r="3.5"/></g></svg></figure>',
        )
    )


def _axes(points: Sequence[Point], from_zero: bool) -> Axes:
    """First and last step, lowest and highest value of the picture: all pictures of a run begin with it."""
    values = [value for _, value in points]
    low, high = min(values), max(values)
    low = min(0.0, low) if from_zero else low
    if high - low < 1e-9 * max(1e-9, abs(high)):
        low, high = low - (abs(low) or 1) * 0.1, high + (abs(high) or 1) * 0.1
    return 0.0, max(1.0, points[-1][0]), low, high


def _place(step: float, value: float, axes: Axes) -> tuple[float, float]:
    first, last, low, high = axes
    across = LEFT + (step - first) / (last - first) * (WIDTH - LEFT - RIGHT)
    return across, HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _grid(axes: Axes) -> list[str]:
    first, last, low, high = axes
    lines = []
    for value in ticks(low, high):
        y = _place(first, value, axes)[1]
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{short(value)}</text>')
    whole = [step for step in ticks(first, last) if step == int(step)]
    for step in whole:
        x = _place(step, low, axes)[0]
        lines.append(f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{short(step)}</text>')
    return lines


def _line(points: Sequence[Point], axes: Axes) -> str:
    places = [_place(step, value, axes) for step, value in points]
    if len(places) == 1:
        return f'<circle class="curve" cx="{places[0][0]:.1f}" cy="{places[0][1]:.1f}" r="2.5"/>'
    return f'<path class="curve" d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y in places)}"/>'


def _marks(panel: Panel, points: Sequence[Point], axes: Axes) -> list[str]:
    """The best as a diamond with its word, anything else as a triangle on the axis: shapes, not colours alone."""
    found = []
    for place, words in panel.marks:
        if axes[0] <= place <= axes[1]:
            x, y = _place(float(place), axes[2], axes)
            said = escape(f"step {place}: {words}")
            found.append(f'<path class="mark" d="M{x:.1f} {y - 9:.1f} l5 9 h-10 z"><title>{said}</title></path>')
    for step, value in (point for point in points if point[0] == panel.best):
        x, y = _place(step, value, axes)
        side, anchor = (-8, "end") if x > WIDTH / 2 else (8, "start")
        below = 18 if y < TOP + 16 else -6
        found.append(f'<path class="best" d="M{x:.1f} {y - 5:.1f} l5 5 l-5 5 l-5 -5 z"/>')
        found.append(
            f'<text class="best" x="{x + side:.1f}" y="{y + below:.1f}" text-anchor="{anchor}">'
            f"best: {short(value)}</text>"
        )
    return found


def _exact(value: float) -> float:
    """As many digits as are worth reading."""
    return float(f"{value:.6g}")
