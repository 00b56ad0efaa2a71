"""F1 of sets: of the spans that tags mark, of several labels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Sequence

from pydantic import Field

from anyseq.metrics.base import Metric, MetricConfig, check_items, own_signature


class SetF1(Metric):
    """F1 in percent of what texts name: 200 right / (named by outputs + named by references), summed over all items.

    Of several references the one that agrees best counts, of equal ones the first.
    """

    higher_is_better = True

    @abstractmethod
    def named(self, text: str) -> set[Hashable]:
        """What a text names."""

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        """[right ones, those of the output, those of the reference] of each item."""
        check_items(outputs, references)
        found = []
        for output, given in zip(outputs, references, strict=True):
            own, others = self.named(output), [self.named(each) for each in given]
            counts = [[float(len(own & other)), float(len(own)), float(len(other))] for other in others]
            found.append(max(counts, key=self.combine))
        return found

    def combine(self, totals: Sequence[float]) -> float:
        """Percent, 0 to 100; where there is nothing on either side, 100."""
        right, output, reference = totals
        return 200 * right / (output + reference) if output + reference else 100.0


class LabelF1(SetF1):
    """F1 of several labels, all items together (micro-averaged).

    Args:
        separator: Stands between labels.
    """

    name = "label_f1"

    def __init__(self, separator: str = ",") -> None:
        self.separator = separator

    def named(self, text: str) -> set[Hashable]:
        """The labels; `-` alone is none."""
        return {name for part in text.split(self.separator) if (name := part.strip()) not in ("", "-")}

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """References, average, version."""
        return own_signature(references, {"average": "micro"})


class LabelF1Config(MetricConfig):
    """F1 of several labels, `delivery, price`, all items together."""

    separator: str = Field(",", min_length=1, max_length=1, description="stands between labels")

    def build(self) -> LabelF1:
        """Make the metric."""
        return LabelF1(self.separator)
