"""Labelled files: pictures and recordings, in folders or in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from anyseq.core import Item
from anyseq.data.files import SIDES, read_items, read_table
from anyseq.errors import DataError


def read_labelled(data: Any, fields: Sequence[str] = SIDES) -> list[Item]:
    """Read what a recipe's `data.train` (dev, test) holds, where sources are files or arrays.

    Args:
        data: A folder with a folder for each label; or a table (.tsv .csv .jsonl .txt) of files, as seen from its own
            folder, and their labels; or, from Python, arrays or names of files, and labels.
        fields: The order of a table's columns.

    Raises:
        DataError: it cannot be read, or a file is not there; the message names file and line.
    """
    if isinstance(data, str | Path) and Path(data).is_dir():
        return _folders(Path(data))

    def read_file(path: str | Path, fields: Sequence[str]) -> list[Item]:
        return [_found(item, Path(path).parent) for item in read_table(path, fields)]

    return read_items(data, fields, read_file)


def files_in(folder: Path) -> list[str]:
    """The files of a folder, by name; hidden ones are left out.

    Raises:
        DataError: there are none.
    """
    files = sorted(str(file) for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        inner = sorted(each.name for each in folder.iterdir() if each.is_dir())
        hint = f"; there are folders in it, give one of them ({', '.join(inner[:5])})" if inner else ""
        raise DataError(f"there are no files in this folder{hint}", str(folder))
    return files


def _folders(folder: Path) -> list[Item]:
    labels = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    if not labels:
        raise DataError("a folder of data has a folder for each label, with its files; this one has none", str(folder))
    named = [(file, label.name) for label in labels for file in files_in(label)]
    return [Item({"source": file, "target": label}, key, file) for key, (file, label) in enumerate(named)]


def _found(item: Item, home: Path) -> Item:
    path = home / item.raw["source"]
    if not path.is_file():
        raise DataError(f"there is no file {path}; names are seen from the table's own folder", item.file, item.line)
    raw: Mapping[str, Any] = {**item.raw, "source": str(path)}
    return replace(item, raw=raw)
