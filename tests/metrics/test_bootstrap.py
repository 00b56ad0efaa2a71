"""Paired bootstrap of two systems."""

from __future__ import annotations

import random

import numpy as np
import pytest
import sacrebleu

from anyseq.errors import DataError
from anyseq.metrics import bootstrap
from anyseq.metrics.bootstrap import compare_statistics, paired_bootstrap
from anyseq.metrics.exact_match import ExactMatch
from anyseq.metrics.surface import Bleu

WORDS = ["one", "two", "three", "four", "five", "six", "seven"]


def systems(items: int = 60) -> tuple[list[str], list[str], list[list[str]]]:
    rng = random.Random(0)
    references = [[" ".join(rng.choices(WORDS, k=8))] for _ in range(items)]
    def corrupt(rate: float) -> list[str]:
        return [" ".join(w if rng.random() > rate else "x" for w in given[0].split()) for given in references]
    return corrupt(0.25), corrupt(0.15), references


def test_values_are_those_of_the_metric() -> None:
    base, other, references = systems()
    found = paired_bootstrap(Bleu(), base, other, references)
    assert found.base == sacrebleu.corpus_bleu(base, [[r[0] for r in references]]).score
    assert found.other == sacrebleu.corpus_bleu(other, [[r[0] for r in references]]).score
    assert found.difference == found.other - found.base
    assert found.low < found.difference < found.high
    assert (found.name, found.items, found.samples) == ("bleu", 60, 1000)


def test_seeded() -> None:
    base, other, references = systems()
    first = paired_bootstrap(Bleu(), base, other, references, samples=100, seed=5)
    assert first == paired_bootstrap(Bleu(), base, other, references, samples=100, seed=5)
    assert first != paired_bootstrap(Bleu(), base, other, references, samples=100, seed=6)


def test_interval_against_the_normal_approximation() -> None:
    # Exact match: the difference is a mean of +1, 0, -1, its error is known.
    differences = np.random.default_rng(0).choice([1, 0, -1], p=[0.3, 0.5, 0.2], size=400)
    base = [[float(d == -1), 1.0] for d in differences]
    other = [[float(d == 1), 1.0] for d in differences]
    found = compare_statistics(ExactMatch(), base, other, samples=4000)
    error = 100 * differences.std() / 20
    assert found.difference == pytest.approx(100 * differences.mean())
    assert found.high - found.difference == pytest.approx(1.96 * error, rel=0.1)
    assert found.difference - found.low == pytest.approx(1.96 * error, rel=0.1)


def test_p_value_is_calibrated_for_equal_systems() -> None:
    rng = np.random.default_rng(1)
    below = 0
    for trial in range(200):
        tables = [[[float(match), 1.0] for match in rng.integers(2, size=100)] for _ in range(2)]
        below += compare_statistics(ExactMatch(), *tables, samples=200, seed=trial).p_value <= 0.1
    assert 8 <= below <= 36  # 20 expected, standard error 4.2


def test_a_system_against_itself_differs_by_chance_only() -> None:
    base, _, references = systems()
    found = paired_bootstrap(Bleu(), base, base, references, samples=50)
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_a_plain_win_is_significant_in_either_order() -> None:
    references = [["a"]] * 50
    good, bad = ["a"] * 45 + ["b"] * 5, ["b"] * 50
    found = paired_bootstrap(ExactMatch(), bad, good, references, samples=200)
    turned = paired_bootstrap(ExactMatch(), good, bad, references, samples=200)
    assert found.p_value == turned.p_value == pytest.approx(1 / 201)
    assert found.low == -turned.high > 0


def test_drawing_in_pieces_changes_nothing_but_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    base, other, references = systems()
    whole = paired_bootstrap(Bleu(), base, other, references, samples=100)
    monkeypatch.setattr(bootstrap, "_CHUNK", 1000)
    assert paired_bootstrap(Bleu(), base, other, references, samples=100) == whole


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match="at least one"):
        paired_bootstrap(Bleu(), [], [], [])
    with pytest.raises(DataError, match="at least one item"):
        compare_statistics(Bleu(), [], [])
    with pytest.raises(DataError, match="same items"):
        compare_statistics(Bleu(), [[1.0]], [])
    with pytest.raises(ValueError, match="at least 1"):
        compare_statistics(ExactMatch(), [[1.0, 1.0]], [[1.0, 1.0]], samples=0)
