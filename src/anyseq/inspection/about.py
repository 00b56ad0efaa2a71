"""The data a model was looked at with, and the model: coverage, lengths, padding, parameters and cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anyseq.core import Model
from anyseq.inspection.errors import Group
from anyseq.inspection.parts import parts_of

_BARS = 12
_MOST_UNKNOWN = 20


@dataclass(frozen=True)
class Side:
    """One side of the items.

    Attributes:
        name: `source` or `target`.
        mean, longest: Of the lengths in places, the end included.
        lengths: How many items are of which length.
        covered: The share of items without anything unknown; None: nobody can tell.
        unknown: What has no symbol, and in how many items, the most frequent first.
    """

    name: str
    mean: float
    longest: int
    lengths: tuple[Group, ...]
    covered: float | None
    unknown: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Size:
    """A part of the model: its parameters, and the multiplications with weights at each place it reads or writes."""

    name: str
    parameters: int
    products: int


@dataclass(frozen=True)
class About:
    """The data and the model.

    Attributes:
        count: Items.
        sides: What they hold.
        padding: The share of places that hold nothing when items of like length are put into batches.
        parts: Of the model.
    """

    count: int
    sides: tuple[Side, ...]
    padding: float
    parts: tuple[Size, ...]


def side(name: str, lengths: Sequence[int], unknown: Sequence[Sequence[str]] | None) -> Side:
    """Count one side.

    Args:
        name: Which.
        lengths: Of each item; at least one.
        unknown: What each item holds that has no symbol; None: nobody can tell.
    """
    counts = None if unknown is None else Counter(part for each in unknown for part in dict.fromkeys(each))
    return Side(
        name,
        float(np.mean(lengths)),
        max(lengths),
        histogram(lengths),
        None if unknown is None else sum(not each for each in unknown) / len(unknown),
        () if counts is None else tuple(counts.most_common(_MOST_UNKNOWN)),
    )


def histogram(lengths: Sequence[int]) -> tuple[Group, ...]:
    """How many are of which length, in a dozen groups of equal width at most; the value is the share."""
    low, high = min(lengths), max(lengths)
    wide = -(-(high - low + 1) // _BARS)
    found = Counter((length - low) // wide for length in lengths)
    return tuple(
        Group(float(low + at * wide), float(low + (at + 1) * wide - 1), found[at], found[at] / len(lengths))
        for at in range((high - low) // wide + 1)
    )


def sizes(model: Model) -> tuple[Size, ...]:
    """The parts of a model, as `anyseq info` says them."""
    return tuple(Size(part.name, part.parameters, part.products) for part in parts_of(model))
