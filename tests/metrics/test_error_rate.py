"""Edit distance, word and character error rate, exact match."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyseq.errors import DataError
from anyseq.metrics.error_rate import (
    CharacterErrorRateConfig,
    ErrorRate,
    PhonemeErrorRateConfig,
    WordErrorRateConfig,
    edit_distance,
)
from anyseq.metrics.exact_match import ExactMatch, ExactMatchConfig

TEXT = st.text(alphabet="abc", max_size=80)


def textbook(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        new = [i]
        for j, y in enumerate(b, 1):
            new.append(min(row[j] + 1, new[-1] + 1, row[j - 1] + (x != y)))
        row = new
    return row[-1]


@settings(derandomize=True, deadline=None)
@given(TEXT, TEXT)
def test_edit_distance_is_the_textbooks(a: str, b: str) -> None:
    assert edit_distance(a, b) == textbook(a, b) == edit_distance(b, a)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("sunday", "saturday", 3), ("ab", "ba", 2)],
)
def test_edit_distance_by_hand(a: str, b: str, distance: int) -> None:
    assert edit_distance(a, b) == distance


def test_edit_distance_of_long_lists_of_any_elements() -> None:
    a = list(range(3000))
    assert edit_distance(a, [*a[5:1000], -1, *a[1000:]]) == 6


def test_word_error_rate_by_hand() -> None:
    # one substitution of 3 words, one insertion beside 1: 2 edits over 4 words
    assert ErrorRate("word").measure(["the cat sit", "yes no"], [["the cat sat"], ["yes"]]).value == 50


def test_phoneme_error_rate_is_of_what_stands_between_spaces_against_the_nearest() -> None:
    metric = PhonemeErrorRateConfig().build()
    assert metric.name == "per"
    assert metric.measure(["K AE T", "R IY D"], [["K AA T"], ["R EH D", "R IY D"]]).value == pytest.approx(100 / 6)


def test_character_error_rate_counts_spaces() -> None:
    assert ErrorRate("character").measure(["ab"], [["a b"]]).value == pytest.approx(100 / 3)


def test_best_of_several_references() -> None:
    metric = ErrorRate("word")
    assert metric.statistics(["a b"], [["x", "a b c d", "a c"]]) == [[2, 4]]  # equal rates: the longest
    assert metric.statistics(["a b"], [["x y", "a b"]]) == [[0, 2]]


def test_empty_references() -> None:
    metric = ErrorRate("word")
    assert metric.measure(["a b"], [[""]]).value == 100
    assert metric.measure([""], [[""]]).value == 0
    assert metric.measure(["", "a"], [["a"], ["a"]]).value == 50


def test_exact_match() -> None:
    outputs, references = ["a", "b ", "C"], [["x", "a"], ["b"], ["c"]]
    assert ExactMatch().measure(outputs, references).value == pytest.approx(100 / 3)
    assert ExactMatch(lowercase=True).measure(outputs, references).value == pytest.approx(200 / 3)


def test_configs_and_signatures() -> None:
    assert WordErrorRateConfig(lowercase=True).build().measure(["A b"], [["a b"]]).value == 0
    assert CharacterErrorRateConfig().build().measure(["A b"], [["a b"]]).name == "cer"
    assert ExactMatchConfig(lowercase=True).build().measure(["A"], [["a"]]).value == 100
    signature = WordErrorRateConfig().build().signature([["a"], ["b", "c"]])
    assert signature.startswith("nrefs:var|case:mixed|unit:word|version:anyseq-")
    assert ExactMatch(lowercase=True).signature([["a"]]).startswith("nrefs:1|case:lc|version:anyseq-")


@pytest.mark.parametrize("metric", [ErrorRate("word"), ErrorRate("character"), ExactMatch()], ids=lambda m: m.name)
def test_an_empty_set_is_refused(metric: ErrorRate | ExactMatch) -> None:
    with pytest.raises(DataError, match="at least one output"):
        metric.measure([], [])
