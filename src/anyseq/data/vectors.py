"""Word vectors as word2vec, GloVe and fastText write them: a word and its numbers a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from anyseq.data.lines import read_numbered
from anyseq.errors import DataError


@dataclass(frozen=True)
class WordVectors:
    """What a file of vectors has for a vocabulary.

    Attributes:
        vectors: By symbol; a part's text may belong to several symbols.
        missing: Texts that have none, in the order they were asked for.
    """

    vectors: Mapping[int, Float[Tensor, " dim"]]
    missing: Sequence[str]


def read_vectors(path: str, wanted: Mapping[str, Sequence[int]], dim: int, advice: str) -> WordVectors:
    """Read the vectors of some words, line by line; of all others nothing is kept.

    A word2vec or fastText file begins with a line of two numbers, how many words and how wide; GloVe's does not. Of a
    word that stands there twice the first counts. A word with spaces inside is none of ours.

    Args:
        path: Plain or .gz.
        wanted: Symbols by their text.
        dim: Width the model needs.
        advice: How to give the model another width, for the message.

    Raises:
        DataError: the vectors are of another width, a line is broken, or the file has none of the words.
    """
    lines = read_numbered(path)
    width, lines = _width(lines, path)
    if width != dim:
        raise DataError(f"the vectors are {width} wide, the model's embedding is {dim}; {advice}", path)
    vectors: dict[int, Tensor] = {}
    found: set[str] = set()
    for number, line in lines:
        line = line.rstrip(" ")
        word = line[: line.find(" ")]
        columns = line.count(" ")
        if columns == width and (word not in wanted or word in found):
            continue
        fields = line.split(" ")
        if columns > width and _numbers(fields[1:]) is None:
            continue
        if columns != width or (vector := _numbers(fields[1:])) is None:
            what = f"{columns} numbers" if columns != width else "something that is no number"
            raise DataError(f"a word and {width} numbers are expected, here are {what}; mend the line", path, number)
        found.add(word)
        vectors.update(dict.fromkeys(wanted[word], torch.from_numpy(vector)))
    missing = [text for text in wanted if text not in found]
    if not vectors:
        raise DataError(
            f"none of the {len(wanted):,} words of the vocabulary has a vector here; is it another language, or case?",
            path,
        )
    return WordVectors(vectors, missing)


def _width(lines: Iterator[tuple[int, str]], path: str) -> tuple[int, Iterator[tuple[int, str]]]:
    """How wide the file's vectors are, and its lines without a first one that only says so."""
    first = next(lines, None)
    if first is None:
        raise DataError("the file is empty; give one with a word and its numbers a line", path)
    fields = first[1].rstrip(" ").split(" ")
    if len(fields) == 2 and all(field.isdecimal() for field in fields):
        return int(fields[1]), lines
    if len(fields) < 2:
        raise DataError(
            "a word and its numbers are expected, with single spaces between; mend the line", path, first[0]
        )
    return len(fields) - 1, chain([first], lines)


def _numbers(fields: Sequence[str]) -> np.ndarray | None:
    """Finite numbers, or nothing."""
    try:
        vector = np.array(fields, dtype=np.float32)
    except ValueError:
        return None
    return vector if len(vector) and bool(np.isfinite(vector).all()) else None
