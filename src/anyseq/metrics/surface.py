"""BLEU, chrF and TER, as sacreBLEU computes them, on detokenised text.

Every number is sacreBLEU's own: its statistics of a segment, its sums, its formula, its signature. What is added is
that references come by item and may be ragged, and that the statistics can be resampled.

Source:
    Post 2018, "A Call for Clarity in Reporting BLEU Scores", arXiv:1804.08771.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Literal

from pydantic import Field
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.metrics.base import Metric as Scorer

from anyseq.errors import UsageError
from anyseq.metrics.base import Metric, MetricConfig, check_items, reference_count

BleuTokenizer = Literal["13a", "intl", "char", "zh", "ja-mecab", "ko-mecab", "none"]


class SacreMetric(Metric):
    """What the three share: sacreBLEU's statistics, sum and signature."""

    def __init__(self, name: str, higher_is_better: bool, scorer: Scorer) -> None:
        self.name, self.higher_is_better = name, higher_is_better
        self._scorer = scorer

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        """The segment statistics of sacreBLEU: n-gram matches and counts, or edits and lengths."""
        check_items(outputs, references)
        # sacreBLEU wants one stream per reference; None marks a reference that an item lacks.
        segments = self._scorer._extract_corpus_statistics(outputs, list(zip_longest(*references)))
        return [[float(number) for number in segment] for segment in segments]

    def combine(self, totals: Sequence[float]) -> float:
        """The corpus score, 0 to 100 (TER: from 0 up)."""
        return float(self._scorer._compute_score_from_stats(list(totals)).score)

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """The signature of sacreBLEU, its version included."""
        count = reference_count(references)
        settings = {**vars(self._scorer), "num_refs": -1 if count == "var" else int(count)}
        return str(self._scorer._SIGNATURE_TYPE(settings))


class Bleu(SacreMetric):
    """BLEU: the geometric mean of the precisions of 1- to 4-grams, with a penalty for brevity.

    Args:
        lowercase: Compare in lower case.
        tokenize: How sacreBLEU splits text into tokens; `13a` for most languages, `zh`, `ja-mecab` (needs
            `sacrebleu[ja]`), `ko-mecab` (needs `sacrebleu[ko]`), `char` for languages written without spaces.

    Raises:
        UsageError: the tokenizer's package is not installed.

    Source:
        Papineni et al. 2002, ACL P02-1040.
    """

    def __init__(self, lowercase: bool = False, tokenize: BleuTokenizer = "13a") -> None:
        try:
            scorer = BLEU(lowercase=lowercase, tokenize=tokenize)
        except (ImportError, RuntimeError) as fault:
            raise UsageError(f"the BLEU tokenizer {tokenize!r} cannot be used: {fault}") from fault
        super().__init__("bleu", True, scorer)


class Chrf(SacreMetric):
    """chrF: the F-score of character n-grams up to 6; with `word_order` 2 also of words, then called chrF++.

    Args:
        lowercase: Compare in lower case.
        word_order: Longest word n-gram; 0 is chrF, 2 is chrF++.

    Source:
        Popović 2015, ACL W15-3049; chrF++: Popović 2017, ACL W17-4770.
    """

    def __init__(self, lowercase: bool = False, word_order: int = 0) -> None:
        super().__init__("chrf" + "+" * word_order, True, CHRF(lowercase=lowercase, word_order=word_order))


class Ter(SacreMetric):
    """Translation edit rate: insertions, deletions, substitutions and shifts of words, per reference word.

    Args:
        lowercase: Compare in lower case (the habit for TER).
        normalized: Split off punctuation and undo XML entities first.
        no_punct: Leave punctuation out.
        asian_support: Split ideographs into characters (with `normalized`).

    Source:
        Snover et al. 2006, AMTA.
    """

    def __init__(
        self, lowercase: bool = True, normalized: bool = False, no_punct: bool = False, asian_support: bool = False
    ) -> None:
        scorer = TER(
            normalized=normalized, no_punct=no_punct, asian_support=asian_support, case_sensitive=not lowercase
        )
        super().__init__("ter", False, scorer)


class BleuConfig(MetricConfig):
    """sacreBLEU's BLEU."""

    lowercase: bool = Field(False, description="compare in lower case")
    tokenize: BleuTokenizer = Field("13a", description="sacreBLEU's tokenizer")

    def build(self) -> Bleu:
        """Make the metric."""
        return Bleu(lowercase=self.lowercase, tokenize=self.tokenize)


class ChrfConfig(MetricConfig):
    """sacreBLEU's chrF, or chrF++ with `word_order` 2."""

    lowercase: bool = Field(False, description="compare in lower case")
    word_order: int = Field(0, description="longest word n-gram: 0 is chrF, 2 is chrF++", ge=0, le=2)

    def build(self) -> Chrf:
        """Make the metric."""
        return Chrf(lowercase=self.lowercase, word_order=self.word_order)


class TerConfig(MetricConfig):
    """sacreBLEU's TER."""

    lowercase: bool = Field(True, description="compare in lower case")
    normalized: bool = Field(False, description="split off punctuation and undo XML entities first")
    no_punct: bool = Field(False, description="leave punctuation out")
    asian_support: bool = Field(False, description="split ideographs into characters (with `normalized`)")

    def build(self) -> Ter:
        """Make the metric."""
        return Ter(
            lowercase=self.lowercase,
            normalized=self.normalized,
            no_punct=self.no_punct,
            asian_support=self.asian_support,
        )
