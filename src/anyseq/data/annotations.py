"""What people wrote about lines, in files beside them: labels of each symbol, and which word comes from which."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from anyseq.data.lines import read_numbered
from anyseq.errors import DataError

Links = Sequence[tuple[int, int]]
"""(source, target) places from 0."""
_LINK = re.compile(r"(\d+)-(\d+)")


def read_labels(path: str | Path) -> list[list[str]]:
    """Labels with spaces between, line by line (plain or .gz).

    Raises:
        DataError: the file is missing or damaged, or a line is no UTF-8.
    """
    return [text.split() for _, text in read_numbered(path)]


def read_alignments(path: str | Path) -> list[Links]:
    """Links as Pharaoh's format has them, line by line (plain or .gz): `0-0 2-1`, source first, from 0.

    Raises:
        DataError: the file is missing or damaged, or a line holds something else.
    """
    return [links(text, str(path), number) for number, text in read_numbered(path)]


def links(text: str, file: str | None = None, line: int | None = None) -> Links:
    """The links of one line.

    Args:
        text: Of the line; empty: nothing is linked.
        file, line: Where it stands, for the message.

    Raises:
        DataError: it holds something else.
    """
    found = []
    for part in text.split():
        pair = _LINK.fullmatch(part)
        if pair is None:
            message = f"{part!r:.40} is no link; links are source-target, counted from 0, as in 0-0 2-1"
            raise DataError(message, file, line)
        found.append((int(pair[1]), int(pair[2])))
    return found
