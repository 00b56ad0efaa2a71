"""Properties of a text that a cell may follow: for each place, what is so once it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

_QUOTES = '"“”„«»'
_OPENING, _CLOSING = "([{", ")]}"

Property = Callable[[Sequence[str]], list[float]]
"""From what stands at each place to a number for each; 0 and 1 where it is so or not."""


def _inside_quotes(places: Sequence[str]) -> list[float]:
    count, found = 0, []
    for place in places:
        count += sum(place.count(quote) for quote in _QUOTES)
        found.append(float(count % 2))
    return found


def _bracket_depth(places: Sequence[str]) -> list[float]:
    depth, found = 0, []
    for place in places:
        for character in place:
            depth = max(0, depth + (character in _OPENING) - (character in _CLOSING))
        found.append(float(depth))
    return found


def _since(ends: str) -> Property:
    """Characters since the last of some."""

    def count(places: Sequence[str]) -> list[float]:
        length, found = 0, []
        for place in places:
            for character in place:
                length = 0 if character in ends else length + 1
            found.append(float(length))
        return found

    return count


def _each(test: Callable[[str], bool]) -> Property:
    return lambda places: [float(test(place)) for place in places]


def _line_length(places: Sequence[str]) -> list[float]:
    """Of texts of several lines."""
    return _since("\n")(places) if any("\n" in place for place in places) else [0.0] * len(places)


PROPERTIES: Mapping[str, Property] = {
    "position in the text": lambda places: [float(place) for place in range(len(places))],
    "length of the line so far": _line_length,
    "length of the word so far": _since(" \n\t"),
    "inside quotes": _inside_quotes,
    "inside brackets": lambda places: [float(depth > 0) for depth in _bracket_depth(places)],
    "brackets open": _bracket_depth,
    "a space": _each(lambda place: bool(place) and place.isspace()),
    "a digit": _each(lambda place: any(character.isdigit() for character in place)),
    "a capital letter": _each(lambda place: any(character.isupper() for character in place)),
    "punctuation": _each(lambda place: bool(place) and not any(c.isalnum() or c.isspace() for c in place)),
}
"""By what they are called."""


def ranks(values: Float[np.ndarray, "place cell"]) -> Float[np.ndarray, "place cell"]:
    """The rank of each value in its column, from 1; equal ones share the mean of theirs."""
    table = np.empty(values.shape)
    for cell, column in enumerate(values.T):
        _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
        last = counts.cumsum()
        table[:, cell] = (last - (counts - 1) / 2)[inverse]
    return table


def areas(ranked: Float[np.ndarray, "place cell"], wanted: Float[np.ndarray, " place"]) -> Float[np.ndarray, " cell"]:
    """How closely each cell follows a property that is so or not: the area under the ROC curve.

    Args:
        ranked: The cells' values, as `ranks` gives them.
        wanted: The property at the same places, 1 or 0.

    Returns:
        The chance that a place where it is so has the larger value, in [0, 1], 0.5 by chance; nan where the property
        is always the same.
    """
    positive = wanted == 1
    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return np.full(ranked.shape[1], np.nan)
    return (ranked[positive].sum(0) - count * (count + 1) / 2) / (count * others)


def correlations(
    ranked: Float[np.ndarray, "place cell"], wanted: Float[np.ndarray, " place"]
) -> Float[np.ndarray, " cell"]:
    """How closely each cell follows a number: Spearman's rank correlation.

    Args:
        ranked: The cells' values, as `ranks` gives them.
        wanted: The number at the same places.

    Returns:
        In [-1, 1], 0 by chance; nan where the number, or the cell, is always the same.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        own = ranks(wanted[:, None])[:, 0]
        own, theirs = own - own.mean(), ranked - ranked.mean(0)
        return own @ theirs / np.sqrt((own**2).sum() * (theirs**2).sum(0))
