"""Properties that somebody tells of what is read, label by label: as numbers that cells may follow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from anyseq.core import Units
from anyseq.errors import UsageError

UNTOLD = "-"
"""The label of a place that nothing is told of."""
_MOST_LABELS = 20

Told = Mapping[str, Float[np.ndarray, " _"]]
"""Of one item, property by property, a number for each place; nan where nothing is told."""


def spread(labels: Sequence[str], symbols: int, groups: Sequence[Units]) -> list[str] | None:
    """A label for each symbol.

    Args:
        labels: One for each symbol, or for each unit of one of the groups.
        symbols: How many there are, the end not counted.
        groups: Ways in which symbols are put together: characters to words.

    Returns:
        Those of the symbols; nothing is told of one that is part of no unit. None: they are of another number.
    """
    if len(labels) == symbols:
        return list(labels)
    for units in groups:
        if len(labels) == len(units.shown):
            return [labels[of[-1]] if len(of) else UNTOLD for of in units.of[:symbols]]
    return None


def numbers(labels: Mapping[str, Sequence[Sequence[str]]], marks: Collection[str] = ()) -> list[Told]:
    """Labels of several items, as numbers.

    Numbers are taken as they are. Of two different labels the later one in the alphabet is 1, the other 0; of more each
    is a property by itself.

    Args:
        labels: By name, of each item a label for each symbol.
        marks: Names of those that, with a single label, are 1 where it stands and 0 where none does.

    Returns:
        Of each item.

    Raises:
        UsageError: there are too many different ones.
    """
    found: dict[str, list[Float[np.ndarray, " place"]]] = {}
    for name, items in labels.items():
        different = sorted({label for item in items for label in item} - {UNTOLD})
        if name in marks and len(different) == 1:
            different = [UNTOLD, *different]
        for shown, values in _valued(name, different):
            found[shown] = [np.array([values.get(label, np.nan) for label in item]) for item in items]
    count = max(map(len, found.values()), default=0)
    return [{name: items[place] for name, items in found.items()} for place in range(count)]


def _valued(name: str, labels: Sequence[str]) -> Iterator[tuple[str, Mapping[str, float]]]:
    """The properties that labels stand for, and what each label is in them."""
    if all(map(_is_number, labels)):
        yield name, {label: float(label) for label in labels}
    elif len(labels) == 2:
        yield f"{name} ({labels[1]}, not {labels[0]})", {labels[0]: 0.0, labels[1]: 1.0}
    elif len(labels) <= _MOST_LABELS:
        for one in labels:
            yield f"{name}: {one}", {label: float(label == one) for label in labels}
    else:
        raise UsageError(
            f"the property {name!r} has {len(labels)} different labels ({', '.join(labels[:3])}, ...): give numbers, "
            f"or at most {_MOST_LABELS} words"
        )


def _is_number(label: str) -> bool:
    try:
        return bool(np.isfinite(float(label)))
    except ValueError:
        return False


def changes(values: Float[np.ndarray, " place"]) -> Float[np.ndarray, " place"]:
    """1 where a property is told that was not so before, or never told, 0 where it stays, nan where it is untold."""
    found, last = np.full(len(values), np.nan), np.nan
    for place, value in enumerate(values):
        if not np.isnan(value):
            found[place], last = float(value != last), value
    return found
