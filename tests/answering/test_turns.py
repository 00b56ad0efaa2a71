"""Files of conversations."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from anyseq.data.turns import join_turns, read_turns, split_turns
from anyseq.errors import DataError
from tiny_runs import write

LINES = ("Hi!", "Hello.", " I  am Bo. ", "Hello, Bo.", "", "", "Who are you?", "A model.", "  ", "x", "y", "z")


def pairs(path: Path, most: int, **options: str) -> list[tuple[str, str, int | None]]:
    return [(item.raw["source"], item.raw["target"], item.line) for item in read_turns(path, most, **options)]  # type: ignore[arg-type]


def test_a_reply_and_what_was_said_before(tmp_path: Path) -> None:
    path = write(tmp_path / "talk.txt", *LINES)
    assert pairs(path, 2) == [
        ("Hi!", "Hello.", 2), ("Hello. | I am Bo.", "Hello, Bo.", 4), ("Who are you?", "A model.", 8), ("x", "y", 11),
    ]  # fmt: skip
    assert [place for *_, place in pairs(path, 9, replies="all")] == [2, 3, 4, 8, 11, 12]
    assert pairs(path, 9, replies="all")[2][0] == "Hi! | Hello. | I am Bo."
    zipped = tmp_path / "talk.txt.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert pairs(zipped, 2) == pairs(path, 2)


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        (("a", "b", "", "alone", "", "c", "d"), 4, "one turn, 'alone', to which nobody replies"),
        (("a", "b\tc"), 2, "a tab in this turn.*ends in .tsv"),
        (("a", "b", "a | b"), 3, r"'\|' in this turn.*write another sign"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, lines: tuple[str, ...], line: int, message: str) -> None:
    path = write(tmp_path / "talk.txt", *lines)
    with pytest.raises(DataError, match=rf"talk.txt:{line}: .*{message}"):
        read_turns(path, 3)


def test_a_file_without_turns(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no turns; give one a line"):
        read_turns(write(tmp_path / "talk.txt", "", " "), 3)


def test_turns_joined_and_split() -> None:
    assert join_turns(["a", " b  c ", "d|e"], 2) == "b c | d e" and split_turns("b c | d e") == ["b c", "d e"]
    assert split_turns(join_turns(["a"], 5)) == ["a"]
