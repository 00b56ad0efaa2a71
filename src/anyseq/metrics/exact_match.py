"""Exact match: the share of outputs that equal a reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from anyseq.metrics.base import Metric, MetricConfig, check_items, own_signature


class ExactMatch(Metric):
    """The percentage of outputs that are one of their references, code point by code point.

    Args:
        lowercase: Compare in lower case.
    """

    name = "exact_match"
    higher_is_better = True

    def __init__(self, lowercase: bool = False) -> None:
        self.lowercase = lowercase

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        """[matches, items] of each item: [1, 1] or [0, 1]."""
        check_items(outputs, references)
        if self.lowercase:
            outputs = [output.lower() for output in outputs]
            references = [[reference.lower() for reference in given] for given in references]
        return [[float(output in given), 1.0] for output, given in zip(outputs, references, strict=True)]

    def pairwise(self, texts: Sequence[str]) -> Float64[np.ndarray, "output reference"]:
        """100 where two texts are equal."""
        compared = [text.lower() for text in texts] if self.lowercase else list(texts)
        _, kinds = np.unique(np.array(compared, dtype=object), return_inverse=True)
        return 100.0 * (kinds[:, None] == kinds)

    def combine(self, totals: Sequence[float]) -> float:
        """Percent, 0 to 100."""
        matches, items = totals
        return 100 * matches / items

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """References, case, version."""
        return own_signature(references, {"case": "lc" if self.lowercase else "mixed"})


class ExactMatchConfig(MetricConfig):
    """The percentage of outputs that equal a reference."""

    lowercase: bool = Field(False, description="compare in lower case")

    def build(self) -> ExactMatch:
        """Make the metric."""
        return ExactMatch(lowercase=self.lowercase)
