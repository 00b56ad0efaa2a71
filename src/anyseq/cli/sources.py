"""What a model is given: lines, or names of files where its sources are pictures, recordings or music."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from anyseq.cli.lines import WINDOW, windows
from anyseq.cli.notices import Notices
from anyseq.core.launch import launch
from anyseq.data.lines import STANDARD_INPUT, read_numbered
from anyseq.errors import DataError, UsageError

if TYPE_CHECKING:
    from anyseq.core import Item
    from anyseq.tasks.base import Task


_TABLES = {".tsv": "\t", ".csv": ",", ".jsonl": "{", ".conll": "", ".conllu": ""}
"""What the first line of a table holds, by how its name ends."""


def is_folder(path: str) -> bool:
    """Whether sources are the files of a folder."""
    return path != STANDARD_INPUT and Path(path).is_dir()


def source_windows(path: str, task: Task) -> Iterable[list[str]]:
    """The lines of a file or of standard input, or the names of a folder's files, a window at a time.

    A file that is a source itself (a picture, a recording, music) is the only one.

    Raises:
        UsageError: a folder is given, and the model reads no files.
        DataError: it cannot be read.
    """
    if task.endings and path.lower().endswith(task.endings):
        return [[path]]
    if not is_folder(path):
        if task.endings and _is_binary(path):
            own = f"a file that is a source itself ends in {' or '.join(task.endings)}"
            raise DataError(f"this is no text with the name of a file a line; {own}", path)
        return windows(path, WINDOW * launch().world)  # processes share a window
    if not task.reads_files:
        raise UsageError(f"{path} is a folder; this model reads lines: give a file, or - for stdin")
    from anyseq.data.media import files_in

    return [files_in(Path(path))]


def warn_of_table(path: str, task: Task, notices: Notices) -> None:
    """Warn where a file's name and its first line say that it holds more than sources: each line is read whole.

    Raises:
        DataError: it cannot be read.
    """
    mark = _TABLES.get(Path(path.removesuffix(".gz")).suffix)
    if mark is None or task.reads_files or not Path(path).is_file():
        return
    _, first = next(iter(read_numbered(path)), (0, ""))
    if mark in first:
        notices.warn(f"{path} looks like a table; each of its lines is read whole, as a source: give the sources alone")


def _is_binary(path: str) -> bool:
    """Whether a file that was given by name, and can be read twice, holds what no text does."""
    if path == STANDARD_INPUT or path.endswith(".gz") or not Path(path).is_file():
        return False
    with Path(path).open("rb") as stream:
        return b"\0" in stream.read(1024)


def readable(task: Task, items: Sequence[Item], notices: Notices) -> list[Item]:
    """The items; where they are files, with nothing in place of one that cannot be read, of which `notices` warns.

    Raises:
        DataError: one cannot be read that is to be gone on from; nothing in its place would be gone on from, too.
    """
    if not task.reads_files:
        return list(items)
    found = []
    for item in items:
        name = item.raw["source"].strip()
        try:
            if name:
                task.encode_source(replace(item, raw={"source": name}))
        except DataError as fault:
            if task.prompted:
                raise DataError(f"line {item.key + 1}: {fault}") from None
            notices.unreadable(f"line {item.key + 1}: {fault}")
            name = ""
        found.append(replace(item, raw={"source": name}))
    return found
