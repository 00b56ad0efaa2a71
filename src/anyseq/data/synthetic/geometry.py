"""Exact answers to small geometric problems, many at a time: convex hulls, Delaunay triangulations, shortest tours.

Points of a problem are [problem, point, 2]; answers count points from 1, as the published files of Pointer Networks do.
"""

from __future__ import annotations

import itertools

import numpy as np
from jaxtyping import Float, Int

from anyseq.errors import MissingExtraError, UsageError

MOST_CITIES = 20
_TABLE_BYTES = 1 << 25  # of the dynamic program for some problems at once
_CHUNK = 4096

Points = Float[np.ndarray, "problem point 2"]


def convex_hulls(points: Points, counts: Int[np.ndarray, " problem"]) -> list[list[int]]:
    """The corners of convex hulls, counter-clockwise from that of the lowest number, which comes again at the end.

    By gift wrapping: from each corner to the point that has no other on its right; of points in line the farthest. What
    lies on an edge is no corner, and of equal points the first is. A single point, or what all lies there, is `1 1`.

    Args:
        points: At least one point each; what stands beyond a problem's count is not looked at.
        counts: Points of each.
    """
    found: list[list[int]] = []
    for first in range(0, len(points), _CHUNK):
        own, many = points[first : first + _CHUNK], counts[first : first + _CHUNK]
        beyond = np.arange(own.shape[1]) >= many[:, None]
        found += _wrapped(np.where(beyond[:, :, None], own[:, :1], own))
    return found


def _wrapped(points: Points) -> list[list[int]]:
    rows, by_point = np.arange(len(points)), np.ascontiguousarray(points.transpose(1, 2, 0))
    # The lowest of the leftmost is a corner.
    leftmost = points[:, :, 0] == points[:, :, 0].min(1, keepdims=True)
    start = np.where(leftmost, points[:, :, 1], np.inf).argmin(1)
    corner, going, steps = start, np.ones(len(points), bool), [start]
    while going.any() and len(steps) <= points.shape[1]:
        corner = _next_corner(by_point, points[rows, corner], corner)
        going = going & (corner != start)
        steps.append(np.where(going, corner, -1))
    corners = np.stack(steps, 1)
    outlines = [[corner for corner in row if corner >= 0] for row in corners.tolist()]
    lowest = [outline.index(min(outline)) for outline in outlines]
    return [
        [corner + 1 for corner in (*outline[at:], *outline[:at], outline[at])]
        for outline, at in zip(outlines, lowest, strict=True)
    ]


def _next_corner(
    by_point: Float[np.ndarray, "point 2 problem"],
    at: Float[np.ndarray, "problem 2"],
    corner: Int[np.ndarray, " problem"],
) -> Int[np.ndarray, " problem"]:
    """The point that has all others on its left, seen from a corner; the corner itself where there is no other."""
    best, dx, dy = corner.copy(), np.zeros(len(at)), np.zeros(len(at))
    for point, (x, y) in enumerate(by_point):
        ox, oy = x - at[:, 0], y - at[:, 1]
        turn = dx * oy - dy * ox
        farther = (turn == 0) & (ox * ox + oy * oy > dx * dx + dy * dy)
        better = (turn < 0) | farther
        best[better] = point
        np.copyto(dx, ox, where=better)
        np.copyto(dy, oy, where=better)
    return best


def delaunay(points: Float[np.ndarray, "point 2"]) -> list[int]:
    """A Delaunay triangulation: the three points of each triangle in increasing order, triangles by their incenters.

    Raises:
        MissingExtraError: scipy is not installed.
        UsageError: there are fewer than three points, or all are in line.
    """
    try:
        from scipy.spatial import Delaunay, QhullError
    except ImportError as error:
        raise MissingExtraError("scipy", "examples") from error
    try:
        triangles = np.sort(Delaunay(points).simplices, 1)
    except (QhullError, ValueError):
        raise UsageError("a triangulation needs three points that are not in line") from None
    return [int(corner) + 1 for corner in by_incenter(points, triangles).flatten()]


def by_incenter(
    points: Float[np.ndarray, "point 2"], triangles: Int[np.ndarray, "triangle 3"]
) -> Int[np.ndarray, "triangle 3"]:
    """Triangles in the order of their incenters, first by x, then by y: corners weighted by the sides opposite them."""
    corners = points[triangles]
    sides = np.linalg.norm(corners[:, [1, 2, 0]] - corners[:, [2, 0, 1]], axis=2)
    centers = (corners * sides[:, :, None]).sum(1) / sides.sum(1, keepdims=True)
    return triangles[np.lexsort((centers[:, 1], centers[:, 0]))]


def shortest_tours(points: Points) -> Int[np.ndarray, "problem point"]:
    """The shortest round trips through all cities, from city 1 on; counter-clockwise.

    By dynamic programming over sets of cities: time and memory grow as 2^n; at 10 cities 0.2 ms each, at 20 two
    seconds. The last step, back to city 1, is not written.

    Raises:
        UsageError: there are more than 20 cities.

    Source:
        Held and Karp 1962, A dynamic programming approach to sequencing problems.
    """
    cities = points.shape[1]
    if cities > MOST_CITIES:
        raise UsageError(f"exact tours go to {MOST_CITIES} cities, not {cities}: give fewer")
    if cities < 3:
        return np.tile(np.arange(1, cities + 1), (len(points), 1))
    at_once = max(1, _TABLE_BYTES // (8 * (cities - 1) << (cities - 1)))
    plan = _Plan(cities - 1)
    parts = [plan.tours(points[first : first + at_once]) for first in range(0, len(points), at_once)]
    return np.concatenate(parts) if parts else np.zeros((0, cities), np.int64)


class _Plan:
    """The order in which sets of cities are filled in: by their size, for each last city together.

    Args:
        others: Cities besides the first.
    """

    def __init__(self, others: int) -> None:
        self.others = others
        masks = np.arange(1 << others)
        sizes = sum((masks >> city) & 1 for city in range(others))
        self.layers = [
            [(city, layer[(layer >> city) & 1 == 1]) for city in range(others)]
            for layer in (masks[sizes == size] for size in range(2, others + 1))
        ]

    def tours(self, points: Points) -> Int[np.ndarray, "problem point"]:
        """The shortest tours of some problems."""
        apart = points[:, :, None] - points[:, None]
        between = np.ascontiguousarray(np.sqrt((apart**2).sum(-1)).transpose(1, 2, 0))  # [city, city, problem]
        home, steps = between[0, 1:], between[1:, 1:]
        # [last city, set, problem]: the shortest way from home through all of the set.
        table = np.full((self.others, 1 << self.others, len(points)), np.inf)
        for city in range(self.others):
            table[city, 1 << city] = home[city]
        for city, masks in itertools.chain.from_iterable(self.layers):
            table[city][masks] = self._best(table, masks ^ (1 << city), steps[:, city])
        return _turned(points, self._read_back(table, home, steps))

    def _best(
        self, table: np.ndarray, masks: Int[np.ndarray, " mask"], step: Float[np.ndarray, "city problem"]
    ) -> Float[np.ndarray, "mask problem"]:
        """The shortest of the ways through a set and one step more."""
        best = table[0][masks] + step[0]
        for before in range(1, self.others):
            np.minimum(best, table[before].take(masks, 0) + step[before], out=best)
        return best

    def _read_back(self, table: np.ndarray, home: np.ndarray, steps: np.ndarray) -> Int[np.ndarray, "problem point"]:
        """The way behind the shortest of all, from its end."""
        problems = np.arange(table.shape[2])
        mask = np.full(len(problems), (1 << self.others) - 1)
        city = (table[:, mask[0]] + home).argmin(0)
        back = [city]
        for _ in range(self.others - 1):
            mask = mask ^ (1 << city)
            city = (table[:, mask, problems] + steps[:, city, problems]).argmin(0)
            back.append(city)
        return np.stack([np.full(len(problems), -1), *back[::-1]], 1) + 2


def _turned(points: Points, tours: Int[np.ndarray, "problem point"]) -> Int[np.ndarray, "problem point"]:
    """Tours counter-clockwise: of both directions always the same, and one that a model can see."""
    x, y = points[np.arange(len(points))[:, None], tours - 1].transpose(2, 0, 1)
    clockwise = (x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(1) < 0
    tours[clockwise, 1:] = tours[clockwise, :0:-1]
    return tours


def nearest_neighbour_tour(points: Float[np.ndarray, "point dim"]) -> list[int]:
    """From city 1 always to the nearest that is left."""
    left = np.ones(len(points), bool)
    tour, left[0] = [0], False
    while left.any():
        distance = ((points - points[tour[-1]]) ** 2).sum(1)
        tour.append(int(np.where(left, distance, np.inf).argmin()))
        left[tour[-1]] = False
    return [city + 1 for city in tour]
