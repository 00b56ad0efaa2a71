"""GLEU: a score of one sentence that, unlike its BLEU, does not ask for long outputs; a reward for translation."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
from jaxtyping import Float64
from pydantic import Field

from anyseq.metrics.base import Metric, MetricConfig, reference_count
from anyseq.metrics.surface import Bleu, BleuTokenizer

_ORDERS = np.arange(4)


class Gleu(Metric):
    """GLEU: the matching 1- to 4-grams over all those of the output or of the reference, whichever are more.

    So it is the smaller of their precision and recall, and an output that is too long loses as much as one that is too
    short. (Sentence BLEU has its penalty for brevity sentence by sentence: models that learn from it as a reward write
    too much, and lose the corpus's BLEU.) A corpus has the sum of matches over the sum of those counts.

    Args:
        lowercase: Compare in lower case.
        tokenize: How sacreBLEU splits text into tokens.

    Raises:
        UsageError: the tokenizer's package is not installed.

    Source:
        Wu et al. 2016, "Google's Neural Machine Translation System", arXiv:1609.08144, section 4.3. Of several
        references the n-grams of all may match, and the length is that of the nearest, as in BLEU.
    """

    name, higher_is_better = "gleu", True

    def __init__(self, lowercase: bool = False, tokenize: BleuTokenizer = "13a") -> None:
        self._ngrams = Bleu(lowercase=lowercase, tokenize=tokenize)
        self._settings = (
            f"case:{'lc' if lowercase else 'mixed'}|tok:{tokenize}|order:1-4|version:{version('sacrebleu')}"
        )

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        """Matches, and the larger number of n-grams."""
        found: list[list[float]] = _counts(np.array(self._ngrams.statistics(outputs, references))).tolist()
        return found

    def combine(self, totals: Sequence[float]) -> float:
        """The corpus score, 0 to 100."""
        matches, most = totals
        return 100 * matches / max(most, 1.0)

    def sentence_values(self, statistics: Float64[np.ndarray, "*item statistic"]) -> Float64[np.ndarray, "*item"]:
        """The score of each item, 0 to 100."""
        return 100 * statistics[..., 0] / np.maximum(statistics[..., 1], 1.0)

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """Case, tokens, orders and the version of what splits into tokens."""
        return f"nrefs:{reference_count(references)}|{self._settings}"

    def pairwise(self, texts: Sequence[str]) -> Float64[np.ndarray, "output reference"]:
        """The value of every text with every one as its only reference; each is tokenised once."""
        return self.sentence_values(_counts(self._ngrams.pair_statistics(texts)))


def _counts(bleu: Float64[np.ndarray, "*item 10"]) -> Float64[np.ndarray, "*item 2"]:
    """Of the statistics of BLEU: lengths of output and reference, matches by order, n-grams of the output by order."""
    wanted = np.maximum(bleu[..., 1, None] - _ORDERS, 0.0).sum(-1)
    return np.stack([bleu[..., 2:6].sum(-1), np.maximum(bleu[..., 6:].sum(-1), wanted)], -1)


class GleuConfig(MetricConfig):
    """GLEU of Wu et al. 2016, over sacreBLEU's tokens."""

    lowercase: bool = Field(False, description="compare in lower case")
    tokenize: BleuTokenizer = Field("13a", description="sacreBLEU's tokenizer")

    def build(self) -> Gleu:
        """Make the metric."""
        return Gleu(lowercase=self.lowercase, tokenize=self.tokenize)
