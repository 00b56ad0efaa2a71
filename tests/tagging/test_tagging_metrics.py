from __future__ import annotations

import pytest

from anyseq.metrics.tags import SpanF1, TagAccuracy, spans


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("B-NP I-NP O B-VP", [("NP", 0, 2), ("VP", 3, 4)]),
        ("B-NP B-NP I-NP", [("NP", 0, 1), ("NP", 1, 3)]),
        ("I-NP I-NP I-VP", [("NP", 0, 2), ("VP", 2, 3)]),  # IOB1, and what conlleval makes of illegal tags
        ("O I-NP O I-NP", [("NP", 1, 2), ("NP", 3, 4)]),
        ("B-NP I-VP", [("NP", 0, 1), ("VP", 1, 2)]),
        ("B-from.city-name I-from.city-name", [("from.city-name", 0, 2)]),
        ("DT NN NN O", [("DT", 0, 1), ("NN", 1, 2), ("NN", 2, 3)]),
        ("O O", []),
        ("", []),
    ],
)
def test_spans(tags: str, found: list[tuple[str, int, int]]) -> None:
    assert spans(tags.split()) == found


def test_f1_by_hand() -> None:
    """Gold: NP 0-2, VP 2-3, NP 3-5. Found: NP 0-2, VP 2-3, NP 3-4, NP 4-5: 2 of 4 right, 2 of 3 found."""
    gold, output = "B-NP I-NP B-VP B-NP I-NP", "B-NP I-NP B-VP B-NP B-NP"
    assert SpanF1().measure([output], [[gold]]).value == pytest.approx(100 * 2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3))
    assert SpanF1().measure(["O O", "B-x"], [["O O"], ["B-y"]]).value == 0
    assert SpanF1().measure(["O"], [["O"]]).value == 100
    assert SpanF1().measure(["B-x O"], [["O B-x", "B-x O"]]).value == 100, "the reference that agrees"


def test_accuracy_by_hand() -> None:
    assert TagAccuracy().measure(["A B C", "A"], [["A C C"], ["A"]]).value == 75
    assert TagAccuracy().measure(["A B"], [["A B C"]]).value == pytest.approx(200 / 3), "one is missing"
    assert TagAccuracy().measure([""], [[""]]).value == 100
