"""What a model gets wrong: the worst and the best, by length, by symbol, by position; how far it can be trusted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

BINS = 10
_MOST_CONFUSIONS = 25
_LENGTH_BINS = 8
_MOST_PLACES = 256  # told one by one


@dataclass(frozen=True)
class Judged:
    """An item with its answer.

    Attributes:
        place: Its place in the input, from 1.
        given, said, wanted: Texts.
        score: By the metric; None: there is none of texts.
        log_prob: Of what was said, in nats.
        loss: Of what is wanted, in nats for each symbol.
        length: Places of the source (where there is none, of the target).
        repeated: Words of the output that stand in it more often than in what is wanted.
        missing: Words of what is wanted that the output lacks.
    """

    place: int
    given: str
    said: str
    wanted: str
    score: float | None
    log_prob: float | None
    loss: float | None
    length: int
    repeated: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """What a model thought of the right answer of one item, place by place, each with what came before given.

    Attributes:
        wanted: The right symbols.
        likeliest: The model's own; of outputs that are no symbols there are neither.
        confidence: Their probabilities.
        loss: Of the right ones, in nats.
    """

    wanted: tuple[str, ...]
    likeliest: tuple[str, ...]
    confidence: Float[np.ndarray, " place"]
    loss: Float[np.ndarray, " target"]


@dataclass(frozen=True)
class Group:
    """Items of like length, or places of like confidence or position.

    Attributes:
        low, high: From where to where, both counted in.
        count: How many.
        value: The mean score, loss or accuracy.
        expected: The mean confidence, where that is told.
    """

    low: float
    high: float
    count: int
    value: float
    expected: float | None = None


@dataclass(frozen=True)
class Errors:
    """What was wrong.

    Attributes:
        metric: What scores are of; empty: there are none.
        higher_is_better: Whether a high score is a good one.
        items: All, worst first.
        by_length: The mean score by the source's length.
        confusions: (wanted, given, how often): places where, what came before given, another symbol was likeliest.
        by_position: The mean loss by the place in the target, in nats.
        calibration: By confidence: how often the likeliest symbol was right, and how likely it was said to be.
        calibration_error: The mean distance of the two, over all places (ECE).
        repeated, missing: Words most often repeated, and most often missing, over all items.
    """

    metric: str
    higher_is_better: bool
    items: tuple[Judged, ...]
    by_length: tuple[Group, ...]
    confusions: tuple[tuple[str, str, int], ...]
    by_position: tuple[Group, ...]
    calibration: tuple[Group, ...]
    calibration_error: float | None
    repeated: tuple[tuple[str, int], ...]
    missing: tuple[tuple[str, int], ...]


def errors(items: Sequence[Judged], answers: Sequence[Answers], metric: str, higher_is_better: bool) -> Errors:
    """Put together what is known of judged items.

    Args:
        items: At least one.
        answers: What the model thought of the right answers; none where its outputs are no symbols.
        metric, higher_is_better: What the scores are of.

    Source:
        Calibration: Guo et al. 2017, arXiv:1706.04599, equations 2 and 3, ten bins of equal width.
    """
    sign = 1 if higher_is_better else -1

    def goodness(item: Judged) -> tuple[float, float]:
        return (0.0 if item.score is None else sign * item.score, -(item.loss or 0.0))

    curve, error = calibration(answers)
    wrong = Counter(
        pair for each in answers for pair in zip(each.wanted, each.likeliest, strict=True) if pair[0] != pair[1]
    )
    by_position: dict[int, list[float]] = defaultdict(list)
    for each in answers:
        for place, loss in enumerate(each.loss[:_MOST_PLACES].tolist(), 1):
            by_position[place].append(loss)
    return Errors(
        metric,
        higher_is_better,
        tuple(sorted(items, key=goodness)),
        by_length([(item.length, item.score) for item in items if item.score is not None]),
        tuple((wanted, given, count) for (wanted, given), count in wrong.most_common(_MOST_CONFUSIONS)),
        tuple(Group(float(at), float(at), len(each), float(np.mean(each))) for at, each in sorted(by_position.items())),
        curve,
        error,
        _most(item.repeated for item in items),
        _most(item.missing for item in items),
    )


def _most(words: object, most: int = 15) -> tuple[tuple[str, int], ...]:
    return tuple(Counter(word for each in words for word in each).most_common(most))  # type: ignore[attr-defined]


def calibration(answers: Sequence[Answers]) -> tuple[tuple[Group, ...], float | None]:
    """How often the likeliest symbol was right, by how likely it was said to be; and the mean distance of the two."""
    if not answers:
        return (), None
    confidence = np.concatenate([each.confidence for each in answers])
    right = np.concatenate(
        [np.array([a == b for a, b in zip(each.wanted, each.likeliest, strict=True)], float) for each in answers]
    )
    if not len(right):
        return (), None
    at = np.minimum((confidence * BINS).astype(int), BINS - 1)
    groups, error = [], 0.0
    for number in range(BINS):
        here = at == number
        if here.any():
            value, expected = float(right[here].mean()), float(confidence[here].mean())
            groups.append(Group(number / BINS, (number + 1) / BINS, int(here.sum()), value, expected))
            error += abs(value - expected) * here.mean()
    return tuple(groups), float(error)


def by_length(pairs: Sequence[tuple[int, float]]) -> tuple[Group, ...]:
    """The mean score of items of like length: groups of about as many items."""
    if not pairs:
        return ()
    ordered = sorted(pairs)
    lengths: Int[np.ndarray, " item"] = np.array([length for length, _ in ordered])
    scores = np.array([score for _, score in ordered])
    begins = np.unique(np.quantile(lengths, np.arange(_LENGTH_BINS) / _LENGTH_BINS, method="higher"))
    at = np.searchsorted(begins, lengths, side="right") - 1
    return tuple(
        Group(float(lengths[at == each].min()), float(lengths[at == each].max()), int((at == each).sum()),
              float(scores[at == each].mean()))
        for each in np.unique(at)
    )  # fmt: skip


def surplus(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    """The words of one text that another lacks, counting how often each stands there, in their order."""
    left, found = Counter(other), []
    for word in one:
        if left[word]:
            left[word] -= 1
        else:
            found.append(word)
    return tuple(found)


def repeated(said: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """The words that a text says again, more often than is wanted."""
    return tuple(word for word in surplus(said, wanted) if said.count(word) > 1)
