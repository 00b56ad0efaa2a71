"""Files of columns, a token a line and an empty line between sentences, as CoNLL's shared tasks have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from anyseq.core import Item
from anyseq.data.files import SIDES
from anyseq.data.lines import read_numbered
from anyseq.errors import DataError

_KINDS = (".conll", ".conllu", ".iob", ".iob2", ".bio", ".txt")


def holds_columns(path: str | Path) -> bool:
    """Whether a file's name says that it holds columns."""
    return str(path).removesuffix(".gz").endswith(_KINDS)


def read_columns(path: str | Path, columns: Sequence[int] = (0, -1)) -> list[Item]:
    """Read tokens and their tags (plain or .gz), as texts with single spaces between; an item stands at its first line.

    Columns are separated by tabs, where a line has one, or by white space. Lines that begin with `# ` or `-DOCSTART-`
    are no tokens.

    Args:
        path: The file.
        columns: Of the token and of the tag, from 0; -1 is the last.

    Raises:
        DataError: the file is missing, empty, no UTF-8 or damaged; a line has too few columns, an empty token, or one
            with a space in it.
    """
    items = [
        Item(dict(zip(SIDES, map(" ".join, zip(*rows, strict=True)), strict=True)), key, str(path), line)
        for key, (line, rows) in enumerate(_sentences(path, columns))
    ]
    if not items:
        raise DataError("the file has no tokens; give one token and its tag a line", str(path))
    return items


def _sentences(path: str | Path, columns: Sequence[int]) -> Iterator[tuple[int, list[list[str]]]]:
    rows: list[list[str]] = []
    first = 1
    for number, line in read_numbered(path):
        if not line.strip():
            if rows:
                yield first, rows
            rows, first = [], number + 1
        elif not line.startswith(("# ", "-DOCSTART-")):
            first = first if rows else number
            rows.append(_row(line, columns, str(path), number))
    if rows:
        yield first, rows


def _row(line: str, columns: Sequence[int], path: str, number: int) -> list[str]:
    cells = line.split("\t") if "\t" in line else line.split()
    needed = max(column + 1 if column >= 0 else -column for column in columns)
    if len(cells) < max(needed, 2):
        raise DataError(
            f"{len(cells)} column where {max(needed, 2)} are needed, a token and its tag: {line!r:.40}; mend the line, "
            "or name other columns (data.columns)", path, number,
        )  # fmt: skip
    found = [cells[column] for column in columns]
    if not all(found) or any(len(cell.split()) != 1 for cell in found):
        raise DataError(f"a token or tag is empty or has a space in it: {line!r:.40}; mend the line", path, number)
    return found
