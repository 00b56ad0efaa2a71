"""Answers to geometric problems against scipy and against all there are; the generator."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from anyseq.core.polygons import area, is_simple, tour_lengths
from anyseq.data.synthetic.geometry import by_incenter, convex_hulls, delaunay, nearest_neighbour_tour, shortest_tours
from anyseq.data.synthetic.points import PointsConfig
from anyseq.errors import UsageError

RANDOM = np.random.default_rng(3)


def test_hulls_are_scipys_by_the_papers_convention() -> None:
    spatial = pytest.importorskip("scipy.spatial")
    counts = RANDOM.integers(3, 30, 300)
    points = RANDOM.random((300, 29, 2))
    for own, count, found in zip(points, counts.tolist(), convex_hulls(points, counts), strict=True):
        corners = (spatial.ConvexHull(own[:count]).vertices + 1).tolist()  # counter-clockwise
        first = corners.index(min(corners))
        assert found == [*corners[first:], *corners[:first], corners[first]]


def test_hulls_of_points_in_line_and_of_equal_ones() -> None:
    grid = np.array([[[1, 1], [2, 0], [0, 0], [1, 0], [2, 2], [0, 2], [2, 0], [1, 2]]], float)
    assert convex_hulls(grid, np.array([8])) == [[2, 5, 6, 3, 2]]
    assert convex_hulls(grid, np.array([4])) == [[1, 3, 2, 1]], "what is beyond the count is not looked at"
    assert convex_hulls(np.ones((1, 4, 2)), np.array([4])) == [[1, 1]]


def test_triangulations_are_ordered_by_incenters() -> None:
    pytest.importorskip("scipy")
    points = np.array([[0, 0], [1, 0.1], [0.1, 1], [1.2, 1.1]])
    assert delaunay(points) == [1, 2, 3, 2, 3, 4]
    assert by_incenter(points, np.array([[1, 2, 3], [0, 1, 2]])).tolist() == [[0, 1, 2], [1, 2, 3]]
    with pytest.raises(UsageError, match="not in line"):
        delaunay(np.array([[0.0, 0], [1, 1], [2, 2]]))


@pytest.mark.parametrize("cities", [2, 3, 4, 7])
def test_tours_are_the_shortest_of_all(cities: int) -> None:
    points = RANDOM.random((20, cities, 2))
    tours = shortest_tours(points)
    every = np.array([(1, *rest) for rest in permutations(range(2, cities + 1))])
    for own, tour in zip(points, tours, strict=True):
        assert tour[0] == 1 and sorted(tour.tolist()) == list(range(1, cities + 1))
        lengths = tour_lengths(np.repeat(own[None], len(every), 0), every)
        assert tour_lengths(own[None], tour[None])[0] == pytest.approx(lengths.min())
        x, y = own[tour - 1].T
        assert (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() >= -1e-12, "counter-clockwise"
    with pytest.raises(UsageError, match="20 cities"):
        shortest_tours(np.zeros((1, 21, 2)))


def test_polygons() -> None:
    square = np.array([[0, 0], [2, 0], [2, 2], [0, 2]], float)
    assert area(square) == area(square[::-1]) == 4
    assert is_simple(square) and is_simple(square[[2, 3, 0, 1]]) and is_simple(square[:3])
    assert not is_simple(square[[0, 2, 1, 3]]) and not is_simple(square[:2])
    assert not is_simple(np.array([[0, 0], [1, 1], [2, 2]], float)), "no area"
    touching = np.array([[0, 0], [4, 0], [4, 4], [2, 0], [0, 4]], float)
    assert not is_simple(touching)
    assert nearest_neighbour_tour(np.array([[0, 0], [3, 0], [1, 0], [2, 0]], float)) == [1, 3, 4, 2]


@pytest.mark.parametrize("problem", ["hull", "tour", "sort"])
def test_epochs_differ_and_are_the_same_whoever_draws(problem: str) -> None:
    config = PointsConfig(problem=problem, least=4, most=7, train=30, dev=5, test=5)
    epochs = config.epochs()
    assert epochs is not None

    def drawn(items: list) -> list[tuple[bytes, str]]:  # type: ignore[type-arg]
        return [(item.raw["source"].tobytes(), item.raw["target"]) for item in items]

    first, second = epochs.items(), epochs.items("train", 1)
    assert drawn(config.generate("train")) == drawn(first) != drawn(second)
    assert [len(item.raw["source"]) for item in first] == [len(item.raw["source"]) for item in second]
    assert {len(item.raw["source"]) for item in first} == {4, 5, 6, 7}
    assert drawn(epochs.items("train", 1)) == drawn(second)
    assert config.model_copy(update={"endless": False}).epochs() is None
    if problem == "hull":
        several = config.model_copy(update={"workers": 2}).epochs()
        assert several is not None
        assert [drawn(several.items("train", epoch)) for epoch in (0, 1, 1)] == [drawn(first), *[drawn(second)] * 2]


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="3 <= least <= most"):
        PointsConfig(problem="hull", least=2)
    with pytest.raises(ValueError, match="20 cities"):
        PointsConfig(problem="tour", least=5, most=30)
    with pytest.raises(ValueError, match="exact=false is for tours"):
        PointsConfig(problem="hull", exact=False)
