"""Files of columns, a token a line and an empty line between sentences, as CoNLL's shared tasks have them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from anyseq.core import Item
from anyseq.data.files import SIDES
from anyseq.data.lines import read_numbered
from anyseq.errors import DataError

_KINDS = (".conll", ".conllu", ".iob", ".iob2", ".bio", ".txt")


def holds_columns(path: str | Path) -> bool:
    """Whether a file's name says that it holds columns."""
    return str(path).removesuffix(".gz").endswith(_KINDS)


def read_columns(
    path: str | Path, columns: Sequence[int] = (0, -1), *, factors: Sequence[int] = (), separator: str = ""
) -> list[Item]:
    """Read tokens and their tags (plain or .gz), as texts with single spaces between; an item stands at its first line.

    Columns are separated by tabs, where any line of a sentence has one, or by white space.
    Lines that begin with `-DOCSTART-` are no tokens; nor, in files with tabs, are comments: lines that begin with `#`
    and have none. (Between white space `# # O` is a token like any other.)

    In .conllu the token is column 1 and its tag column 3 where the first and the last are asked for; words that several
    tokens make together (`3-4`), and those that are left out (`5.1`), are none.

    Args:
        path: The file.
        columns: Of the token and of the tag, from 0; -1 is the last.
        factors: Further columns, each written behind the token with the separator between.
        separator: Stands between a token and its factors.

    Raises:
        DataError: the file is missing, empty, no UTF-8 or damaged; a line has too few columns, an empty token, or one
            with a space in it.
    """
    if str(path).removesuffix(".gz").endswith(".conllu") and tuple(columns) == (0, -1):
        columns = (1, 3)
    token, tag = columns
    items = []
    for key, (line, rows) in enumerate(_sentences(path, [token, *factors, tag])):
        texts = (" ".join(separator.join(row[:-1]) for row in rows), " ".join(row[-1] for row in rows))
        items.append(Item(dict(zip(SIDES, texts, strict=True)), key, str(path), line))
    if not items:
        raise DataError("the file has no tokens; give one token and its tag a line", str(path))
    return items


_NO_WORD = re.compile(r"\d+[-.]\d+\t")


def _sentences(path: str | Path, columns: Sequence[int]) -> Iterator[tuple[int, list[list[str]]]]:
    block: list[tuple[int, str]] = []
    universal = str(path).removesuffix(".gz").endswith(".conllu")
    for number, line in chain(read_numbered(path), [(0, "")]):
        if line.strip():
            block.append((number, line))
            continue
        tabs = any("\t" in line for _, line in block)
        words = [(at, line) for at, line in block if not (universal and _NO_WORD.match(line))]
        tokens = [(at, line) for at, line in words if not _no_token(line, tabs)]
        if tokens:
            yield tokens[0][0], [_row(line, tabs, columns, str(path), at) for at, line in tokens]
        block = []


def _no_token(line: str, tabs: bool) -> bool:
    return line.startswith("-DOCSTART-") or (tabs and line.startswith("#") and "\t" not in line)


def _row(line: str, tabs: bool, columns: Sequence[int], path: str, number: int) -> list[str]:
    cells = line.split("\t") if tabs else line.split()
    needed = max(column + 1 if column >= 0 else -column for column in columns)
    if len(cells) < (least := max(needed, 2)):
        have = f"{len(cells)} column{'s' * (len(cells) > 1)} where {least} are needed"
        message = f"{have}, a token and its tag: {line!r:.40}; mend the line, or name other columns (data.columns)"
        raise DataError(message, path, number)
    found = [cells[column] for column in columns]
    if not all(found) or any(len(cell.split()) != 1 for cell in found):
        raise DataError(f"a token or tag is empty or has a space in it: {line!r:.40}; mend the line", path, number)
    return found
