"""Attention against alignments that are known: how much of it falls where it should."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float

from anyseq.core import Alignment, Units


@dataclass(frozen=True)
class Linked:
    """What is known of one item.

    Attributes:
        source, output: The units of both sides, and the symbols that make them.
        links: (source, output) units that belong together.
        whole: Whether a unit of the output without a link is known to come from nowhere; else nothing is known of it.
    """

    source: Units
    output: Units
    links: Sequence[tuple[int, int]]
    whole: bool = False

    @property
    def symbols(self) -> tuple[tuple[int, int], ...]:
        """(row, column) of symbols that belong together, in the output's order."""
        return tuple(
            sorted(
                (row, column)
                for source, output in self.links
                for row, column in product(_made(self.output, output), _made(self.source, source))
            )
        )

    def aligned(self, weights: Float[np.ndarray, "row column"]) -> Alignment:
        """Attention between symbols as attention between units, as `predict --alignments` has it."""
        rows, columns = self.output.table(), self.source.table()
        looks = torch.zeros(rows.shape[1], columns.shape[1])
        looks[: weights.shape[0], : weights.shape[1]] = torch.from_numpy(np.ascontiguousarray(weights))
        found = rows @ looks @ columns.T / rows.sum(1, keepdim=True).clamp(min=1)
        return Alignment(self.source.shown, self.output.shown, found.tolist())


@dataclass(frozen=True)
class Known:
    """How well one head of a layer finds what is known to belong together.

    Attributes:
        path, head: Which; heads count from 1, 0 is their mean.
        weight: The share of the attention that is on the right places, the mean over the output's linked ones.
        found: The share of these that look most at a right one.
        places: How many there are.
        error_rate: Alignment error rate, in [0, 1], of each place linked to the one it looks at most; None: not told.
    """

    path: str
    head: int
    weight: float
    found: float
    places: int
    error_rate: float | None = None


@dataclass
class _Count:
    weight: float = 0.0
    found: int = 0
    places: int = 0
    links: int = 0
    """Of both sides together."""


Heads = tuple[str, Float[np.ndarray, "head row column"]]


def against(items: Iterable[tuple[Sequence[Heads], Linked]]) -> tuple[Known, ...]:
    """Compare attention with what is known.

    Args:
        items: Of each item, by layer, the weights of each head, symbol by symbol; and what is known.

    Returns:
        Layer by layer, the mean of the heads first, then, of several, each.

    Source:
        Och and Ney 2003, "A systematic comparison of various statistical alignment models", equation 24, all links
        sure: 1 - 2 |A ∩ S| / (|A| + |S|).
    """
    counts: dict[tuple[str, int], _Count] = defaultdict(_Count)
    for layers, linked in items:
        if not linked.links:
            continue
        for path, weights in layers:
            heads = [weights.mean(0), *weights]
            for head, own in enumerate(heads if len(heads) > 2 else heads[:1]):
                _add(counts[path, head], linked.aligned(own), linked)
    return tuple(
        Known(path, head, each.weight / each.places, each.found / each.places, each.places,
              1 - 2 * each.found / each.links)
        for (path, head), each in counts.items()
    )  # fmt: skip


def _add(count: _Count, alignment: Alignment, linked: Linked) -> None:
    right: dict[int, set[int]] = defaultdict(set)
    for source, output in linked.links:
        right[output].add(source)
    pairs = [(source, output) for source, output in alignment.pairs if linked.whole or output in right]
    count.found += sum(source in right.get(output, ()) for source, output in pairs)
    count.weight += sum(alignment.weights[output][source] for output, sources in right.items() for source in sources)
    count.places += len(right)
    count.links += len(pairs) + sum(map(len, right.values()))


def _made(units: Units, unit: int) -> list[int]:
    """The symbols that make a unit."""
    return [symbol for symbol, of in enumerate(units.of) if unit in of]
