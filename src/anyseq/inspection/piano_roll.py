"""Piano rolls as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

_LOWEST = 21
_WIDE, _HIGH = 10, 2.2  # inches


def draw(pieces: Sequence[tuple[int, Float[Tensor, "frame key"]]], total: int, path: Path) -> None:
    """Draw pieces below each other: frames from left to right, keys from low to high, a line at every C.

    Args:
        pieces: How many frames of each were given, which are drawn in grey, and the piece; at least one.
        total: Pieces there are, if more than these.
        path: The file to write.
    """
    sounding = [roll.any(0).nonzero().flatten() for _, roll in pieces]
    keys = [int(key) for each in sounding if len(each) for key in (each[0], each[-1])] or [39, 51]
    low, high = min(keys) - 1, max(keys) + 2
    figure = Figure(figsize=(_WIDE, _HIGH * len(pieces) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (given, roll) in enumerate(pieces):
        axes = figure.add_subplot(len(pieces), 1, place + 1)
        shade = roll.clone()
        shade[:given] *= 0.5
        shown = shade[:, low:high].T.numpy()
        extent = (0, len(roll), low + _LOWEST - 0.5, high + _LOWEST - 0.5)
        axes.imshow(shown, cmap="Greys", vmin=0, vmax=1, aspect="auto", origin="lower", extent=extent)
        octaves = [number for number in range(low + _LOWEST, high + _LOWEST) if number % 12 == 0]
        axes.set_yticks(octaves, labels=[f"C{number // 12 - 1}" for number in octaves])
        axes.grid(axis="y", linewidth=0.4)
        axes.set_xlabel("frame" if place == len(pieces) - 1 else "")
    if total > len(pieces):
        figure.suptitle(f"the first {len(pieces)} of {total}", fontsize="small")
    figure.savefig(path, dpi=120)
