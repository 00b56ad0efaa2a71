"""Alignments of models that were trained a few seconds on what has only one right alignment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from anyseq import api
from anyseq.errors import UsageError
from tiny_runs import train, write

Run = Callable[..., tuple[int, str, str]]
LEARNS = {
    "model.encoder.embed_dim": 24, "model.encoder.hidden_dim": 24,
    "model.decoder.embed_dim": 24, "model.decoder.hidden_dim": 48,
    "training.max_steps": 300, "training.validate_every": 300, "training.batch_tokens": 512,
    "training.learning_rate": 0.01, "search.max_length": 60,
}  # fmt: skip


def learn(recipe: str, folder: Path, **changes: Any) -> Path:
    overrides = {**LEARNS, **changes}
    trained = api.train(recipe, folder, device="cpu", threads=1, overrides=overrides)
    assert trained.dev.metrics["exact_match"] > 60
    return folder


@pytest.fixture(scope="module")
def copier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = {"data.generator.train": 3000, "data.generator.dev": 50, "data.generator.max_length": 8}
    return learn("transduce/copy", tmp_path_factory.mktemp("copy") / "run", **data)


def sentences(count: int) -> list[str]:
    random = Random(1)
    words = ["".join(random.choices("abcdefgh", k=random.randint(3, 6))) for _ in range(40)]
    return [" ".join(random.sample(words, random.randint(2, 5))) for _ in range(count)]


def turned(text: str) -> str:
    return " ".join(reversed(text.split()))


@pytest.fixture(scope="module", params=[pytest.param("words", marks=pytest.mark.full), "subwords"])
def turner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes the words of a sentence from back to front."""
    size = {"vocab_size": 40} if request.param == "subwords" else {}
    pairs = [{"source": text, "target": turned(text)} for text in sentences(3000)]
    folder = tmp_path_factory.mktemp(request.param) / "run"
    return learn("transduce/reverse", folder, **{"data.train": pairs, "codec.source": {"kind": request.param, **size}})


def right(found: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]]) -> float:
    """The share of links that are those expected."""
    links = [one == other for pairs, expected in found for one, other in zip(pairs, expected, strict=True)]
    assert len(links) > 100
    return sum(links) / len(links)


def test_a_copy_is_aligned_on_the_diagonal_by_characters(copier: Path) -> None:
    predictor = api.load(copier)
    items = predictor.task.read().dev
    found = predictor.predict([item.raw["source"] for item in items], alignments=True, beam_size=3, n_best=2)
    pairs = []
    for prediction in found:
        for each in prediction.n_best:
            assert each.alignment is not None
            assert list(each.alignment.source) == list(prediction.input)
            assert list(each.alignment.output) == list(each.output)
            assert all(0 <= weight <= 1 + 1e-6 for row in each.alignment.weights for weight in row)
            assert all(sum(row) <= 1 + 1e-5 for row in each.alignment.weights)
            if each.output == prediction.input:
                pairs.append((each.alignment.pairs, [(place, place) for place in range(len(each.output))]))
        assert prediction.alignment == prediction.n_best[0].alignment
    assert right(pairs) > 0.97
    alone = predictor.predict(found[7].input, alignments=True, beam_size=3)[0].alignment
    assert alone is not None and found[7].alignment is not None
    for row, other in zip(alone.weights, found[7].alignment.weights, strict=True):
        assert row == pytest.approx(other, abs=1e-5)


def test_turned_sentences_are_aligned_on_the_anti_diagonal_by_words(turner: Path) -> None:
    predictor = api.load(turner)
    texts = sentences(100)
    pairs, pieces = [], 0
    for prediction in predictor.predict(texts, alignments=True):
        if prediction.output == turned(prediction.input):
            assert prediction.alignment is not None
            assert list(prediction.alignment.source) == prediction.input.split()
            words = len(prediction.input.split())
            pieces += len(predictor.task.codecs["source"].encode(prediction.input)) - 1 - words
            pairs.append((prediction.alignment.pairs, [(words - 1 - place, place) for place in range(words)]))
    assert right(pairs) > 0.97
    assert (pieces > 100) == ("subwords" in str(turner.parent)), "a word is made of several subwords, or of one symbol"


def test_chosen_hypotheses_are_aligned_as_they_are(copier: Path) -> None:
    """Those that minimum Bayes risk brings to the front, not those that the search had there."""
    predictor = api.load(copier)
    options = {"samples": 6, "temperature": 3.0, "seed": 2, "alignments": True}
    changed = 0
    for text in ("abcdef", "hello", "zzyx"):
        [free], [chosen] = (predictor.predict(text, mbr=mbr, n_best=3, **options) for mbr in (None, "chrf"))
        by_output = {each.output: each for each in predictor.predict(text, n_best=6, **options)[0].n_best[::-1]}
        changed += free.output != chosen.output
        for each in chosen.n_best:
            assert each.alignment is not None and "".join(each.alignment.output) == each.output
            other = by_output[each.output].alignment
            assert other is not None
            for row, expected in zip(each.alignment.weights, other.weights, strict=True):
                assert row == pytest.approx(expected, abs=1e-5)
    assert changed


def test_an_ensemble_is_aligned_by_its_mean(copier: Path) -> None:
    together = api.load([copier, copier]).predict("abcdef", alignments=True)[0].alignment
    alone = api.load(copier).predict("abcdef", alignments=True)[0].alignment
    assert together is not None and alone is not None
    for row, other in zip(together.weights, alone.weights, strict=True):
        assert row == pytest.approx(other, abs=1e-5)


def test_columns_and_fields(run: Run, copier: Path, tmp_path: Path) -> None:
    words = ("predict", copier, "--input", write(tmp_path / "in.txt", "abc", "", "dcba"), "--alignments")
    code, out, _ = run(*words, "hard")
    assert code == 0 and out == "abc\t0-0 1-1 2-2\n\t\ndcba\t0-0 1-1 2-2 3-3\n"
    code, out, _ = run(*words, "soft")
    output, weights = out.splitlines()[0].split("\t")
    rows = [[float(weight) for weight in row.split(",")] for row in weights.split(" ")]
    assert code == 0 and output == "abc" and [max(range(3), key=row.__getitem__) for row in rows] == [0, 1, 2]
    code, out, _ = run(*words, "hard", "--beam-size", "2", "--n-best", "2")
    first = out.splitlines()[0].split("\t")
    assert code == 0 and (first[0], first[2:]) == ("1", ["abc", "0-0 1-1 2-2"])
    for form in ("hard", "soft"):
        code, out, _ = run(*words, form, "--format", "jsonl")
        lines = [json.loads(line) for line in out.splitlines()]
        alignment = lines[0]["alignment"]
        assert code == 0 and alignment["pairs"] == [[0, 0], [1, 1], [2, 2]]
        assert (alignment["source"], alignment["output"]) == (["a", "b", "c"], ["a", "b", "c"])
        assert ("weights" in alignment) == (form == "soft") == ("weights" in lines[0]["n_best"][0]["alignment"])
        assert lines[1]["alignment"]["pairs"] == [] and "value" not in lines[0]
    code, out, _ = run(*words[:-1], "--format", "jsonl")
    assert code == 0 and "alignment" not in json.loads(out.splitlines()[0])


def test_what_does_not_attend_is_refused(run: Run, tmp_path: Path, copier: Path) -> None:
    train(tmp_path / "plain", "model.decoder={kind: rnn, embed_dim: 8, hidden_dim: 16}")
    code, out, err = run("predict", tmp_path / "plain", "--input", "/dev/null", "--alignments", "hard")
    assert (code, out) == (2, "") and "RnnDecoder has none to show" in err and "--alignments" in err
    with pytest.raises(UsageError, match="choose a decoder with attention"):
        api.load(tmp_path / "plain").predict("abc", alignments=True)
    assert run("predict", copier, "--input", "/dev/null", "--alignments", "fuzzy")[0] == 2
