"""Which of several hypotheses is given: the one of the best score, or of the least expected risk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from jaxtyping import Float64
from pydantic import Field, model_validator

from anyseq.core import Alignment, Item, Stopped
from anyseq.metrics.base import Metric, MetricConfig
from anyseq.search.settings import SearchConfig


@dataclass(frozen=True)
class Alternative:
    """One hypothesis.

    Attributes:
        output: What a person sees.
        score: After penalties; comparable within an item, higher is better.
        log_prob: The model's own, in nats.
        stopped: `end`, `budget` or `blocked`.
        value: What ranks it where not the score does: an expected metric, a sum of scores; higher is better.
        alignment: Which units of the source it belongs to, where asked for.
        repaired: The model's own was malformed and was mended; None: outputs of this task never are.
    """

    output: str
    score: float
    log_prob: float
    stopped: str
    value: float | None = None
    alignment: Alignment | None = None
    repaired: bool | None = None


@dataclass(frozen=True)
class Chosen:
    """A hypothesis' place in what the search found, and what it was ranked by; higher is better."""

    place: int
    value: float


class Chooser(ABC):
    """Ranks the hypotheses of an item anew."""

    @abstractmethod
    def values(
        self, items: Sequence[Item], found: Sequence[Sequence[Alternative]], settings: SearchConfig
    ) -> list[list[float]]:
        """What each hypothesis of each item is worth, higher is better; equal outputs of an item are worth the same."""

    def rank(
        self, items: Sequence[Item], found: Sequence[Sequence[Alternative]], settings: SearchConfig
    ) -> list[list[Chosen]]:
        """The hypotheses of each item, best first: each output once, the likeliest way to write it.

        As in a search, what was cut by the budget ranks after all that ended. Of equals the first found is first.
        """
        return [
            _ranked(alternatives, values)
            for alternatives, values in zip(found, self.values(items, found, settings), strict=True)
        ]


def _ranked(alternatives: Sequence[Alternative], values: Sequence[float]) -> list[Chosen]:
    places = distinct(alternatives).values()
    order = sorted(places, key=lambda place: (Stopped[alternatives[place].stopped.upper()], -values[place]))
    return [Chosen(place, values[place]) for place in order]


def distinct(alternatives: Sequence[Alternative]) -> dict[str, int]:
    """Each output's first place."""
    places: dict[str, int] = {}
    for place, each in enumerate(alternatives):
        places.setdefault(each.output, place)
    return places


class MinimumBayesRisk(Chooser):
    """The hypothesis with the best expected metric, were any of the hypotheses the right one.

    value(y) = Σ_y' p(y') metric(y, reference y') over the distinct outputs y' of the item, y itself included, the
    metric of one sentence in its own unit, negative where lower is better. Samples weigh as often as they were drawn;
    hypotheses of a beam by the model's probabilities (not their scores), renormalised over the list.

    n distinct outputs are n * n pairs. A text is tokenised and counted once, and the pairs of n-gram metrics are one
    product of matrices; word and character error rates cost a distance for each pair, TER the search of its shifts.

    Args:
        metric: What is expected.

    Source:
        Kumar and Byrne 2004, ACL N04-1022 (n-best lists, BLEU and others as the loss); Eikema and Aziz 2020,
        arXiv:2005.10283, section 5 (samples; an unbiased estimate of the expected utility).
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def values(
        self, items: Sequence[Item], found: Sequence[Sequence[Alternative]], settings: SearchConfig
    ) -> list[list[float]]:
        """The expected metric of each hypothesis, in percent."""
        return [self._values(alternatives, settings.samples > 0) for alternatives in found]

    def _values(self, alternatives: Sequence[Alternative], sampled: bool) -> list[float]:
        texts = {output: number for number, output in enumerate(distinct(alternatives))}
        which = np.array([texts[each.output] for each in alternatives])
        share = np.bincount(which, _shares([0.0 if sampled else each.log_prob for each in alternatives]), len(texts))
        expected = self.metric.pairwise(list(texts)) @ share
        values: list[float] = (expected if self.metric.higher_is_better else -expected)[which].tolist()
        return values


def _shares(log_probs: Sequence[float]) -> Float64[np.ndarray, " hypothesis"]:
    """Probabilities renormalised over the list; where all are 0, equal shares."""
    table = np.array(log_probs)
    weights = np.exp(table - table.max()) if table.max() > -np.inf else np.ones_like(table)
    return weights / weights.sum()


class DecodingConfig(SearchConfig):
    """How outputs are searched for, and which of those found is given. Lengths count the end symbol and the prefix."""

    mbr: MetricConfig | None = Field(
        None,
        description="minimum Bayes risk: of all samples (or the beam) give the output with the best expectation of "
        "this metric; null: the best score",
    )
    threshold: float | None = Field(
        None, ge=0, le=1, description="of a model that listens: from which smoothed probability on the keyword counts "
        "as said; null: as chosen on dev",
    )  # fmt: skip

    shortest: bool = Field(
        False,
        description="of round trips: of all samples (or the beam) give the shortest, not the one of the best score",
    )
    symmetries: Literal[1, 2, 4, 8] = Field(
        1, description="of round trips: each source is also given turned and mirrored, so many ways in all, and the "
        "shortest of all outputs is given (with `shortest`)"
    )

    @model_validator(mode="after")
    def _several(self) -> Self:
        """Refuse a choice among one, and a metric that cannot be computed here."""
        if self.symmetries > 1 and not self.shortest:
            raise ValueError(f"symmetries {self.symmetries} give several outputs to choose from: set shortest=true")
        if self.shortest and self.mbr is not None:
            raise ValueError("shortest and mbr are two ways to choose: leave one of them out")
        if self.shortest and self.width * self.symmetries < 2:
            raise ValueError("shortest chooses among several: set samples, beam_size or symmetries to 2 or more")
        if self.mbr is not None and self.width < 2:
            raise ValueError(f"mbr chooses among several: set samples or beam_size to 2 or more, not {self.width}")
        self.chooser()
        return self

    @property
    def chooses(self) -> bool:
        """Whether something else than the search's score chooses among what was found."""
        return self.mbr is not None or self.shortest

    def all_found(self) -> Self:
        """The same search with all that it finds returned, for a choice among them."""
        return self.model_copy(update={"n_best": self.width})

    def chooser(self) -> Chooser | None:
        """What ranks the hypotheses anew; None where the search's order stands."""
        return None if self.mbr is None else MinimumBayesRisk(self.mbr.build())
