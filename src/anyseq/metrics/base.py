"""What every metric offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from anyseq.core import PartConfig
from anyseq.errors import DataError


@dataclass(frozen=True)
class Measure:
    """A metric's result: its value, its name, and the signature that says exactly how it was computed."""

    name: str
    value: float
    signature: str


class Metric(ABC):
    """Compares outputs with references. One reference or several (ragged) for each output.

    Corpus metrics are made of per-item statistics that add up, so that a bootstrap resamples items without scoring
    them again: value = combine(sum of statistics over items). Values of all metrics here are percentages. What a
    metric says of one item alone (sentence BLEU, sentence chrF, ...) is made of the same statistics.

    Attributes:
        name: As it stands in `metrics.jsonl` and in `evaluate --json`.
        higher_is_better: Its direction.
    """

    name: str
    higher_is_better: bool

    @abstractmethod
    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        """The additive statistics of each item, of the same length for all.

        Raises:
            DataError: there is nothing to score, the two sides differ in length, or an item has no reference.
        """

    @abstractmethod
    def combine(self, totals: Sequence[float]) -> float:
        """The metric's value from summed statistics."""

    @abstractmethod
    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """Everything another person needs to compute the same number; how many references there are is part of it."""

    def measure(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> Measure:
        """The value over a whole set (at least one item).

        Raises:
            DataError: as `statistics` does.
        """
        totals = [sum(column) for column in zip(*self.statistics(outputs, references), strict=True)]
        return Measure(self.name, self.combine(totals), self.signature(references))

    def sentence_values(self, statistics: Float64[np.ndarray, "*item statistic"]) -> Float64[np.ndarray, "*item"]:
        """The value of each item by itself, from its statistics; by default what `combine` makes of them alone."""
        flat = statistics.reshape(-1, statistics.shape[-1]).tolist()
        return np.array([self.combine(each) for each in flat], dtype=np.float64).reshape(statistics.shape[:-1])

    def sentences(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
        """The value of each output by itself (at least one).

        Raises:
            DataError: as `statistics` does.
        """
        values: list[float] = self.sentence_values(np.array(self.statistics(outputs, references))).tolist()
        return values

    def pairwise(self, texts: Sequence[str]) -> Float64[np.ndarray, "output reference"]:
        """The value of every text (at least one) with every one as its only reference: n texts make n * n pairs.

        By default each pair's statistics are made anew; a metric of n-grams or words makes them once for each text.
        """
        pairs = [(output, [reference]) for output in texts for reference in texts]
        outputs, references = zip(*pairs, strict=True)
        return np.array(self.sentences(outputs, references)).reshape(len(texts), len(texts))


class MetricConfig(PartConfig):
    """Settings of a metric."""

    section: ClassVar[str] = "metrics"

    @abstractmethod
    def build(self) -> Metric:
        """Make the metric."""


def check_items(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    """Refuse what no metric can score.

    Raises:
        DataError: there is nothing to score, the two sides differ in length, or an item has no reference.
    """
    if len(outputs) != len(references):
        raise DataError(
            f"{len(outputs)} outputs were given for {len(references)} lists of references; give one list an output"
        )
    if not outputs:
        raise DataError("there is nothing to score: give at least one output with its references")
    for item, given in enumerate(references):
        if isinstance(given, str):
            raise DataError(f"the references of item {item} are one text, not a list; write [text] for a single one")
        if not given:
            raise DataError(f"item {item} has no reference; give it one or leave the item out on both sides")


def reference_count(references: Sequence[Sequence[str]]) -> str:
    """The number of references of each item as signatures write it: a number, or `var` where items differ."""
    counts = {len(given) for given in references}
    return str(counts.pop()) if len(counts) == 1 else "var"


def own_signature(references: Sequence[Sequence[str]], settings: Mapping[str, str]) -> str:
    """The signature of a metric that is computed here: `nrefs:1|case:mixed|version:anyseq-0.1.0`."""
    parts = {"nrefs": reference_count(references), **settings, "version": f"anyseq-{version('anyseq')}"}
    return "|".join(f"{name}:{value}" for name, value in parts.items())
