"""Files of trees in brackets, one a line or over several lines, as treebanks have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from anyseq.core import Item
from anyseq.core.bracketed import read_tree, split, words, write_tree
from anyseq.data.files import SIDES
from anyseq.data.lines import read_numbered
from anyseq.errors import DataError

_KINDS = (".mrg", ".ptb", ".tree", ".trees", ".parse", ".parsed", ".bracketed", ".txt")


def holds_trees(path: str | Path) -> bool:
    """Whether a file's name says that it holds trees."""
    return str(path).removesuffix(".gz").endswith(_KINDS)


def read_trees(path: str | Path) -> list[Item]:
    """Read trees (plain or .gz): the target is the tree in one line, as `read_tree` cleans it, the source its words.

    A tree ends where its first bracket closes, wherever lines end; an item stands at the line it begins on. One of
    traces alone is empty on both sides.

    Raises:
        DataError: the file is missing, empty, no UTF-8 or damaged; a bracket is not closed or closes nothing, or
            something stands between two trees.
    """
    items = []
    for key, (line, parts) in enumerate(_trees(path)):
        try:
            moves = read_tree(parts)
        except ValueError as fault:
            raise DataError(f"this is no tree: {fault}; mend it", str(path), line) from None
        raw = dict(zip(SIDES, (" ".join(words(moves)), write_tree(moves)), strict=True))
        items.append(Item(raw, key, str(path), line))
    if not items:
        raise DataError("the file has no trees; give one tree a line: (S (NP (DT the) (NN dog)) ...)", str(path))
    return items


def _trees(path: str | Path) -> Iterator[tuple[int, Sequence[str]]]:
    """The parts of each tree, and the line it begins on."""
    parts: list[str] = []
    first, depth = 0, 0
    for number, line in read_numbered(path):
        for part in split(line):
            first = first if parts else number
            depth += (part == "(") - (part == ")")
            parts.append(part)
            if depth <= 0:
                if part != ")" or len(parts) == 1:
                    what = "closes no bracket" if part == ")" else "stands outside of any tree"
                    raise DataError(f"{part!r:.40} {what}; a tree begins with ( and ends with ); mend the line",
                                    str(path), number)  # fmt: skip
                yield first, parts
                parts = []
    if parts:
        raise DataError(
            f"the tree that begins here does not end: {depth} of its brackets are not closed; mend it", str(path), first
        )
