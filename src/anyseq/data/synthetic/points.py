"""Points in the unit square (or numbers) with exact answers, drawn anew for every epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
        if not self.exact and self.problem != "tour":
            raise ValueError(f"exact=false is for tours: leave it out, or set problem=tour, not {self.problem}")
        if self.problem == "tour" and self.most > MOST_CITIES:
            raise ValueError(f"most={self.most}: exact tours go to {MOST_CITIES} cities")
        return self

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split, of train those of the first epoch."""
        return PointsEpochs(self).first(split)

    def epochs(self) -> Epochs | None:
        """Gives other items for each epoch, where they are endless."""
        if not self.endless:
            return None
        found = PointsEpochs(self)
        found.draw_ahead(1)
        return found


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
        """Those of a split, in an epoch; the processes go on with the next one of train."""
        if split != "train":
            return self.first(split, epoch)
        now = self._ahead.pop(epoch, None) or self._begun(split, epoch)
        for other in [each for each in self._ahead if each != epoch + 1]:  # of an epoch that nobody comes to
            for future in self._ahead.pop(other):
                future.cancel()
        self.draw_ahead(epoch + 1)
        return self._drawn(split, epoch, now)

    def first(self, split: str, epoch: int = 0) -> list[Item]:
        """Those of a split alone: nothing is drawn for later, and no processes are started for a single part."""
        several = self.config.size(split) > _CHUNK
        return self._drawn(split, epoch, self._begun(split, epoch) if several else [])

    def draw_ahead(self, epoch: int) -> None:
        """Have the processes, where there are some, begin with an epoch of train."""
        if self.config.workers and epoch not in self._ahead:
            self._ahead[epoch] = self._begun("train", epoch)

    def _drawn(self, split: str, epoch: int, begun: list[Future[_Drawn]]) -> list[Item]:
        """What was begun, or what is drawn here where nothing was."""
        if self._workers is not None and begun:
            return _items(self._workers.results(begun))
        draw = self._draw(split)
        return _items(draw(*part) for part in self._parts(split, epoch))

    def _begun(self, split: str, epoch: int) -> list[Future[_Drawn]]:
        """Parts that processes work at; none where there are no processes."""
        if not self.config.workers:
            return []
        if self._workers is None:
            self._workers = Workers(self.config.workers, self.config.wait_minutes)
        return self._workers.begin(self._draw(split), self._parts(split, epoch))

    def _draw(self, split: str) -> Callable[..., _Drawn]:
        return partial(_drawn, self.config.problem, self.config.exact or split != "train")

    def _parts(self, split: str, epoch: int) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
        """The seed and the numbers of points of each part."""
        config, number = self.config, _SPLITS[split]
        count = config.size(split)
        counts = np.random.default_rng((config.seed, number)).integers(config.least, config.most + 1, count)
        for first in range(0, count, _CHUNK):
            yield (config.seed, number, 1 + epoch, first), counts[first : first + _CHUNK]


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
