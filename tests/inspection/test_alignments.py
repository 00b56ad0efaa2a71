"""Attention against known alignments: of a file, of a generator; the figures by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import anyseq
from anyseq.api import Predictor
from anyseq.cli.main import main
from anyseq.core import Units
from anyseq.data.annotations import links, read_alignments, read_labels
from anyseq.data.synthetic.dates import DatesConfig
from anyseq.data.synthetic.strings import CopyConfig, ReverseConfig
from anyseq.errors import DataError, UsageError
from anyseq.inspection.alignments import Linked, against

Untrained = Callable[..., Predictor]
FEW = ("data.generator.train=60", "data.generator.dev=4", "data.generator.test=4")
# The source: a word of two symbols, one of one, the end; the output: a word of one symbol, one of two, the end.
SOURCE = Units(["ab", "c"], [range(1), range(1), range(1, 2), range(0)])
OUTPUT = Units(["x", "yz"], [range(1), range(1, 2), range(1, 2), range(0)])
WEIGHTS = np.array([[[0.1, 0.2, 0.6, 0.1], [0.0, 0.2, 0.8, 0.0], [0.4, 0.4, 0.2, 0.0], [0.0, 0.0, 0.0, 1.0]]])


def test_the_figures_by_hand() -> None:
    linked = Linked(SOURCE, OUTPUT, [(0, 0), (1, 1)])
    assert linked.symbols == ((0, 0), (0, 1), (1, 2), (2, 2))
    # Between words: x looks .3 at ab and .6 at c; yz the mean of (.2, .8) and (.8, .2): of equals the first, ab.
    (known,) = against([([("layer", WEIGHTS)], linked)])
    assert (known.path, known.head, known.places) == ("layer", 0, 2)
    assert known.weight == pytest.approx((0.3 + 0.5) / 2)
    assert (known.found, known.error_rate) == (0, 1)
    (other,) = against([([("layer", WEIGHTS)], Linked(SOURCE, OUTPUT, [(1, 0), (0, 1), (1, 1)]))])
    assert other.weight == pytest.approx((0.6 + 1.0) / 2) and other.found == 1
    assert other.error_rate == pytest.approx(1 - 2 * 2 / (2 + 3))  # two links of its own, both right, of three


def test_what_is_known_to_come_from_nowhere_counts_as_an_error() -> None:
    some, whole = (Linked(SOURCE, OUTPUT, [(1, 0)], whole=whole) for whole in (False, True))
    (one,), (other,) = (against([([("layer", WEIGHTS)], linked)]) for linked in (some, whole))
    assert (one.found, one.error_rate) == (1, 0)
    assert (other.found, other.error_rate) == (1, pytest.approx(1 - 2 / 3))


def test_heads_are_told_apart() -> None:
    two = np.concatenate([WEIGHTS, np.roll(WEIGHTS, 1, 2)])
    found = against([([("layer", two)], Linked(SOURCE, OUTPUT, [(1, 0)]))])
    assert [each.head for each in found] == [0, 1, 2]
    assert [each.weight for each in found] == [pytest.approx(0.4), pytest.approx(0.6), pytest.approx(0.2)]


def test_what_generators_know() -> None:
    assert CopyConfig().alignment("abc", "abc") == [(0, 0), (1, 1), (2, 2)]
    assert ReverseConfig().alignment("abc", "cba") == [(2, 0), (1, 1), (0, 2)]
    assert CopyConfig().alignment("abc", "abd") is None is ReverseConfig().alignment("abc", "abc")
    dates = DatesConfig()
    assert dates.alignment("4. 1. 1979", "1979-01-04") == [(6, 0), (7, 1), (8, 2), (9, 3)]
    assert dates.alignment(["da ", *"05.11.82"], "1982-11-05") == [(7, 2), (8, 3)]
    assert dates.alignment("١٩٧٩/1/4", "1979-01-04") == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert dates.alignment("11.11.11", "2011-11-11") is None


def test_a_known_alignment_of_a_model(untrained: Untrained) -> None:
    predictor = untrained("transduce/copy", *FEW, "model.encoder.hidden_dim=8", "model.decoder.hidden_dim=16")
    lines = ["abc", "de"]
    known = ["2-0 1-1", [(0, 0)]]
    given = anyseq.inspect(predictor, lines, ["cb", "d"], views=["attention"], alignments=known, max_length=5)
    (known,) = given.attention.known
    assert given.attention.known_from == "given" and known.places == 3
    made = anyseq.inspect(predictor, lines, lines, views=["attention"], max_length=5)
    (known,) = made.attention.known
    assert made.attention.known_from == "given" and known.places == 5 and 0 <= known.error_rate <= 1
    # While it writes "abc" the mean weight of each letter on itself.
    again = anyseq.inspect(predictor, lines[:1], lines[:1], views=["attention"], max_length=5).attention.known[0]
    assert again.places == 3 and 0 < again.weight < 1


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        ({"alignments": ["0-0"]}, UsageError, "give the answers, too"),
        ({"alignments": ["0-0", "0-0"], "targets": ["a"]}, UsageError, "2 lines of alignments and 1 inputs"),
        ({"alignments": ["0-3"], "targets": ["a"]}, DataError, "line 1 .* has the link 0-3, and its answer has 1"),
        ({"alignments": ["7-0"], "targets": ["a"]}, DataError, "its input has 1"),
    ],
)
def test_misuse_is_told(untrained: Untrained, arguments: dict, error: type, hint: str) -> None:
    predictor = untrained("transduce/copy", *FEW, "model.encoder.hidden_dim=8", "model.decoder.hidden_dim=16")
    with pytest.raises(error, match=hint):
        anyseq.inspect(predictor, ["a"], views=["attention"], max_length=4, **arguments)


def test_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "links.txt"
    path.write_text("0-0 2-1\n\n1-0\n", encoding="utf-8")
    assert read_alignments(path) == [[(0, 0), (2, 1)], [], [(1, 0)]]
    assert read_labels(path) == [["0-0", "2-1"], [], ["1-0"]]
    path.write_text("0-0\n0:1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"links.txt:2.*'0:1' is no link; .* as in 0-0 2-1"):
        read_alignments(path)
    with pytest.raises(DataError, match="no link"):
        links("1-")
    words = ["inspect", "none", "--input", "x.txt", "--output", str(tmp_path / "o")]
    assert main([*words, "--alignments", str(path)]) == 2
    assert "give --target FILE" in capsys.readouterr().err


@pytest.mark.full
def test_a_model_that_has_learnt_to_reverse_looks_where_it_should(tmp_path: Path) -> None:
    anyseq.train("transduce/reverse", tmp_path / "model", threads=1)
    predictor = anyseq.load(tmp_path / "model")
    lines = [item.raw["source"] for item in predictor.task.read().dev][:100]
    found = anyseq.inspect(predictor, lines, [line[::-1] for line in lines], views=["attention"]).attention
    assert found.known[0].found > 0.9 and found.known[0].error_rate < 0.1
