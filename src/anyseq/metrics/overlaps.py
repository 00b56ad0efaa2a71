"""What every two of many texts have in common, by one product of matrices."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from jaxtyping import Float64

_CELLS = 1 << 24  # of the table that is multiplied at a time: 64 MB


def overlaps(bags: Sequence[Mapping[Hashable, int]]) -> Float64[np.ndarray, "bag bag"]:
    """The clipped matches of every two bags of counts: the sum over their elements of the smaller count.

    The k-th occurrence of an element is a column of its own, 1 in the rows of the bags that have it: the smaller of
    two counts is the product of two rows. So n bags of m elements cost n * m look-ups, and n * n times as many
    multiplications as there are columns.
    """
    columns: dict[tuple[Hashable, int], int] = {}
    places = [
        columns.setdefault((element, occurrence), len(columns))
        for bag in bags
        for element, count in bag.items()
        for occurrence in range(count)
    ]
    column = np.array(places, dtype=np.int64)
    row = np.repeat(np.arange(len(bags)), [sum(bag.values()) for bag in bags])
    common = np.zeros((len(bags), len(bags)))
    width = max(1, _CELLS // len(bags))
    for first in range(0, len(columns), width):
        here = (column >= first) & (column < first + width)
        table = np.zeros((len(bags), min(width, len(columns) - first)), dtype=np.float32)
        table[row[here], column[here] - first] = 1
        common += table @ table.T
    return common
