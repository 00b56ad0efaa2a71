"""What every metric offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from anyseq.core import PartConfig


@dataclass(frozen=True)
class Measure:
    """A metric's result: its value, its name, and the signature that says exactly how it was computed."""

    name: str
    value: float
    signature: str


class Metric(ABC):
    """Compares outputs with references. One reference or several (ragged) for each output.

    Corpus metrics are made of per-item statistics that add up, so that a bootstrap resamples items without scoring
    them again: value = combine(sum of statistics over items).

    Attributes:
        name: As it stands in `metrics.jsonl` and in `evaluate --json`.
        higher_is_better: Its direction.
    """

    name: str
    higher_is_better: bool

    @abstractmethod
    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        """The additive statistics of each item."""

    @abstractmethod
    def combine(self, totals: Sequence[float]) -> float:
        """The metric's value from summed statistics."""

    @property
    @abstractmethod
    def signature(self) -> str:
        """Everything another person needs to compute the same number."""

    def measure(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> Measure:
        """The value over a whole set (at least one item)."""
        totals = [sum(column) for column in zip(*self.statistics(outputs, references), strict=True)]
        return Measure(self.name, self.combine(totals), self.signature)


class MetricConfig(PartConfig):
    """Settings of a metric."""

    section: ClassVar[str] = "metrics"

    @abstractmethod
    def build(self) -> Metric:
        """Make the metric."""
