"""Files of points and pointers, as Pointer Networks were published with: `x1 y1 x2 y2 ... output 1 4 2 1` a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anyseq.core import Item
from anyseq.core.pointed import BETWEEN
from anyseq.data.files import SIDES, read_table
from anyseq.data.lines import read_numbered
from anyseq.errors import DataError


def read_points(path: str | Path, fields: Sequence[str] = SIDES) -> list[Item]:
    """Read a file of sources and targets: .txt (plain or .gz) as published, all else as a table of two columns.

    Raises:
        DataError: it cannot be read, or a line has no `output`.
    """
    if Path(str(path).removesuffix(".gz")).suffix != ".txt":
        return read_table(path, fields)
    items: list[Item] = []
    for number, line in read_numbered(path):
        if not line.strip():
            continue
        source, between, target = line.partition(BETWEEN)
        if not between:
            message = f"`x1 y1 x2 y2 ... {BETWEEN} 1 4 2 1` is expected, here is {line!r:.60}; mend the line"
            raise DataError(message, str(path), number)
        raw = dict(zip(SIDES, (source.strip(), target.strip()), strict=True))
        items.append(Item(raw, len(items), str(path), number))
    if not items:
        raise DataError("the file is empty; give one with at least one line", str(path))
    return items
