"""Conversations: files of turns, one a line, and a reply with the turns before it as a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

from anyseq.core import Item
from anyseq.data.files import SIDES
from anyseq.data.lines import read_numbered
from anyseq.errors import DataError

SEPARATOR = "|"
"""Stands between the turns of a source, a space on either side."""

Replies = Literal["second", "all"]
"""Which turns are learnt: each second one, what the other party says; or all but the first of a conversation."""


def holds_turns(path: str | Path) -> bool:
    """Whether a file's name says that it holds turns."""
    return str(path).removesuffix(".gz").endswith(".txt")


def join_turns(turns: Sequence[str], most: int) -> str:
    """The source of what follows some turns: the last of them. A separator inside a turn becomes a space."""
    return f" {SEPARATOR} ".join(" ".join(turn.replace(SEPARATOR, " ").split()) for turn in turns[-most:])


def split_turns(source: str) -> list[str]:
    """The turns of a source."""
    return [turn.strip() for turn in source.split(SEPARATOR)]


def read_turns(path: str | Path, most: int, replies: Replies = "second") -> list[Item]:
    """Read conversations (plain or .gz): a turn a line, empty lines between; an item stands where its reply does.

    Args:
        path: The file.
        most: Turns of a source.
        replies: Which turns become targets.

    Raises:
        DataError: the file is missing, empty, no UTF-8 or damaged; a turn has a tab or a separator in it; a
            conversation has one turn, which nobody replies to.
    """
    items: list[Item] = []
    for talk in _conversations(path):
        if len(talk) == 1:
            raise DataError(
                f"a conversation of one turn, {talk[0][1]!r:.40}, to which nobody replies; empty lines stand between "
                "conversations alone: mend the lines", str(path), talk[0][0],
            )  # fmt: skip
        turns = [turn for _, turn in talk]
        for place in range(1, len(talk), 2 if replies == "second" else 1):
            raw = dict(zip(SIDES, (join_turns(turns[:place], most), turns[place]), strict=True))
            items.append(Item(raw, len(items), str(path), talk[place][0]))
    if not items:
        raise DataError("the file has no turns; give one a line, and an empty line between conversations", str(path))
    return items


def _conversations(path: str | Path) -> Iterator[list[tuple[int, str]]]:
    talk: list[tuple[int, str]] = []
    for number, line in chain(read_numbered(path), [(0, "")]):
        if line.strip():
            talk.append((number, _turn(line, path, number)))
        elif talk:
            yield talk
            talk = []


def _turn(line: str, path: str | Path, number: int) -> str:
    for sign, name, remedy in (
        ("\t", "a tab", "a table of turns and replies ends in .tsv: rename the file, or leave the tab out"),
        (SEPARATOR, repr(SEPARATOR), "it stands between the turns of a source: write another sign"),
    ):
        if sign in line:
            raise DataError(f"there is {name} in this turn: {line!r:.60}; {remedy}", str(path), number)
    return line.strip()
