"""GLEU by hand, and as a reward beside sentence BLEU."""

from __future__ import annotations

import pytest

from anyseq.metrics.gleu import Gleu
from anyseq.metrics.surface import Bleu


def test_by_hand() -> None:
    # a b c against a b d e: matches a, b, "a b"; 3 + 2 + 1 n-grams against 4 + 3 + 2 + 1
    assert Gleu().sentences(["a b c"], [["a b d e"]]) == [pytest.approx(100 * 3 / 10)]
    assert Gleu().sentences(["a b d e"], [["a b c"]]) == [pytest.approx(100 * 3 / 10)]  # precision and recall exchanged
    assert Gleu().sentences(["a b c", "", "x", "A"], [["a b c"], ["a"], ["y"], ["a"]]) == [100, 0, 0, 0]
    assert Gleu(lowercase=True).sentences(["A"], [["a"]]) == [100]


def test_a_corpus_sums_over_items_and_the_nearest_length_of_several_references_counts() -> None:
    measure = Gleu().measure(["a b c", "d"], [["a b d e"], ["d"]])
    assert measure.value == pytest.approx(100 * (3 + 1) / (10 + 1))
    assert measure.signature.startswith("nrefs:1|case:mixed|tok:13a|order:1-4|")
    assert Gleu().sentences(["a b c"], [["a b d e f g", "a b x"]]) == [pytest.approx(100 * 3 / 6)]


def test_every_pair_is_what_sentences_say() -> None:
    texts = ["a b c d e", "a b c", "", "c d e f g, h", "a b c d e"]
    table = Gleu().pairwise(texts)
    for row, output in zip(table, texts, strict=True):
        assert row.tolist() == pytest.approx(Gleu().sentences([output] * 5, [[each] for each in texts]))


def test_too_long_loses_as_much_as_too_short_which_it_does_not_in_bleu() -> None:
    words = ["a", "man", "in", "a", "red", "shirt", "plays", "the", "guitar"]
    reference = " ".join(words)
    short, long = " ".join(words[:-2]), " ".join([*words, "very", "well"])
    gleu, bleu = ([metric.sentences([each], [[reference]])[0] for each in (short, long)] for metric in (Gleu(), Bleu()))
    assert gleu[0] == pytest.approx(100 * 22 / 30) and gleu[1] == pytest.approx(100 * 30 / 38)
    assert abs(gleu[0] - gleu[1]) < 6 and bleu[0] < bleu[1]
