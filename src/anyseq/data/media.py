"""Files that are one item each: pictures, recordings, music; in folders or in a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from anyseq.core import Item
from anyseq.data.files import SIDES, read_items, read_table, read_texts, text_lines
from anyseq.errors import DataError

_HIDDEN = (".",)  # what names begin with


def read_labelled(
    data: Any,
    fields: Sequence[str] = SIDES,
    names_file: Callable[[str], bool] = lambda raw: True,
    *,
    endings: tuple[str, ...],
    no_labels: tuple[str, ...] = _HIDDEN,
) -> list[Item]:
    """Read what a recipe's `data.train` (dev, test) holds, where sources are files or arrays.

    Args:
        data: A folder with a folder for each label; or a table (.tsv .csv .jsonl .txt) of files, as seen from its own
            folder, and their labels; or, from Python, arrays or names of files, and labels.
        fields: The order of a table's columns.
        names_file: Tells names of files from sources that stand in the table themselves.
        endings: Of files that are an item each; what else a folder holds is left alone (`left_alone` tells of it).
        no_labels: What names of folders begin with that are no labels.

    Raises:
        DataError: it cannot be read, or a file is not there; the message names file and line.
    """
    if isinstance(data, str | Path) and Path(data).is_dir():
        return _folders(Path(data), endings, no_labels)

    def read_file(path: str | Path, fields: Sequence[str]) -> list[Item]:
        return [_found(item, Path(path).parent, "source", names_file) for item in read_table(path, fields)]

    return read_items(data, fields, read_file)


def read_alone(data: Any, endings: tuple[str, ...], names_file: Callable[[str], bool]) -> list[Item]:
    """Read what has no label, as items with the one field `target`.

    Args:
        data: A folder of files; one such file; a file of texts, of which some may be names of files as seen from its
            own folder; a list of any of these files; or, from Python, arrays, texts or names.
        endings: Of files that are an item each; what else a folder holds is left alone.
        names_file: Tells names of files from texts.

    Raises:
        DataError: it cannot be read, or a file is not there; the message names file and line.
    """

    def read_file(path: str | Path, fields: Sequence[str]) -> list[Item]:
        if str(path).lower().endswith(endings):
            return [Item({fields[0]: str(path)}, file=str(path))]
        return [_found(item, Path(path).parent, fields[0], names_file) for item in text_lines(path, fields)]

    if isinstance(data, str | Path) and Path(data).is_dir():
        return [Item({"target": file}, key, file) for key, file in enumerate(files_in(Path(data), endings))]
    return read_texts(data, read_file)


def left_alone(
    data: Any, endings: tuple[str, ...], no_labels: tuple[str, ...] = _HIDDEN, advice: str = ""
) -> Iterator[str]:
    """Notes on what `read_labelled` finds in a folder and does not read; with advice on folders that are no labels."""
    if not (isinstance(data, str | Path) and Path(data).is_dir()):
        return
    inner = [each for each in sorted(Path(data).iterdir()) if each.is_dir() and not each.name.startswith(_HIDDEN)]
    labels = [each for each in inner if not each.name.startswith(no_labels)]
    if others := sum(not file.lower().endswith(endings) for label in labels for file in _files(label)):
        yield f"{others:,} files of {data} do not end in {' or '.join(endings)} and are left alone"
    if strange := [each.name for each in inner if each not in labels]:
        yield f"folders of {data} that are no labels are left alone: {', '.join(strange)}{advice}"


def files_in(folder: Path, endings: tuple[str, ...] = ("",)) -> list[str]:
    """The files of a folder with one of these endings, by name; hidden ones are left out.

    Raises:
        DataError: there are none.
    """
    files = _files(folder)
    if not files:
        inner = sorted(each.name for each in folder.iterdir() if each.is_dir())
        hint = f"; there are folders in it, give one of them ({', '.join(inner[:5])})" if inner else ""
        raise DataError(f"there are no files in this folder{hint}", str(folder))
    files = [file for file in files if file.lower().endswith(endings)]
    if not files:
        raise DataError(f"no file of this folder ends in {' or '.join(endings)}", str(folder))
    return files


def _files(folder: Path) -> list[str]:
    return sorted(str(file) for file in folder.iterdir() if file.is_file() and not file.name.startswith(_HIDDEN))


def _folders(folder: Path, endings: tuple[str, ...], no_labels: tuple[str, ...]) -> list[Item]:
    labels = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(no_labels))
    if not labels:
        raise DataError("a folder of data has a folder for each label, with its files; this one has none", str(folder))
    named = [(file, label.name) for label in labels for file in files_in(label, endings)]
    return [Item({"source": file, "target": label}, key, file) for key, (file, label) in enumerate(named)]


def _found(item: Item, home: Path, field: str, names_file: Callable[[str], bool]) -> Item:
    if not names_file(item.raw[field]):
        return item
    path = home / item.raw[field].strip()
    if not path.is_file():
        raise DataError(f"there is no file {path}; names are seen from the table's own folder", item.file, item.line)
    raw: Mapping[str, Any] = {**item.raw, field: str(path)}
    return replace(item, raw=raw)
