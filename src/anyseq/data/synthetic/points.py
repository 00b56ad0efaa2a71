"""Points in the unit square (or numbers) with exact answers, drawn anew for every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Literal, Self

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field, model_validator

from anyseq.core import Item
from anyseq.core.pointed import as_pointers
from anyseq.data.synthetic.base import Epochs, SizedGeneratorConfig
from anyseq.data.synthetic.geometry import (
    MOST_CITIES,
    convex_hulls,
    delaunay,
    nearest_neighbour_tour,
    shortest_tours,
)
from anyseq.data.synthetic.workers import Workers

Problem = Literal["hull", "delaunay", "tour", "sort"]
_CHUNK = 2000  # problems drawn from one seed
_DIGITS = 6  # of a coordinate, behind the point
_Drawn = list[tuple[np.ndarray, str]]
_SPLITS = {"train": 0, "dev": 1, "test": 2}


class PointsConfig(SizedGeneratorConfig):
    """Points uniform in the unit square, and what is to be pointed at (Vinyals et al. 2015, section 3): convex hulls,
    Delaunay triangulations, shortest tours; or numbers to be sorted."""

    problem: Problem = Field("hull", description="hull, delaunay (extra: examples), tour or sort")
    least: int = Field(5, ge=1, description="the fewest points")
    most: int = Field(5, ge=1, description="the most points; as many problems of each number between")
    train: int = Field(100_000, ge=1, description="items to train on, in an epoch")
    endless: bool = Field(True, description="every epoch has points of its own, as many as the first")
    exact: bool = Field(
        True, description="false: tours to train on go to the nearest city that is left, to learn from reward alone"
    )
    workers: int = Field(0, ge=0, description="processes that draw while the model trains; 0: it waits")
    wait_minutes: float = Field(60.0, gt=0, description="so long without anything drawn, the processes count as hung")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        fewest = {"hull": 3, "delaunay": 3, "tour": 2, "sort": 1}[self.problem]
        if not fewest <= self.least <= self.most:
            raise ValueError(f"least={self.least}, most={self.most}: {fewest} <= least <= most is needed")
        if self.problem == "tour" and self.most > MOST_CITIES:
            raise ValueError(f"most={self.most}: exact tours go to {MOST_CITIES} cities")
        return self

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split, of train those of the first epoch."""
        return PointsEpochs(self).items(split)

    def epochs(self) -> Epochs | None:
        """Gives other items for each epoch, where they are endless."""
        return PointsEpochs(self) if self.endless else None


class PointsEpochs(Epochs):
    """Problems and their answers. An item has as many points in each epoch.

    Args:
        config: What to draw.
    """

    def __init__(self, config: PointsConfig) -> None:
        self.config = config
        self._workers: Workers[_Drawn] | None = None
        self._ahead: dict[int, list[Future[_Drawn]]] = {}

    def items(self, split: str = "train", epoch: int = 0) -> list[Item]:
        """Those of a split, in an epoch."""
        config, count = self.config, self.config.size(split)
        counts = np.random.default_rng((config.seed, _SPLITS[split])).integers(config.least, config.most + 1, count)
        exact = config.exact or split != "train"
        firsts = range(0, count, _CHUNK)
        draw = partial(_drawn, config.problem, exact)

        def seeds(number: int) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
            for first in firsts:
                yield (config.seed, _SPLITS[split], 1 + number, first), counts[first : first + _CHUNK]

        if not config.workers:
            return _items(draw(*own) for own in seeds(epoch))
        if self._workers is None:
            self._workers = Workers(config.workers, config.wait_minutes)
        now = self._ahead.pop(epoch, None) or self._workers.begin(draw, seeds(epoch))
        for other in self._ahead.values():  # of an epoch that nobody comes to
            for future in other:
                future.cancel()
        ahead = self._workers.begin(draw, seeds(epoch + 1)) if split == "train" else []
        self._ahead = {epoch + 1: ahead} if ahead else {}
        return _items(self._workers.results(now))


def _items(parts: Iterator[_Drawn]) -> list[Item]:
    raws = (raw for part in parts for raw in part)
    return [Item({"source": points, "target": target}, key) for key, (points, target) in enumerate(raws)]


def _drawn(
    problem: Problem, exact: bool, seed: Sequence[int], counts: Int[np.ndarray, " problem"]
) -> list[tuple[Float[np.ndarray, "point column"], str]]:
    """Points and their answer, of some problems."""
    columns = 1 if problem == "sort" else 2
    drawn = np.random.default_rng(seed).random((len(counts), int(counts.max()), columns)).round(_DIGITS)
    points = [own[:count] for own, count in zip(drawn, counts.tolist(), strict=True)]
    if problem == "hull":
        answers: Sequence[Sequence[int]] = convex_hulls(drawn, counts)
    elif problem == "delaunay":
        answers = [delaunay(own) for own in points]
    elif problem == "sort":
        answers = [(own[:, 0].argsort(kind="stable") + 1).tolist() for own in points]
    elif exact:
        answers = _tours(drawn, counts)
    else:
        answers = [nearest_neighbour_tour(own) for own in points]
    if problem == "tour":
        answers = [[*tour, tour[0]] for tour in answers]
    return [(own, as_pointers(answer)) for own, answer in zip(points, answers, strict=True)]


def _tours(points: Float[np.ndarray, "problem point 2"], counts: Int[np.ndarray, " problem"]) -> list[list[int]]:
    """Shortest tours, those of equally many cities together."""
    tours: list[list[int]] = [[]] * len(counts)
    for count in np.unique(counts).tolist():
        places = np.flatnonzero(counts == count)
        for place, tour in zip(places.tolist(), shortest_tours(points[places, :count]).tolist(), strict=True):
            tours[place] = tour
    return tours
