"""Word vectors in the three formats, and what is wrong with a file."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import torch

from anyseq.data.vectors import read_vectors
from anyseq.errors import DataError
from tiny_runs import write

WANTED = {"dog": [2, 7], "cat": [3], "zebra": [4], ".": [5]}
GLOVE = ["the 0.5 0.25 -1", "dog 1 2 3", "cat 4e-1 5 6", "dog 7 7 7", ". . . 9 9 9", "New York 0 0 1", ". 0 1 0"]


def read(path: Path, dim: int = 3) -> tuple[dict[int, list[float]], list[str]]:
    found = read_vectors(str(path), WANTED, dim, "set the width")
    return {symbol: vector.tolist() for symbol, vector in found.vectors.items()}, list(found.missing)


def expected() -> tuple[dict[int, list[float]], list[str]]:
    cat = torch.tensor([0.4, 5, 6]).tolist()
    return {2: [1, 2, 3], 7: [1, 2, 3], 3: cat, 5: [0, 1, 0]}, ["zebra"]


def test_glove(tmp_path: Path) -> None:
    """Without a first line; words with spaces inside are none of ours; of two the first counts."""
    assert read(write(tmp_path / "glove.txt", *GLOVE)) == expected()


def test_word2vec_and_fast_text(tmp_path: Path) -> None:
    """With a first line, spaces at the ends of lines, compressed."""
    path = tmp_path / "cc.vec.gz"
    path.write_bytes(gzip.compress("".join(line + " \n" for line in ["7 3", *GLOVE]).encode()))
    assert read(path) == expected()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["dog 1 2 3", "cat 1 2"], r"v.txt:2: a word and 3 numbers are expected, here are 2 numbers; mend the line"),
        (["2 3", "the 1 2 3", "cow 1 2 3 4"], r"v.txt:3: .*, here are 4 numbers"),
        (["dog 1 2 3", "cat 1 x 3"], r"v.txt:2: .*, here are something that is no number"),
        (["dog 1 2 3", "cat 1 nan 3"], r"v.txt:2: .*, here are something that is no number"),
        (["dog 1 2 3", ""], r"v.txt:2: .*, here are 0 numbers"),
        (["dog"], r"v.txt:1: a word and its numbers are expected, with single spaces"),
        (["cow 1 2 3"], r"v.txt: none of the 4 words of the vocabulary has a vector here"),
        (["dog 1 2"], r"v.txt: the vectors are 2 wide, the model's embedding is 3; set the width"),
        (["5 300", "dog 1 2 3"], r"v.txt: the vectors are 300 wide, the model's embedding is 3"),
        ([], r"v.txt: the file is empty; give one with a word"),
    ],
)
def test_what_is_wrong_is_named(lines: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "v.txt", *lines))
    with pytest.raises(DataError, match="there is no such file"):
        read(tmp_path / "w.txt")
