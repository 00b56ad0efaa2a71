"""The confusion matrix: which label was given for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

_MOST = 30
_OTHERS = "(others)"


def confusion(
    wanted: Sequence[str], given: Sequence[str], most: int = _MOST
) -> tuple[list[str], Int[np.ndarray, "label label"]]:
    """Count how often each label was given for each.

    Args:
        wanted, given: Labels of the same places, at least one.
        most: Labels told apart, the most frequent of both sides; the rest are one.

    Returns:
        The labels in the order of the alphabet (the rest last), and the counts: rows are wanted, columns given ones.
    """
    counts = Counter([*wanted, *given])
    kept = {label for label, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]}
    labels = sorted(kept) + ([_OTHERS] if len(counts) > len(kept) else [])
    place = {label: number for number, label in enumerate(labels)}
    table = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for one, other in zip(wanted, given, strict=True):
        table[place.get(one, len(labels) - 1), place.get(other, len(labels) - 1)] += 1
    return labels, table


def plot_confusion(wanted: Sequence[str], given: Sequence[str], path: Path) -> None:
    """Draw the matrix: colour says what share of a row a cell holds, the number how many."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    labels, table = confusion(wanted, given)
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    size = 2.5 + 0.35 * len(labels)
    figure = Figure(figsize=(size + 0.6, size), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    drawn = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=90)
    axes.set_yticks(ticks, labels)
    axes.set_xlabel("given")
    axes.set_ylabel("wanted")
    right, count = sum(map(str.__eq__, wanted, given)), len(wanted)  # not the diagonal: others are taken for others
    axes.set_title(f"{right:,} of {count:,} right ({right / count:.1%})")
    for row in ticks:
        for column in ticks:
            if table[row, column]:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, f"{table[row, column]}", ha="center", va="center", color=colour, fontsize=7)
    figure.colorbar(drawn, ax=axes, label="share of the row", shrink=0.8)
    figure.savefig(path)
