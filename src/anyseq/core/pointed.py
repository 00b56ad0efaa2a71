"""Points and pointers as text: `x1 y1 x2 y2 ... output 1 4 2 1`, the lines that Pointer Networks were published with.

Elements count from 1. The first part alone is a source, the second alone a target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from anyseq.errors import DataError

BETWEEN = "output"

_SHOWN = 60

Elements = Float64[np.ndarray, "element column"]


def elements_of(raw: Any, columns: int) -> Elements:
    """The elements of a source: numbers one behind the other (up to `output`), or an array with a row each.

    Raises:
        DataError: something is no number, or there are not `columns` of them for each element.
    """
    try:
        numbers = np.array(source_of(raw).split() if isinstance(raw, str) else raw, dtype=np.float64)
    except (ValueError, TypeError):
        raise DataError(f"numbers are expected, with spaces between, here is {_shown(raw)}; mend the line") from None
    if not np.isfinite(numbers).all():
        raise DataError(f"a number that is none or infinite stands here: {_shown(raw)}; mend the line")
    if numbers.ndim > 1 and numbers.shape[1:] != (columns,):
        raise DataError(
            f"an array of the shape {list(numbers.shape)} is given, expected is a row for each element with "
            f"{columns} columns (codec.source.columns)"
        )
    if numbers.size % columns:
        raise DataError(
            f"{numbers.size} numbers do not make elements of {columns} each: mend the line, or set "
            "codec.source.columns"
        )
    return numbers.reshape(-1, columns)


def pointers_of(raw: Any) -> list[int]:
    """The elements that a target names (behind `output`, where a whole line is given), counted from 1.

    Raises:
        DataError: something is no whole number, or below 1.
    """
    named = target_of(raw).split() if isinstance(raw, str) else np.asarray(raw).tolist()
    try:
        found = [int(each) for each in named]
        if any(isinstance(each, float) and each != number for each, number in zip(named, found, strict=True)):
            raise ValueError
    except (ValueError, TypeError, OverflowError):
        raise DataError(f"numbers of elements are expected, such as 1 4 2 1, here is {_shown(raw)}") from None
    if any(each < 1 for each in found):
        raise DataError(f"elements count from 1, here is {min(found)}: {_shown(raw)}; add 1 to all of them")
    return found


def _shown(raw: Any) -> str:
    """What was given, on one line."""
    shown = repr(raw.tolist() if isinstance(raw, np.ndarray) else raw)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def source_of(text: str) -> str:
    """The part of a line before `output`; all of a text that has none."""
    return text.partition(BETWEEN)[0]


def target_of(text: str) -> str:
    """The part of a line behind `output`; all of a text that has none."""
    return text.rpartition(BETWEEN)[2]


def is_line(text: Any) -> bool:
    """Whether a source is given as a line of the published format, with or without an answer."""
    return isinstance(text, str) and BETWEEN in text


def as_numbers(elements: np.ndarray, digits: int = 15) -> str:
    """Elements as text, to so many digits; of 15 every one says what it did."""
    return " ".join(f"{number:.{digits}g}" for number in np.asarray(elements, np.float64).flatten().tolist())


def as_pointers(pointers: Sequence[int]) -> str:
    """Pointers as text."""
    return " ".join(map(str, pointers))


def as_line(source: str, target: str) -> str:
    """A line of the published format."""
    return f"{source.strip()} {BETWEEN} {target}"
