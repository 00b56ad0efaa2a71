"""BLEU, chrF, TER: sacreBLEU's own numbers, from statistics that add up."""

from __future__ import annotations

import random
from itertools import zip_longest

import pytest
import sacrebleu

from anyseq.errors import DataError
from anyseq.metrics.base import Metric
from anyseq.metrics.surface import Bleu, BleuConfig, Chrf, ChrfConfig, Ter, TerConfig

WORDS = ["the", "a", "cat", "Dog,", "sat", "on", "(my)", "mat.", "3.5%", "running", "and", "ran!", "Über", "straße"]


def corpus(seed: int, items: int, most_references: int) -> tuple[list[str], list[list[str]]]:
    rng = random.Random(seed)
    outputs, references = [], []
    for _ in range(items):
        base = rng.choices(WORDS, k=rng.randint(1, 12))
        noisy = [[w for w in base if rng.random() < 0.8] + rng.choices(WORDS, k=rng.randint(0, 3)) for _ in range(5)]
        outputs.append(" ".join(noisy[0]))
        references.append([" ".join(words) for words in noisy[1 : 1 + rng.randint(1, most_references)]])
    return outputs, references


def streams(references: list[list[str]]) -> list[tuple[str | None, ...]]:
    return list(zip_longest(*references))


@pytest.mark.parametrize("most", [1, 4], ids=["single", "ragged"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_equal_to_sacrebleu(most: int, lowercase: bool) -> None:
    outputs, references = corpus(3, 40, most)
    given = streams(references)
    expected = {
        "bleu": sacrebleu.corpus_bleu(outputs, given, lowercase=lowercase).score,
        "chrf": sacrebleu.metrics.CHRF(lowercase=lowercase).corpus_score(outputs, given).score,
        "chrf++": sacrebleu.metrics.CHRF(word_order=2, lowercase=lowercase).corpus_score(outputs, given).score,
        "ter": sacrebleu.corpus_ter(outputs, given, case_sensitive=not lowercase).score,
    }
    metrics: list[Metric] = [Bleu(lowercase), Chrf(lowercase), Chrf(lowercase, word_order=2), Ter(lowercase)]
    measured = {metric.name: metric.measure(outputs, references).value for metric in metrics}
    assert measured == pytest.approx(expected, abs=1e-9)
    assert all(0 < value < 100 for value in expected.values())


@pytest.mark.parametrize("most", [1, 4], ids=["single", "ragged"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_sentences_are_those_of_sacrebleu(most: int, lowercase: bool) -> None:
    outputs, references = corpus(7, 120, most)
    outputs[:4], references[2:4] = ["", "the", "", "nothing at all"], [["", "a"], ["zzz"]]
    chrf = [sacrebleu.metrics.CHRF(word_order=order, lowercase=lowercase) for order in (0, 2)]
    theirs = {
        "bleu": lambda *pair: sacrebleu.sentence_bleu(*pair, lowercase=lowercase).score,
        "chrf": lambda *pair: chrf[0].sentence_score(*pair).score,
        "chrf++": lambda *pair: chrf[1].sentence_score(*pair).score,
        "ter": lambda *pair: sacrebleu.sentence_ter(*pair, case_sensitive=not lowercase).score,
    }
    metrics: list[Metric] = [Bleu(lowercase), Chrf(lowercase), Chrf(lowercase, word_order=2), Ter(lowercase)]
    for metric in metrics:
        expected = [theirs[metric.name](*pair) for pair in zip(outputs, references, strict=True)]
        assert metric.sentences(outputs, references) == pytest.approx(expected, abs=1e-9), metric.name
        assert len(set(expected)) > 20
    if not lowercase:
        defaults = [sacrebleu.sentence_chrf(*pair).score for pair in zip(outputs, references, strict=True)]
        assert Chrf().sentences(outputs, references) == pytest.approx(defaults, abs=1e-9)


def test_sentence_bleu_counts_the_orders_an_output_has() -> None:
    """A right answer of one word is worth 100, though it has no 4-grams; over a corpus they are missed."""
    assert Bleu().sentences(["yes"], [["yes"]]) == [pytest.approx(100.0)]
    assert Bleu().measure(["yes"], [["yes"]]).value == 0.0


@pytest.mark.parametrize("tokenize", ["13a", "intl", "char", "none", "zh"])
def test_tokenizers(tokenize: str) -> None:
    outputs, references = corpus(5, 20, 2)
    metric = BleuConfig.model_validate({"tokenize": tokenize}).build()
    expected = sacrebleu.corpus_bleu(outputs, streams(references), tokenize=tokenize)
    measure = metric.measure(outputs, references)
    assert measure.value == pytest.approx(expected.score, abs=1e-9)
    assert f"tok:{tokenize}" in measure.signature


@pytest.mark.parametrize("metric", [Bleu(), Chrf(word_order=2), Ter()], ids=lambda metric: metric.name)
def test_statistics_add_up(metric: Metric) -> None:
    outputs, references = corpus(7, 30, 3)
    parts = metric.statistics(outputs[:11], references[:11]) + metric.statistics(outputs[11:], references[11:])
    together = [sum(column) for column in zip(*parts, strict=True)]
    assert metric.combine(together) == metric.measure(outputs, references).value


def test_signatures_are_those_of_sacrebleu() -> None:
    outputs, references = ["a b"], [["a b", "a c"]]
    scorer = sacrebleu.metrics.BLEU(lowercase=True)
    scorer.corpus_score(outputs, streams(references))
    assert Bleu(lowercase=True).measure(outputs, references).signature == str(scorer.get_signature())
    assert "nrefs:2|case:lc" in Bleu(lowercase=True).signature(references)
    assert "nrefs:var" in Chrf().signature([["a"], ["a", "b"]])
    assert "case:lc" in Ter().signature(references)


def test_a_signature_does_not_remember_another_set() -> None:
    metric = Bleu()
    metric.measure(["a"], [["a", "b"]])
    assert "nrefs:1|" in metric.signature([["a"]])


def test_perfect_output_of_any_reference() -> None:
    outputs = ["the cat sat on the mat", "a dog ran home today"]
    references = [["no", outputs[0]], [outputs[1]]]
    assert Bleu().measure(outputs, references).value == pytest.approx(100)
    assert Chrf().measure(outputs, references).value == pytest.approx(100)
    assert Ter().measure(outputs, references).value == 0


def test_settings_reach_the_metric() -> None:
    outputs, references = ["The cat , sat on"], [["the cat, sat on"]]
    assert BleuConfig(lowercase=True).build().measure(outputs, references).value == pytest.approx(100)
    assert ChrfConfig(word_order=2).build().name == "chrf++"
    assert TerConfig(lowercase=False).build().measure(["The cat"], [["the cat"]]).value == 50
    assert TerConfig(normalized=True).build().measure(outputs, references).value == 0
    assert TerConfig(no_punct=True).build().measure(["a b!"], [["a, b"]]).value == 0


@pytest.mark.parametrize(
    ("outputs", "references", "message"),
    [
        ([], [], "nothing to score"),
        (["a"], [], "1 outputs were given for 0 lists"),
        (["a", "b"], [["a"], []], "item 1 has no reference"),
        (["a"], ["a"], "one text, not a list"),
    ],
)
def test_what_cannot_be_scored_is_refused(outputs: list[str], references: list, message: str) -> None:
    for metric in (Bleu(), Chrf(), Ter()):
        with pytest.raises(DataError, match=message):
            metric.measure(outputs, references)
