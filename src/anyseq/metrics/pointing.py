"""How good pointers into points are: outlines, triangulations, round trips, orders.

An output is `1 4 2 1`, or a whole line `x1 y1 ... output 1 4 2 1`; a reference always is such a line (`core.pointed`).
Of several references the first counts.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from anyseq.core.pointed import BETWEEN, elements_of, pointers_of
from anyseq.core.polygons import area, is_simple, tour_lengths
from anyseq.errors import DataError
from anyseq.metrics.base import Metric, MetricConfig, check_items, own_signature

_MOST_NOT_SIMPLE = 0.01


@dataclass(frozen=True)
class _Wanted:
    """A reference.

    Attributes:
        points: What is pointed into.
        pointers: The answer, counted from 1.
    """

    points: Float64[np.ndarray, "point column"]
    pointers: tuple[int, ...]

    def at(self, pointers: Sequence[int]) -> Float64[np.ndarray, "pointer column"]:
        """What some pointers point at."""
        return self.points[np.array(pointers, np.int64) - 1]


@lru_cache(1 << 15)  # learning from reward asks for each many times
def _wanted(reference: str, columns: int) -> _Wanted:
    if BETWEEN not in reference:
        raise DataError(
            f"a reference is a line `x1 y1 x2 y2 ... {BETWEEN} 1 4 2 1`, here is {reference!r:.60}; this metric is for "
            "task: point"
        )
    found = _Wanted(elements_of(reference, columns), tuple(pointers_of(reference)))
    if max(found.pointers, default=0) > len(found.points):
        over = f"element {max(found.pointers)} of {len(found.points)}"
        raise DataError(f"a reference points at {over}: {reference!r:.60}; mend it")
    return found


class PointingMetric(Metric):
    """A sum over items of what is right in each, by what there is.

    Args:
        name: As figures are called.
        columns: Numbers of a point.
    """

    higher_is_better = True
    how: ClassVar[str]

    def __init__(self, name: str, columns: int = 2) -> None:
        self.name, self.columns = name, columns

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        """Those of each item."""
        check_items(outputs, references)
        pairs = zip(outputs, references, strict=True)
        return [self.compared(_pointers(output), _wanted(given[0], self.columns)) for output, given in pairs]

    @abstractmethod
    def compared(self, pointers: Sequence[int], wanted: _Wanted) -> list[float]:
        """The statistics of one output."""

    def combine(self, totals: Sequence[float]) -> float:
        """Percent: of two sums, the first by the second."""
        return 100 * totals[0] / totals[1] if totals[1] else 0.0

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """References, how, version."""
        return own_signature(references, {"by": self.how})


def _pointers(output: str) -> list[int]:
    """What an output names; nothing, where it is no list of elements."""
    try:
        return pointers_of(output)
    except DataError:
        return []


class PointersRight(PointingMetric):
    """The percentage of outputs that name the right elements in the right order."""

    how = "all elements in order"

    def compared(self, pointers: Sequence[int], wanted: _Wanted) -> list[float]:
        """[right, 1]."""
        return [float(tuple(pointers) == wanted.pointers), 1.0]


def _opened(pointers: Sequence[int]) -> list[int]:
    """Without the first where it comes again at the end."""
    closed = len(pointers) > 1 and pointers[0] == pointers[-1]
    return list(pointers[:-1] if closed else pointers)


class OutlineRight(PointingMetric):
    """The percentage of outputs that are the right polygon, from whichever corner on.

    Source:
        Vinyals et al. 2015, arXiv:1506.03134, section 4.2, accuracy.
    """

    how = "same corners in order, any first"

    def compared(self, pointers: Sequence[int], wanted: _Wanted) -> list[float]:
        """[right, 1]."""
        found, right = _opened(pointers), _opened(wanted.pointers)
        closed = len(pointers) > len(found) or len(found) < 2
        turned = found[found.index(right[0]) :] + found[: found.index(right[0])] if right[0] in found else []
        return [float(closed and turned == right), 1.0]


class OutlineSimple(PointingMetric):
    """The percentage of outputs that are simple polygons: at least three corners, no two edges that meet elsewhere."""

    how = "simple polygons"

    def compared(self, pointers: Sequence[int], wanted: _Wanted) -> list[float]:
        """[simple, 1]."""
        return [float(_outline(pointers, wanted) is not None), 1.0]


class OutlineArea(PointingMetric):
    """The area covered: that of an output by that of the reference, in percent, on average over simple polygons.

    Where more than 1 % of the outputs are none it is 0, which stands for the paper's FAIL.

    Source:
        Vinyals et al. 2015, arXiv:1506.03134, section 4.2, area coverage.
    """

    how = "mean over simple polygons; 0: more than 1 % are none (FAIL)"

    def compared(self, pointers: Sequence[int], wanted: _Wanted) -> list[float]:
        """[share of the area, simple, 1]."""
        outline, right = _outline(pointers, wanted), area(wanted.at(_opened(wanted.pointers)))
        share = 0.0 if outline is None or not right else area(outline) / right
        return [share, float(outline is not None), 1.0]

    def combine(self, totals: Sequence[float]) -> float:
        """Percent; 0 for FAIL."""
        share, simple, count = totals
        return 100 * share / simple if simple >= (1 - _MOST_NOT_SIMPLE) * count and simple else 0.0


def _outline(pointers: Sequence[int], wanted: _Wanted) -> np.ndarray | None:
    """The corners of a simple polygon; None: it is none."""
    corners = _opened(pointers)
    if not 0 < max(corners, default=0) <= len(wanted.points) or len(set(corners)) < len(corners):
        return None
    outline = wanted.at(corners)
    return outline if is_simple(outline) else None


def _triangles(pointers: Sequence[int]) -> set[tuple[int, ...]]:
    """Sets of three corners; what is left over at the end is none."""
    return {tuple(sorted(pointers[at : at + 3])) for at in range(0, len(pointers) // 3 * 3, 3)}


class TrianglesRight(PointingMetric):
    """The percentage of outputs that are the right set of triangles, in any order.

    Source:
        Vinyals et al. 2015, arXiv:1506.03134, section 4.3, accuracy.
    """

    how = "same set of triangles"

    def compared(self, pointers: Sequence[int], wanted: _Wanted) -> list[float]:
        """[right, 1]."""
        return [float(_triangles(pointers) == _triangles(wanted.pointers) and len(pointers) % 3 == 0), 1.0]


class TrianglesCovered(PointingMetric):
    """The percentage of the references' triangles that outputs have.

    Source:
        Vinyals et al. 2015, arXiv:1506.03134, section 4.3, triangle coverage.
    """

    how = "triangles of the references that are found"

    def compared(self, pointers: Sequence[int], wanted: _Wanted) -> list[float]:
        """[found, all]."""
        right = _triangles(wanted.pointers)
        return [float(len(right & _triangles(pointers))), float(len(right))]


class TourMetric(PointingMetric):
    """Round trips: their lengths, the references' lengths, and whether they go through every city once.

    What is no round trip is made one: cities that come again are left out, those that lack come at the end.
    """

    higher_is_better = False
    how = "mended tours"

    def compared(self, pointers: Sequence[int], wanted: _Wanted) -> list[float]:
        """[length, length of the reference, valid, 1]."""
        cities = len(wanted.points)
        tour = _opened(pointers)
        valid = sorted(tour) == list(range(1, cities + 1))
        mended = list(dict.fromkeys(city for city in (*tour, *range(1, cities + 1)) if 1 <= city <= cities))
        right = _opened(wanted.pointers)
        found, shortest = (float(_length(wanted.points, each)) if each else 0.0 for each in (mended, right))
        return [found, shortest, float(valid), 1.0]


def _length(points: np.ndarray, tour: Sequence[int]) -> float:
    return float(tour_lengths(points[None], np.array([tour], np.int64))[0])


class TourGap(TourMetric):
    """By how many percent tours are longer than the references, all together."""

    how = "sum of lengths by the references', less 1; mended"

    def combine(self, totals: Sequence[float]) -> float:
        """Percent above the references."""
        return 100 * (totals[0] / totals[1] - 1) if totals[1] else 0.0


class TourLength(TourMetric):
    """The mean length of tours, in units of the points: no percentage."""

    how = "mean length; mended"

    def combine(self, totals: Sequence[float]) -> float:
        """A length."""
        return totals[0] / totals[3]


class TourValid(TourMetric):
    """The percentage of outputs that go through every city once."""

    higher_is_better = True
    how = "every city once"

    def combine(self, totals: Sequence[float]) -> float:
        """Percent."""
        return 100 * totals[2] / totals[3]


_Made = Mapping[str, Callable[[str, int], PointingMetric]]


class PointersRightConfig(MetricConfig):
    """Pointers: the percentage of outputs that are right, in their order."""

    def build(self) -> PointersRight:
        """Make the metric."""
        return PointersRight("pointers_right", columns=1)  # how many make an element plays no role


class OutlineConfig(MetricConfig):
    """Polygons: how many are right, the area they cover, how many are simple."""

    measured: Literal["accuracy", "area", "simple"] = Field("accuracy", description="which figure")

    def build(self) -> PointingMetric:
        """Make the metric."""
        made: _Made = {"accuracy": OutlineRight, "area": OutlineArea, "simple": OutlineSimple}
        return made[self.measured](f"outline_{self.measured}", 2)


class TrianglesConfig(MetricConfig):
    """Triangulations: how many are right, how many of their triangles are found."""

    measured: Literal["accuracy", "coverage"] = Field("accuracy", description="which figure")

    def build(self) -> PointingMetric:
        """Make the metric."""
        made: _Made = {"accuracy": TrianglesRight, "coverage": TrianglesCovered}
        return made[self.measured](f"triangles_{self.measured}", 2)


class TourConfig(MetricConfig):
    """Round trips: how much longer than the references they are, how long, how many go through every city once."""

    measured: Literal["gap", "length", "valid"] = Field("gap", description="which figure")
    columns: int = Field(2, ge=1, description="numbers of a city")

    def build(self) -> PointingMetric:
        """Make the metric."""
        made: _Made = {"gap": TourGap, "length": TourLength, "valid": TourValid}
        return made[self.measured](f"tour_{self.measured}", self.columns)
