"""What can be measured of polygons and round trips."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int


def tour_lengths(
    points: Float[np.ndarray, "problem point dim"], tours: Int[np.ndarray, "problem point"]
) -> Float[np.ndarray, " problem"]:
    """How long round trips are, back to the first city."""
    order = points[np.arange(len(points))[:, None], tours - 1]
    legs = order - np.roll(order, -1, 1)
    return np.sqrt((legs**2).sum(-1)).sum(1)


def area(outline: Float[np.ndarray, "corner 2"]) -> float:
    """Of a simple polygon; its corners in either direction."""
    x, y = outline[:, 0], outline[:, 1]
    return float(abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2)


def is_simple(outline: Float[np.ndarray, "corner 2"]) -> bool:
    """Whether a polygon of at least three corners has no edges that cross or touch, but neighbours at their corner."""
    corners = len(outline)
    if corners < 3:
        return False
    first, second = np.triu_indices(corners, 1)
    apart = (second - first > 1) & ~((first == 0) & (second == corners - 1))
    first, second = first[apart], second[apart]
    after = np.roll(outline, -1, 0)
    if (_turn(outline, after, np.roll(after, -1, 0)) == 0).any() and area(outline) == 0:
        return False
    return not bool(_cross(outline[first], after[first], outline[second], after[second]).any())


def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> Float[np.ndarray, " place"]:
    """Above 0 where c lies on the left of the way from a to b."""
    sign: np.ndarray = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return sign


def _cross(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> Bool[np.ndarray, " place"]:
    """Whether the stretches from a to b and from c to d have a point in common."""
    crossing = (_turn(a, b, c) * _turn(a, b, d) <= 0) & (_turn(c, d, a) * _turn(c, d, b) <= 0)
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return crossing & (low <= high).all(1)
