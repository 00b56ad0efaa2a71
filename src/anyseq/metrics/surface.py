"""BLEU, chrF and TER, as sacreBLEU computes them, on detokenised text.

Every number is sacreBLEU's own: its statistics of a segment, its sums, its formula, its signature. What is added is
that references come by item and may be ragged, and that the statistics can be resampled.

Source:
    Post 2018, "A Call for Clarity in Reporting BLEU Scores", arXiv:1804.08771.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64
from pydantic import Field
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.metrics.base import Metric as Scorer

from anyseq.errors import UsageError
from anyseq.metrics.base import Metric, MetricConfig, check_items, reference_count
from anyseq.metrics.overlaps import overlaps

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

    def pairwise(self, texts: Sequence[str]) -> Float64[np.ndarray, "output reference"]:
        """The value of every text with every one as its only reference; each is tokenised once."""
        return self.sentence_values(self.pair_statistics(texts))

    def pair_statistics(self, texts: Sequence[str]) -> Float64[np.ndarray, "output reference statistic"]:
        """The statistics of every text with every one as its only reference; each is tokenised once."""
        prepared = [self._scorer._preprocess_segment(text) for text in texts]
        infos = [self._scorer._extract_reference_info([text]) for text in prepared]
        return self._pairs(prepared, infos)

    def _pairs(
        self, prepared: Sequence[str], infos: Sequence[dict[str, Any]]
    ) -> Float64[np.ndarray, "output reference statistic"]:
        """The statistics of every pair, from prepared texts and what sacreBLEU takes from each as a reference."""
        table = [[self._scorer._compute_segment_statistics(output, info) for info in infos] for output in prepared]
        return np.array(table, dtype=np.float64)


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

    def sentence_values(self, statistics: Float64[np.ndarray, "*item statistic"]) -> Float64[np.ndarray, "*item"]:
        """Sentence BLEU as sacreBLEU has it: n-grams longer than the output do not count; the others are smoothed.

        The i-th of the orders without a match counts as 2 ** -i matches (smoothing `exp`).
        """
        length, reference_length = statistics[..., 0], statistics[..., 1]
        correct, total = statistics[..., 2:6], statistics[..., 6:]
        there = total > 0
        missed = there & (correct == 0)
        matches = np.where(missed, 0.5 ** missed.cumsum(-1), correct)
        logs = np.log(np.where(there, matches, 1.0)) - np.log(np.maximum(total, 1.0))
        mean = logs.sum(-1) / np.maximum(there.sum(-1), 1)
        brevity = np.minimum(0.0, 1 - reference_length / np.maximum(length, 1.0))
        return np.where(correct.any(-1), 100 * np.exp(mean + brevity), 0.0)

    def _pairs(
        self, prepared: Sequence[str], infos: Sequence[dict[str, Any]]
    ) -> Float64[np.ndarray, "output reference statistic"]:
        table = np.empty((len(prepared), len(prepared), 10))
        lengths = np.array([info["ref_lens"][0] for info in infos])
        table[..., 0], table[..., 1] = lengths[:, None], lengths
        by_order = [[Counter[Any](), Counter[Any](), Counter[Any](), Counter[Any]()] for _ in infos]
        for bags, info in zip(by_order, infos, strict=True):
            for ngram, count in info["ref_ngrams"].items():
                bags[len(ngram) - 1][ngram] = count
        for order in range(4):
            common = overlaps([bags[order] for bags in by_order])
            table[..., 2 + order], table[..., 6 + order] = common, common.diagonal()[:, None]
        return table


class Chrf(SacreMetric):
    """chrF: the F-score of character n-grams up to 6; with `word_order` 2 also of words, then called chrF++.

    Args:
        lowercase: Compare in lower case.
        word_order: Longest word n-gram; 0 is chrF, 2 is chrF++.

    Source:
        Popović 2015, ACL W15-3049; chrF++: Popović 2017, ACL W17-4770.
    """

    def __init__(self, lowercase: bool = False, word_order: int = 0) -> None:
        scorer = CHRF(lowercase=lowercase, word_order=word_order)
        super().__init__("chrf" + "+" * word_order, True, scorer)
        self._orders, self._beta = scorer.order, scorer.beta

    def sentence_values(self, statistics: Float64[np.ndarray, "*item statistic"]) -> Float64[np.ndarray, "*item"]:
        """Sentence chrF: the F-score of the mean precision and recall over the orders that both sides have."""
        length, reference_length, matches = (statistics[..., which::3] for which in range(3))
        both = (length > 0) & (reference_length > 0)
        orders = np.maximum(both.sum(-1), 1)
        precision, recall = (
            (both * matches / np.maximum(of, 1.0)).sum(-1) / orders for of in (length, reference_length)
        )
        weight = self._beta**2
        total = weight * precision + recall
        return np.where(total > 0, 100 * (1 + weight) * precision * recall / np.where(total > 0, total, 1.0), 0.0)

    def _pairs(
        self, prepared: Sequence[str], infos: Sequence[dict[str, Any]]
    ) -> Float64[np.ndarray, "output reference statistic"]:
        bags = [info["ref_ngrams"][0] for info in infos]
        columns = []
        for order in range(self._orders):
            common = overlaps([each[order] for each in bags])
            lengths = common.diagonal()
            columns += [np.where(lengths > 0, lengths[:, None], 0.0), np.tile(lengths, (len(bags), 1)), common]
        return np.stack(columns, -1)


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
