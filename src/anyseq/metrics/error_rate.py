"""Word, phoneme and character error rate, on a fast edit distance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from anyseq.metrics.base import Metric, MetricConfig, check_items, own_signature

Unit = Literal["word", "character", "phoneme"]


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Levenshtein distance: fewest insertions, deletions and substitutions that turn `a` into `b`.

    One column of the table is two whole numbers: bit i of `rises` (`falls`) says that the distance to a[:i + 1] is one
    more (less) than that to a[:i]. An element of `b` so costs a dozen operations on numbers of len(a) bits.

    Source:
        Myers 1999, "A fast bit-vector algorithm for approximate string matching based on dynamic programming"; for the
        distance of whole strings as Hyyrö 2003 words it (the row above the first rises by one at each column).
    """
    if not a:
        return len(b)
    occurs: dict[Hashable, int] = {}
    for i, element in enumerate(a):
        occurs[element] = occurs.get(element, 0) | 1 << i
    every = (1 << len(a)) - 1
    last = 1 << len(a) - 1
    rises, falls, distance = every, 0, len(a)
    for element in b:
        equal = occurs.get(element, 0)
        diagonal = (((equal & rises) + rises) ^ rises) | equal | falls
        right_rises = falls | ~(diagonal | rises)
        right_falls = rises & diagonal
        distance += bool(right_rises & last) - bool(right_falls & last)
        right_rises = right_rises << 1 | 1
        right_falls <<= 1
        rises = (right_falls | ~(diagonal | right_rises)) & every
        falls = right_rises & diagonal & every
    return distance


class ErrorRate(Metric):
    """Edits per reference element in percent, over the whole set: word, phoneme or character error rate.

    Of several references the one with the lowest rate counts, of equal ones the longest. The rate may exceed 100.
    Edits against references without any element count as 100.

    Args:
        unit: `word` or `phoneme` (text between white space) or `character` (code points, spaces included).
        lowercase: Compare in lower case.
    """

    higher_is_better = False

    def __init__(self, unit: Unit = "word", lowercase: bool = False) -> None:
        self.name = {"word": "wer", "phoneme": "per", "character": "cer"}[unit]
        self.unit = unit
        self.lowercase = lowercase

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        """[edits, elements of the reference] of each item."""
        check_items(outputs, references)
        return [self._item(output, given) for output, given in zip(outputs, references, strict=True)]

    def combine(self, totals: Sequence[float]) -> float:
        """Percent, from 0 up."""
        edits, elements = totals
        if elements == 0:
            return 100.0 if edits else 0.0
        return 100 * edits / elements

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """References, case, unit, version."""
        return own_signature(references, {"case": "lc" if self.lowercase else "mixed", "unit": self.unit})

    def pairwise(self, texts: Sequence[str]) -> Float64[np.ndarray, "output reference"]:
        """The rate of every text with every one as its only reference; each distance is computed once."""
        split = list(map(self._elements, texts))
        table = np.zeros((len(texts), len(texts), 2))
        table[..., 1] = [len(elements) for elements in split]
        for i, j in combinations(range(len(texts)), 2):
            table[i, j, 0] = table[j, i, 0] = edit_distance(split[i], split[j])
        return self.sentence_values(table)

    def _item(self, output: str, given: Sequence[str]) -> list[float]:
        elements = self._elements(output)
        pairs = []
        for reference in map(self._elements, given):
            edits = 0 if reference == elements else edit_distance(reference, elements)
            pairs.append([float(edits), float(len(reference))])
        return min(pairs, key=lambda pair: (pair[0] / max(pair[1], 1.0), -pair[1]))

    def _elements(self, text: str) -> Sequence[str]:
        text = text.lower() if self.lowercase else text
        return text if self.unit == "character" else text.split()


class WordErrorRateConfig(MetricConfig):
    """Word error rate in percent."""

    lowercase: bool = Field(False, description="compare in lower case")

    def build(self) -> ErrorRate:
        """Make the metric."""
        return ErrorRate("word", lowercase=self.lowercase)


class PhonemeErrorRateConfig(MetricConfig):
    """Phoneme error rate in percent: of sounds, or other symbols, that stand between spaces."""

    lowercase: bool = Field(False, description="compare in lower case")

    def build(self) -> ErrorRate:
        """Make the metric."""
        return ErrorRate("phoneme", lowercase=self.lowercase)


class CharacterErrorRateConfig(MetricConfig):
    """Character error rate in percent."""

    lowercase: bool = Field(False, description="compare in lower case")

    def build(self) -> ErrorRate:
        """Make the metric."""
        return ErrorRate("character", lowercase=self.lowercase)
