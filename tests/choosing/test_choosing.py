"""Minimum Bayes risk against the definition, pair by pair; which hypotheses are kept, and in which order."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from anyseq.catalogue import PARTS, resolve
from anyseq.core import Item
from anyseq.errors import UsageError
from anyseq.metrics.exact_match import ExactMatchConfig
from anyseq.metrics.surface import BleuConfig, ChrfConfig
from anyseq.search.settings import SearchConfig
from anyseq.tasks.choosing import Alternative, Chooser, DecodingConfig, MinimumBayesRisk
from anyseq.tasks.fitting import quick

TEXTS = ["a small dog runs", "a small dog ran", "", "the dog runs", "a small dog runs", "a cat", "a small dog runs"]
ITEM = Item({"source": "x"})
SAMPLED, BEAM = SearchConfig(samples=7), SearchConfig(beam_size=7)

OF_POINTS = ("pointers_right", "outline", "triangles", "tour")  # they compare pointers into points, not texts


def alternatives(texts: Sequence[str], stopped: Sequence[str] = ()) -> list[Alternative]:
    pairs = zip(texts, stopped or ["end"] * len(texts), strict=True)
    return [Alternative(text, -1.0 - n, -0.5 * n, reason) for n, (text, reason) in enumerate(pairs)]


@pytest.mark.parametrize("settings", [SAMPLED, BEAM], ids=["samples", "beam"])
@pytest.mark.parametrize("kind", [kind for kind in PARTS["metrics"] if kind not in OF_POINTS])
def test_the_value_is_the_expected_metric(kind: str, settings: SearchConfig) -> None:
    metric, found = resolve("metrics", kind)().build(), alternatives(TEXTS)  # type: ignore[attr-defined]
    weights = [1.0 if settings.samples else math.exp(each.log_prob) for each in found]
    sign = 1 if metric.higher_is_better else -1
    expected = [
        sign
        * sum(
            weight * metric.sentences([one.output], [[other.output]])[0]
            for weight, other in zip(weights, found, strict=True)
        )
        / sum(weights)
        for one in found
    ]
    chooser = MinimumBayesRisk(metric)
    [values] = chooser.values([ITEM], [found], settings)
    assert values == pytest.approx(expected, abs=1e-9)
    [ranked] = chooser.rank([ITEM], [found], settings)
    assert ranked[0].place == 0, "what is drawn three times of seven, and all resemble"
    assert sorted(choice.place for choice in ranked) == [0, 1, 2, 3, 5], "each output once"
    assert [choice.value for choice in ranked] == sorted((values[n] for n in (0, 1, 2, 3, 5)), reverse=True)


def test_samples_weigh_as_often_as_drawn_and_a_beam_by_its_probabilities() -> None:
    given = (("likely", -1.0), ("drawn", -9.0), ("drawn", -9.5))
    found = [Alternative(text, log_prob, log_prob, "end") for text, log_prob in given]
    chooser = MinimumBayesRisk(ExactMatchConfig().build())
    [[first, *_]] = chooser.rank([ITEM], [found], SAMPLED)
    assert (first.place, first.value) == (1, pytest.approx(200 / 3))
    [[first, *_]] = chooser.rank([ITEM], [found], BEAM)
    assert first.place == 0 and first.value > 99.9


def test_impossible_hypotheses_weigh_nothing_unless_all_are() -> None:
    chooser = MinimumBayesRisk(ExactMatchConfig().build())
    found = [Alternative(text, -math.inf, log_prob, "end") for text, log_prob in (("a", -math.inf), ("b", -1.0))]
    assert chooser.values([ITEM], [found], BEAM) == [[0.0, 100.0]]
    assert chooser.values([ITEM], [found[:1]], BEAM) == [[100.0]]


class Longest(Chooser):
    """Prefers long outputs."""

    def values(
        self, items: Sequence[Item], found: Sequence[Sequence[Alternative]], settings: SearchConfig
    ) -> list[list[float]]:
        return [[float(len(each.output)) for each in own] for own in found]


def test_what_ended_stands_before_what_was_cut_and_equals_keep_their_order() -> None:
    found = alternatives(
        ["ab", "cut longest", "cd", "long", "ab", "", "blocked"],
        ["end", "budget", "end", "end", "budget", "end", "blocked"],
    )
    [ranked] = Longest().rank([ITEM], [found], BEAM)
    assert [found[choice.place].output for choice in ranked] == ["long", "ab", "cd", "", "cut longest", "blocked"]


def test_settings() -> None:
    assert DecodingConfig().chooser() is None
    chosen = DecodingConfig(samples=8, mbr=ChrfConfig(word_order=2), n_best=3)
    chooser = chosen.chooser()
    assert isinstance(chooser, MinimumBayesRisk) and chooser.metric.name == "chrf++"
    assert (chosen.all_found().returned, chosen.returned, DecodingConfig(samples=8).returned) == (8, 3, 8)
    assert DecodingConfig(beam_size=6, mbr=ChrfConfig()).all_found().n_best == 6
    fast = quick(chosen)
    assert (fast.mbr, fast.samples, fast.beam_size, fast.n_best) == (None, 0, 1, 1)
    for one in ({"beam_size": 1}, {"samples": 1}):
        with pytest.raises(ValidationError, match="mbr chooses among several: set samples or beam_size to 2"):
            DecodingConfig(mbr=ChrfConfig(), **one)


def test_a_metric_that_cannot_be_computed_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(config: BleuConfig) -> None:
        raise UsageError("the BLEU tokenizer 'ja-mecab' cannot be used: it is not installed")

    monkeypatch.setattr(BleuConfig, "build", build)
    with pytest.raises(ValidationError, match="'ja-mecab' cannot be used"):
        DecodingConfig(mbr=BleuConfig(tokenize="ja-mecab"))
