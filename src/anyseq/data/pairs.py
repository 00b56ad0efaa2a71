"""Pairs that a model is judged by: items, and what each output is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from anyseq.core import Item
from anyseq.data.files import read_items, read_lines, read_references
from anyseq.data.lines import display_name
from anyseq.errors import DataError


def pairs(
    source: str | Path | None = None,
    target: str | Path | Sequence[str | Path] = (),
    *,
    data: Any = None,
    read: Callable[[Any], list[Item]] = read_items,
) -> tuple[list[Item], list[list[str]]]:
    """Read items and their references; an item's target is its first reference.

    Args:
        source: A file with a source a line (plain or .gz).
        target: A file with a reference a line; of several each holds one, and so does each column of a .tsv.
        data: Instead of both: one file of pairs, or anything else that `read` takes.
        read: Reads it, as a task does (`Task.read_pairs`).

    Raises:
        DataError: a file cannot be used, or they differ in length.
    """
    if data is not None:
        items = read(data)
        return items, [[str(item.raw["target"])] for item in items]
    if source is None:
        raise ValueError("either source and target are needed, or data")
    targets = [target] if isinstance(target, str | Path) else list(target)
    items = list(read_lines(source))
    references = [list(each) for each in read_references(targets)]
    if len(items) != len(references):
        raise DataError(
            f"{display_name(source)} has {len(items):,} lines, its references have {len(references):,}: they must be "
            "pairs; mend the one that lost or won lines"
        )
    return [
        Item({**item.raw, "target": each[0]}, item.key, item.file, item.line)
        for item, each in zip(items, references, strict=True)
    ], references
