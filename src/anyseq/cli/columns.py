"""Texts in columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence


def columns(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> Iterator[str]:
    """Rows of as many cells as lines, each column as wide as its widest.

    Args:
        rows: Cells.
        left: The columns whose cells stand on the left; the others, numbers, on the right.
    """
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        sized = enumerate(zip(row, wide, strict=True))
        yield "  ".join(cell.ljust(size) if at in left else cell.rjust(size) for at, (cell, size) in sized).rstrip()
