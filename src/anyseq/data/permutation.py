"""Permutations that are computed, not stored, and epochs drawn with them from corpora with weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isqrt

import numpy as np

_ROUNDS = 6


class Permutation:
    """A permutation of 0 to size - 1 that is settled by a key: any place is found without computing another.

    A Feistel network of unlike halves: a place is a pair (left, right) of a rectangle of about `size` places, and in
    turns a hash of the one is added to the other. What falls outside is sent through again.

    Source: Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains" (generalised Feistel, cycle walking).

    Args:
        size: At least 1.
        key: Whole numbers, none negative.
    """

    def __init__(self, size: int, key: Sequence[int]) -> None:
        self.size = size
        self.left = np.uint64(isqrt(size - 1) + 1)
        self.right = np.uint64(-(-size // int(self.left)))
        self._keys = np.random.SeedSequence(tuple(key)).generate_state(_ROUNDS, np.uint64)

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """What stands at some places."""
        found = self._once(places.astype(np.uint64))
        while (outside := np.flatnonzero(found >= self.size)).size:
            found[outside] = self._once(found[outside])
        return found.astype(np.int64)

    def _once(self, places: np.ndarray) -> np.ndarray:
        left, right = np.divmod(places, self.right)
        for number, key in enumerate(self._keys):
            if number % 2:
                right = (right + _mixed(left, key) % self.right) % self.right
            else:
                left = (left + _mixed(right, key) % self.left) % self.left
        return np.asarray(left * self.right + right)


def _mixed(values: np.ndarray, key: np.uint64) -> np.ndarray:
    """A hash of each number (the finaliser of splitmix64)."""
    mixed = values * np.uint64(0x9E3779B97F4A7C15) + key
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


@dataclass(frozen=True)
class Mixture:
    """Several corpora behind each other, and how often an epoch shows the items of each.

    A weight of 2 shows each item twice an epoch; one of 0.5 half of the items, in every epoch others drawn by its key.

    Attributes:
        counts: Items of each.
        weights: Of each; above 0.
    """

    counts: tuple[int, ...]
    weights: tuple[float, ...]

    @cached_property
    def shown(self) -> tuple[int, ...]:
        """Items of each that an epoch shows."""
        pairs = zip(self.counts, self.weights, strict=True)
        return tuple(max(1, round(count * weight)) if count else 0 for count, weight in pairs)

    def rows(self, drawn: np.ndarray, key: Sequence[int]) -> np.ndarray:
        """The items that some of an epoch's places (below the sum of `shown`) stand for."""
        rows = np.empty_like(drawn)
        begins, first = 0, 0
        for number, (count, shown) in enumerate(zip(self.counts, self.shown, strict=True)):
            here = (drawn >= begins) & (drawn < begins + shown)
            if here.any():
                within = (drawn[here] - begins) % count
                rows[here] = first + Permutation(count, (*key, number))(within)
            begins, first = begins + shown, first + count
        return rows
