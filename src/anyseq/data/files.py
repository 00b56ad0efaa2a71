"""Data from files and from Python, as items that know where they stand."""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from anyseq.core import Item
from anyseq.data.lines import Excerpt, display_name, nearest, read_numbered
from anyseq.errors import DataError

SIDES = ("source", "target")

_MOST_FILES = 1000  # a longer list holds texts, and asking whether each is a file would take longer than reading

Place = tuple[int, Any]
"""A line's number, counted from 1, and what it holds."""


Reader = Callable[[str | Path, Sequence[str]], list[Item]]
"""Reads one file that holds all fields."""


def read_items(data: Any, fields: Sequence[str] = SIDES, read_file: Reader | None = None) -> list[Item]:
    """Read what a recipe's `data.train` (dev, test) holds.

    Args:
        data: One file; or a mapping that gives each field a file (one text a line, plain or .gz) or texts from Python;
            or anything `from_python` takes. A list of texts that all name files stands for these files, read one after
            the other.
        fields: The names each item's `raw` gets.
        read_file: Reads a file that holds all fields; None: `read_table`.

    Raises:
        DataError: it cannot be read; the message names file, line and remedy.
    """
    read_file = read_file or read_table
    if isinstance(data, str | Path):
        return read_file(data, fields)
    if not isinstance(data, Mapping):
        return from_python(data, fields) if (files := _files(data)) is None else _joined(files, fields, read_file)
    if set(data) != set(fields):
        raise DataError(_misnamed(data, fields))
    several = {name: files for name in fields if (files := _files(data[name])) is not None}
    if several:
        listed = {name: several.get(name, [data[name]]) for name in fields}
        if len(set(map(len, listed.values()))) > 1:
            counts = ", ".join(f"{name} has {len(files)}" for name, files in listed.items())
            raise DataError(f"{counts} files, but file n of each must belong together; name as many")
        together = [dict(zip(fields, each, strict=True)) for each in zip(*listed.values(), strict=True)]
        return _joined(together, fields, read_file)
    paths = {name: data[name] for name in fields if isinstance(data[name], str | Path)}
    if len(paths) == len(fields):
        return read_parallel(paths)
    columns = {name: _column(data[name]) for name in fields}
    require_equal({name: len(column) for name, column in columns.items()})
    return from_python(list(zip(*columns.values(), strict=True)), fields)


def _files(data: Any) -> list[str | Path] | None:
    """The files that a list names; None where it holds something else.

    Raises:
        DataError: some of its texts name files and some do not.
    """
    if not isinstance(data, list | tuple) or len(data) > _MOST_FILES:
        return None
    if not all(isinstance(each, str | Path) for each in data):
        return None
    missing = [each for each in data if not _is_file(each)]
    if len(missing) == len(data):
        return None
    if missing:
        raise DataError(f"this is one of {len(data)} files, the others exist; {nearest(Path(missing[0]))}", missing[0])
    return list(data)


def _is_file(text: str | Path) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # too long for a name
        return False


def _joined(parts: Iterable[Any], fields: Sequence[str], read_file: Reader) -> list[Item]:
    items = chain.from_iterable(read_items(part, fields, read_file) for part in parts)
    return [replace(item, key=key) for key, item in enumerate(items)]


def _misnamed(given: Iterable[str], fields: Sequence[str]) -> str:
    """What is wrong with the fields that are given, and which key is meant."""
    lacking = [name for name in fields if name not in given]
    strange = [name for name in given if name not in fields]
    close = {name: difflib.get_close_matches(name, lacking, n=1) for name in strange}
    hints = {name: f", did you mean {near[0]!r}?" if near else "" for name, near in close.items()}
    remedy = "".join(f"; {name!r} is no field{hint}" for name, hint in hints.items())
    if lacking and not strange:
        remedy = f"; add {' and '.join(f'{name}=FILE' for name in lacking)}, as in data.train.{lacking[0]}=FILE"
    return f"data with the fields {_listed(given)} is given, needed are {_listed(fields)}{remedy}"


def read_pairs(source: str | Path, target: str | Path) -> list[Item]:
    """Read parallel text: line n of the one file belongs to line n of the other (plain or .gz).

    Raises:
        DataError: a file is missing, empty, no UTF-8, damaged, or they differ in length.
    """
    return read_parallel({"source": source, "target": target})


def read_parallel(paths: Mapping[str, str | Path]) -> list[Item]:
    """Read one file a field, one text a line; an item is placed by its line in the first file.

    Raises:
        DataError: as `read_pairs`.
    """
    columns = {name: _column(path) for name, path in paths.items()}
    require_equal({str(path): len(columns[name]) for name, path in paths.items()})
    first = next(iter(paths.values()))
    file, rows = str(first), list(zip(*columns.values(), strict=True))
    lines = first.numbers if isinstance(first, Excerpt) else range(1, len(rows) + 1)
    placed = enumerate(zip(lines, rows, strict=True))
    return [Item(dict(zip(paths, row, strict=True)), key, file, line) for key, (line, row) in placed]


def read_table(path: str | Path, fields: Sequence[str] = SIDES) -> list[Item]:
    """Read one file that holds all fields (plain or .gz).

    .jsonl has one object a line, with the fields as texts. .tsv (tabs, no quotes) and .csv (commas, double quotes) have
    the fields as columns in the order of `fields`, or anywhere under a first line that names them. .txt is a .tsv, or
    one text a line where there is one field.

    Raises:
        DataError: the file is missing, empty, no UTF-8, damaged or of another kind; a line lacks a field.
    """
    kind = Path(str(path).removesuffix(".gz")).suffix
    if kind == ".jsonl":
        rows = _json_rows(path, fields)
    elif kind in {".tsv", ".txt", ".csv"}:
        rows = _column_rows(path, fields, kind)
    elif not Path(path).exists():
        raise DataError(f"there is no such file; {nearest(Path(path))}", str(path))
    else:
        raise DataError(
            f"one file with the fields {_listed(fields)} ends in .tsv, .csv, .jsonl or .txt (or these and .gz); "
            "rename it, or give one file a field (data.train.source=FILE data.train.target=FILE)",
            str(path),
        )
    items = [Item(dict(zip(fields, row, strict=True)), key, str(path), line) for key, (line, row) in enumerate(rows)]
    if not items:
        raise DataError("the file is empty; give one with at least one item", str(path))
    return items


def read_lines(path: str | Path) -> Iterator[Item]:
    """Read texts for prediction, one a line, as they come: from a file (plain or .gz) or, for `-`, standard input.

    An item has the one field `source`. Each is given out before the next line is read; an empty input gives none.

    Raises:
        DataError: the file is missing or damaged, or a line is no UTF-8.
    """
    file = display_name(path)
    for line, text in read_numbered(path):
        yield Item({"source": text}, line - 1, file, line)


def text_lines(path: str | Path, fields: Sequence[str]) -> list[Item]:
    """Read a file of texts that stand alone: .jsonl, .tsv and .csv with a field for them, all else with a text a line
    (plain or .gz).

    Raises:
        DataError: it cannot be read.
    """
    if Path(str(path).removesuffix(".gz")).suffix in {".jsonl", ".tsv", ".csv"}:
        return read_table(path, fields)
    return read_parallel(dict.fromkeys(fields, path))


def read_texts(data: Any, read_file: Reader = text_lines) -> list[Item]:
    """Read texts that stand alone, as items with the one field `target`.

    Args:
        data: A file, or a list of files read one after the other; or texts from Python.
        read_file: Reads a file, whose field is `text`.

    Raises:
        DataError: it cannot be read; the message names file, line and remedy.
    """
    items = read_items(data, ["text"], read_file)
    return [replace(item, raw={"target": item.raw["text"]}) for item in items]


def read_references(paths: Sequence[str | Path]) -> list[list[str]]:
    """Read each item's references: a text a line; a .tsv may hold several, separated by tabs, not everywhere as many.

    Args:
        paths: At least one file; the references of several are put side by side. Plain or .gz.

    Raises:
        DataError: as `read_pairs`.
    """
    files = {str(path): _column(path) for path in paths}
    require_equal({path: len(lines) for path, lines in files.items()})
    columns = [[_cells(line) if _is_tsv(path) else [line] for line in lines] for path, lines in files.items()]
    return [[text for cells in row for text in cells] for row in zip(*columns, strict=True)]


def _is_tsv(path: str) -> bool:
    return path.removesuffix(".gz").endswith(".tsv")


def _cells(line: str) -> list[str]:
    """A ragged line's columns; empty ones stand for no reference, unless all are empty."""
    return [cell for cell in line.split("\t") if cell] or [""]


def _column(data: Any) -> list[str]:
    """The texts of a file, one a line, or those given from Python."""
    if not isinstance(data, str | Path):
        return [item.raw["text"] for item in from_python(data, ["text"])]
    texts = [text for _, text in read_numbered(data)]
    if not texts:
        raise DataError("the file is empty; give one with at least one line", str(data))
    return texts


def _json_rows(path: str | Path, fields: Sequence[str]) -> Iterator[Place]:
    for number, line in read_numbered(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as fault:
            raise DataError(f"this line is no JSON ({fault}); each must be one object", str(path), number) from None
        if not isinstance(row, dict):
            raise DataError(f"an object like {_example(fields)} is expected, this is {line:.40}", str(path), number)
        yield number, _row(row, fields, str(path), number)


def _column_rows(path: str | Path, fields: Sequence[str], kind: str) -> Iterator[Place]:
    """Rows of a .tsv, .csv or .txt in the order of `fields`; the first may name them."""
    plain = kind == ".txt" and len(fields) == 1
    places: list[int] | None = None
    width = len(fields)
    for number, cells in csv_rows(path) if kind == ".csv" else _tab_rows(path, split=not plain):
        if places is None:
            if names_columns(cells, fields) and not plain:
                places, width = [cells.index(name) for name in fields], len(cells)
                continue
            places = list(range(width))
        if len(cells) != width:
            raise DataError(_other_width(cells, width, fields, "comma" if kind == ".csv" else "tab"), str(path), number)
        yield number, [cells[place] for place in places]


def _other_width(cells: Sequence[str], width: int, fields: Sequence[str], separator: str) -> str:
    expected = f"expected {width}" + f" with one {separator} between" * (width > 1) + f" ({_listed(fields)})"
    if not any(cells):
        return f"the line is empty, {expected}; take it out"
    further = f", or name all columns in a first line ({_listed(fields)}, ...)" * (len(cells) > len(fields))
    return f"{len(cells)} column{'s' * (len(cells) != 1)}, {expected}; mend the line{further}"


def names_columns(cells: Sequence[str], fields: Sequence[str]) -> bool:
    """Whether the cells of a table's first line are names, all fields among them."""
    return set(fields) <= set(cells)


def _tab_rows(path: str | Path, split: bool) -> Iterator[Place]:
    for number, line in read_numbered(path):
        yield number, line.split("\t") if split else [line]


def csv_rows(path: str | Path) -> Iterator[Place]:
    """Rows of a .csv by the line they begin on; a quoted cell may hold line ends."""
    taken: list[int] = []  # of the row that is being read

    def lines() -> Iterator[str]:
        for number, line in read_numbered(path):
            taken.append(number)
            yield line + "\n"

    try:
        for cells in csv.reader(lines(), strict=True):
            if cells:
                yield taken[0], cells
            taken.clear()
    except csv.Error as fault:
        message = f"this is no CSV ({fault}); mend the line, or use .tsv or .jsonl"
        raise DataError(message, str(path), taken[0]) from None


# Python


@runtime_checkable
class Frame(Protocol):
    """A table with named columns, as pandas has it."""

    def to_dict(self, orient: str) -> Any:
        """Give the rows as dictionaries for the orient "records"."""


def from_python(data: Any, fields: Sequence[str] = SIDES) -> list[Item]:
    """Take data from Python.

    Args:
        data: A DataFrame with the columns `fields`, or an iterable of mappings with these keys, of sequences (tuples,
            rows of an array) in their order, or of texts (or arrays of several dimensions) where there is one field.
        fields: The names each item's `raw` gets.

    Raises:
        DataError: there is no item, or one is not of this form.
    """
    rows = data.to_dict("records") if isinstance(data, Frame) else data
    if not isinstance(rows, Iterable):
        raise DataError(f"items like {_example(fields)} are expected, this is a {type(data).__name__}")
    items = []
    for key, row in enumerate(rows):
        if len(fields) == 1 and (isinstance(row, str) or (isinstance(row, np.ndarray) and row.ndim > 1)):
            row = [row]
        if not isinstance(row, Mapping):
            if isinstance(row, str) or not isinstance(row, Sequence | np.ndarray) or len(row) != len(fields):
                raise DataError(f"item {key}: {row!r:.60} is given, expected is {_example(fields)}")
            row = dict(zip(fields, row, strict=True))
        items.append(Item(dict(zip(fields, _row(row, fields, None, key), strict=True)), key))
    if not items:
        raise DataError("the data are empty; give at least one item")
    return items


def _row(row: Mapping[str, Any], fields: Sequence[str], file: str | None, number: int) -> list[Any]:
    """The fields of a mapping, in order."""
    place, line = (f"item {number}: ", None) if file is None else ("", number)
    for name in fields:
        if name not in row:
            message = f"{place}the field {name!r} is missing; there are {_listed(row)}"
            raise DataError(f"{message}: call them {_listed(fields)}; others are left out", file, line)
    return [_text(row[name], f"{place}the field {name!r}", file, line) for name in fields]


def _text(value: Any, name: str, file: str | None = None, line: int | None = None) -> Any:
    """A text, or an array (or lists of numbers, which become one), of which a codec knows what to make.

    An empty list is an empty text: nothing.
    """
    if isinstance(value, list | tuple):
        value = _array(value) if value else ""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return value
    if not isinstance(value, str):
        raise DataError(f"{name} is {_short(value)}, expected is a text{_or_rows(value)}", file, line)
    return str(value)  # numpy has its own kind of str


def _array(value: Sequence[Any]) -> Any:
    """Lists of numbers as an array; anything else as it is."""
    try:
        found = np.array(value)
    except ValueError:  # of unequal lengths
        return value
    return found if found.dtype.kind in "biuf" else value


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}..."


def _or_rows(value: Any) -> str:
    """What lists have to be like, where one is given; that one number is to be in a list."""
    if isinstance(value, int | float) and value == value:
        return f" or a list, such as [{value}]"
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return f", as in {_short(', '.join(value))}"
    return ", a list of numbers, or a list of rows with as many numbers each" * isinstance(value, list | tuple)


def require_equal(counts: Mapping[str, int]) -> None:
    """Refuse files, of each of which line n belongs together, where their lines are not as many."""
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} has {count:,}" for name, count in counts.items())
        raise DataError(f"{listed} lines, but line n of each must belong together; mend the one that lost or won lines")


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(map(str, names)) or "none"


def _example(fields: Sequence[str]) -> str:
    return json.dumps(dict.fromkeys(fields, "..."))
