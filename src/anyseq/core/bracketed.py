"""Trees in brackets, `(S (NP (DT the) (NN dog)) (VP (VBZ barks)))`, as the moves that write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

NO_TAG = "XX"
"""The tag of a word that has none."""
TOP = "TOP"
"""The label of a root that holds what has no other."""

_TOPS = ("", TOP, "ROOT", "S1")  # roots that say nothing
_TRACE = "-NONE-"
_PARTS = re.compile(r"[()]|[^\s()]+")
_FUNCTION = re.compile(r"[-=|]")


class Move(NamedTuple):
    """One step of writing a tree from left to right.

    Attributes:
        kind: A bracket opens, a word is written, a bracket closes.
        label: Of the bracket; of a word its tag.
        word: The word.
    """

    kind: Literal["open", "word", "close"]
    label: str
    word: str = ""


def split(text: str) -> list[str]:
    """The brackets, labels and words of a text."""
    return _PARTS.findall(text)


def escape(text: str) -> str:
    """A text with its round brackets as trees write those that are words: -LRB-, -RRB-."""
    return text.replace("(", "-LRB-").replace(")", "-RRB-")


def read_tree(text: str | Sequence[str]) -> list[Move]:
    """The moves of one tree, without what no parser is judged by; none where nothing is left, or nothing was given.

    A word stands in a bracket with its tag, `(NN dog)`, or without, `(NP the dog)`; then its tag is `XX`. Traces
    (-NONE-) go, and the brackets they leave empty; labels lose their functions (NP-SBJ=2 is NP); a root that says
    nothing (no label, TOP, ROOT, S1) goes where there is one bracket in it.

    Args:
        text: The tree, as a text or `split`.

    Raises:
        ValueError: it is no tree, or there is something besides.
    """
    moves: list[Move] = []
    opened: list[int] = []  # where in `moves` the open brackets stand
    expects_label, closed = False, False
    for part in split(text) if isinstance(text, str) else text:
        if closed:
            raise ValueError(f"{part!r:.40} stands behind the end of the tree")
        if part == ")":
            if not opened:
                raise ValueError("a bracket closes that none opened")
            _close(moves, opened.pop())
            closed, expects_label = not opened, False
            continue
        if part == "(":
            opened.append(len(moves))
            moves.append(Move("open", ""))
        elif expects_label:
            moves[-1] = Move("open", part)
        elif opened:
            moves.append(Move("word", "", part))
        else:
            raise ValueError(f"{part!r:.40} stands outside of any bracket; a tree begins with (")
        expects_label = part == "("
    if opened:
        raise ValueError(f"{len(opened)} of its brackets are not closed")
    return _without_top([move if move.kind != "word" or move.label else move._replace(label=NO_TAG) for move in moves])


def _close(moves: list[Move], first: int) -> None:
    """The bracket that was opened at `first` is complete: a phrase, a word with its tag, or nothing."""
    label, inside = moves[first].label, moves[first + 1 :]
    if len(inside) == 1 and inside[0].kind == "word" and not inside[0].label and label not in _TOPS:
        moves[first:] = [] if label == _TRACE else [Move("word", label, inside[0].word)]
    elif not inside:
        del moves[first:]
    else:
        label = label if label.startswith("-") else _FUNCTION.split(label)[0]
        moves[first] = Move("open", label)
        moves.append(Move("close", label))


def _without_top(moves: list[Move]) -> list[Move]:
    while len(moves) > 2 and moves[0].label in _TOPS and _is_one(moves[1:-1]):
        moves = moves[1:-1]
    if moves and moves[0].kind == "word":
        return [Move("open", TOP), *moves, Move("close", TOP)]
    if moves and moves[0].label == "":
        return [Move("open", TOP), *moves[1:-1], Move("close", TOP)]
    return moves


def _is_one(moves: Sequence[Move]) -> bool:
    """Whether these are one bracket and what is in it."""
    depth = 0
    for place, move in enumerate(moves, 1):
        depth += (move.kind == "open") - (move.kind == "close")
        if not depth:
            return place == len(moves) and move.kind == "close"
    return False


def write_tree(moves: Iterable[Move]) -> str:
    """The tree in one line: `(S (NP (DT the) (NN dog)) (VP (VBZ barks)))`."""
    pieces: list[str] = []
    for move in moves:
        if move.kind == "close":
            pieces[-1] += ")"
        else:
            pieces.append(f"({move.label}" if move.kind == "open" else f"({move.label} {move.word})")
    return " ".join(pieces)


def words(moves: Iterable[Move]) -> Iterator[str]:
    """The words of a tree."""
    return (move.word for move in moves if move.kind == "word")
