"""Hypotheses ranked with the help of other models."""

from __future__ import annotations

from collections.abc import Sequence

from anyseq.core import Item
from anyseq.errors import UsageError
from anyseq.search.settings import SearchConfig
from anyseq.tasks.base import Task
from anyseq.tasks.choosing import Alternative, Chooser, distinct
from anyseq.tasks.decoding import score_pairs


class Reranking(Chooser):
    """The hypothesis of the best weighted sum of scores: (1 - weight) own + weight mean(others).

    A score is what `score_pairs` gives: the log-probability in nats after the search's length penalty (of the others
    without its coverage penalty). The others are given texts, and spell them in their own symbols: they need not share
    a codec with the model that found the hypotheses.

    Args:
        others: At least one model, with codecs and weights.
        weight: In [0, 1]; 1 leaves the choice to the others.
        backwards: The others go from target to source and are scored on that: a noisy channel.

    Raises:
        UsageError: the weight is out of its range.

    Source:
        Yee et al. 2019, arXiv:1908.05731 (noisy channel; theirs divides each log-probability by its length, which a
        length penalty of 1 is close to, and adds a language model).
    """

    def __init__(self, others: Sequence[Task], weight: float = 0.5, backwards: bool = False) -> None:
        if not 0 <= weight <= 1:
            raise UsageError(f"the weight of the other models' score is {weight}; it must be in 0 to 1")
        self.others, self.weight, self.backwards = others, weight, backwards

    def values(
        self, items: Sequence[Item], found: Sequence[Sequence[Alternative]], settings: SearchConfig
    ) -> list[list[float]]:
        """The weighted sum of each hypothesis, in nats per penalised symbol. Each distinct output is scored once."""
        settings = settings.model_copy(update={"coverage_penalty": 0.0})
        outputs = [distinct(alternatives) for alternatives in found]
        pairs = [self._pair(item, output) for item, own in zip(items, outputs, strict=True) for output in own]
        totals = [0.0] * len(pairs)
        for other in self.others:
            for at, scored in enumerate(score_pairs(other, pairs, settings)):
                totals[at] += scored.score / len(self.others)
        score = iter(totals)
        others = [{output: next(score) for output in own} for own in outputs]
        return [
            [self._value(alternatives[own[each.output]].score, theirs[each.output]) for each in alternatives]
            for alternatives, own, theirs in zip(found, outputs, others, strict=True)
        ]

    def _pair(self, item: Item, output: str) -> Item:
        source = item.raw["source"]
        raw = {"source": output, "target": source} if self.backwards else {"source": source, "target": output}
        return Item(raw, item.key, item.file, item.line)

    def _value(self, own: float, others: float) -> float:
        # Nothing times minus infinity is not a number.
        return sum(share * score for share, score in ((1 - self.weight, own), (self.weight, others)) if share)
