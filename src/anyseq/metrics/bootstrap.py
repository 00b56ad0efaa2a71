"""Paired bootstrap: is the difference between two systems more than chance?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from anyseq.errors import DataError
from anyseq.metrics.base import Metric

# Whole numbers drawn at a time: keeps the table of weights below 32 MB, however large the test set.
_CHUNK = 4_000_000


@dataclass(frozen=True)
class Comparison:
    """Two systems on the same items.

    Attributes:
        name: The metric.
        base: Value of the first system.
        other: Value of the second.
        difference: other - base.
        low: 2.5th percentile of the difference over the samples.
        high: 97.5th percentile.
        p_value: How often chance alone gives a difference as large as the one observed, in either direction; in (0, 1].
        items: Items compared.
        samples: Sets drawn.
        seed: Of the draws.
    """

    name: str
    base: float
    other: float
    difference: float
    low: float
    high: float
    p_value: float
    items: int
    samples: int
    seed: int


def paired_bootstrap(
    metric: Metric,
    base: Sequence[str],
    other: Sequence[str],
    references: Sequence[Sequence[str]],
    samples: int = 1000,
    seed: int = 1,
) -> Comparison:
    """Compare two systems' outputs of the same items under a metric.

    Sets of as many items are drawn with replacement, the same for both systems, and both are valued on each.

    Raises:
        DataError: there is nothing to score, or the sides differ in length.

    Source:
        Koehn 2004, "Statistical Significance Tests for Machine Translation Evaluation", ACL W04-3250. The p-value is
        two-sided by shifting: the share of samples whose difference lies as far from their mean as the observed one
        from 0 (Efron and Tibshirani 1993, chapter 16), with one added to both counts so that it is never 0. sacreBLEU
        shifts the absolute differences instead and counts one side of them.
    """
    return compare_statistics(
        metric, metric.statistics(base, references), metric.statistics(other, references), samples=samples, seed=seed
    )


def compare_statistics(
    metric: Metric,
    base: Sequence[Sequence[float]],
    other: Sequence[Sequence[float]],
    samples: int = 1000,
    seed: int = 1,
) -> Comparison:
    """Compare two systems from their statistics by item, as `metric.statistics` gives them.

    Raises:
        DataError: there are no items, or not the same number for both.
        ValueError: samples < 1.
    """
    if samples < 1:
        raise ValueError(f"samples is {samples}; draw at least 1 (1000 is usual)")
    if len(base) != len(other):
        raise DataError(f"the systems gave {len(base)} and {len(other)} outputs; compare them on the same items")
    if not base:
        raise DataError("there is nothing to compare: give at least one item")
    tables = np.asarray(base, dtype=np.float64), np.asarray(other, dtype=np.float64)
    values = [metric.combine(table.sum(0).tolist()) for table in tables]
    difference = values[1] - values[0]
    drawn = np.array(
        [
            metric.combine(totals[1]) - metric.combine(totals[0])
            for weights in _weights(len(base), samples, seed)
            for totals in zip(*((weights @ table).tolist() for table in tables), strict=True)
        ]
    )
    # A tolerance of rounding: a system against itself, or a metric of few values, must count its ties.
    extreme = int((np.abs(drawn - drawn.mean()) >= abs(difference) - 1e-9).sum())
    low, high = np.percentile(drawn, [2.5, 97.5]).tolist()
    p_value = (extreme + 1) / (samples + 1)
    return Comparison(metric.name, values[0], values[1], difference, low, high, p_value, len(base), samples, seed)


def _weights(items: int, samples: int, seed: int) -> Iterator[Float64[np.ndarray, "sample item"]]:
    """How often each item stands in each sample, some samples at a time."""
    generator = np.random.default_rng(seed)
    at_once = max(1, _CHUNK // items)
    for first in range(0, samples, at_once):
        rows = min(at_once, samples - first)
        drawn = generator.integers(items, size=(rows, items)) + items * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * items).reshape(rows, items).astype(np.float64)
