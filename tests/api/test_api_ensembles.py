"""Several models in one command: ensembles, and models that help to choose."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from anyseq import api
from anyseq.core import Item
from anyseq.errors import ConfigError, UsageError
from anyseq.metrics.surface import Chrf
from tiny_runs import train, write

Run = Callable[..., tuple[int, str, str]]
LINES = ["abcde", "", "hello", "fedcab", "aa"]
SEARCH = ("--beam-size", "3", "--length-penalty", "0.6")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models of one target: of another architecture, of another source codec; and one of another target."""
    home = tmp_path_factory.mktemp("models")
    changes: dict[str, list[str]] = {
        "model": [],
        "plain": ["model.decoder={kind: rnn, embed_dim: 8, hidden_dim: 16}", "model.encoder.hidden_dim=12"],
        "pieces": ["codec.source={kind: subwords, vocab_size: 40}", "codec.target={kind: characters}"],
        "upper": ["codec.source={kind: characters, min_count: 40}"],
    }
    for number, (name, words) in enumerate(changes.items()):
        more = ("training.max_steps=80", "training.validate_every=80", "search.max_length=20", "data.max_length=16")
        train(home / name, *words, *more, f"training.seed={number + 5}")
    return {name: home / name for name in changes}


def item(source: str, target: str) -> Item:
    return Item({"source": source, "target": target})


def jsonl(run: Run, *words: str | Path) -> list[dict[str, object]]:
    code, out, err = run("predict", *words, "--format", "jsonl", "--device", "cpu")
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


def test_copies_of_one_model_are_that_model(run: Run, folders: dict[str, Path], tmp_path: Path) -> None:
    source = write(tmp_path / "in.txt", *LINES)
    one, two = (
        jsonl(run, *[folders["model"]] * count, "--input", source, *SEARCH, "--n-best", "2") for count in (1, 2)
    )
    assert [[each["output"] for each in line["n_best"]] for line in one] == [
        [each["output"] for each in line["n_best"]] for line in two
    ]
    for name in ("score", "log_prob"):
        assert [line[name] for line in two] == pytest.approx([line[name] for line in one], abs=1e-5)


@pytest.mark.parametrize("names", [["model", "plain"], ["model", "pieces", "plain"], ["pieces", "model"]], ids="+".join)
def test_6_score_says_what_predict_says(run: Run, folders: dict[str, Path], tmp_path: Path, names: list[str]) -> None:
    models = [folders[name] for name in names]
    found = jsonl(run, *models, "--input", write(tmp_path / "in.txt", *LINES), *SEARCH)
    assert found[1]["output"] == ""
    ended = [line for line in found if line["stopped"] == "end" and line["input"]]
    assert ended
    source = write(tmp_path / "source.txt", *(str(line["input"]) for line in ended))
    target = write(tmp_path / "target.txt", *(str(line["output"]) for line in ended))
    code, out, err = run("score", *models, "--source", source, "--target", target, *SEARCH)
    assert code == 0, err
    for line, scored in zip(ended, out.splitlines(), strict=True):
        assert [line["log_prob"], line["score"]] == pytest.approx([*map(float, scored.split())], abs=1e-4)


def test_the_log_probability_is_that_of_the_mean_at_each_step(folders: dict[str, Path]) -> None:
    """Of the end alone it can be told from the members' own numbers."""
    names = ["model", "plain", "pieces"]
    empty = [item(source, "") for source in LINES if source]
    alone = [[each.log_prob for each in api.load(folders[name]).score(empty)] for name in names]
    together = api.load([folders[name] for name in names]).score(empty)
    for row, scored in enumerate(together):
        expected = math.log(sum(math.exp(own[row]) for own in alone) / 3)
        assert scored.log_prob == pytest.approx(expected, abs=1e-5)
        assert max(own[row] for own in alone) - min(own[row] for own in alone) > 1e-3


def test_evaluate_takes_ensembles_and_compares_with_paired(run: Run, folders: dict[str, Path], tmp_path: Path) -> None:
    source, target = write(tmp_path / "s.txt", "abc", "de"), write(tmp_path / "t.txt", "abc", "de")
    files = ("--source", source, "--target", target, "--json", tmp_path / "out.json")
    losses = []
    for models in (["model"], ["plain"], ["model", "plain"]):
        code, _, err = run("evaluate", *(folders[name] for name in models), *files)
        assert code == 0, err
        losses.append(json.loads((tmp_path / "out.json").read_text())["metrics"]["loss"])
    assert min(losses[:2]) != losses[2] and losses[2] < max(losses[:2])
    code, out, _ = run("evaluate", folders["model"], folders["plain"], "--paired", *files)
    systems = json.loads((tmp_path / "out.json").read_text())["systems"]
    assert code == 0 and [each["metrics"]["loss"] for each in systems] == pytest.approx(losses[:2])
    assert str(folders["plain"]) in out


def test_members_of_other_symbols_are_refused_by_name(run: Run, folders: dict[str, Path], tmp_path: Path) -> None:
    source = write(tmp_path / "in.txt", "abc")
    for other, hint in (("upper", "symbols in the first"), ("words", "Characters in the first, Words in the second")):
        if other == "words":
            train(tmp_path / "words", "codec.source={kind: characters}", "codec.target={kind: words, min_count: 1}")
        folder = folders.get(other, tmp_path / other)
        code, out, err = run("predict", folders["model"], folder, "--input", source)
        assert (code, out) == (2, "") and hint in err and err.count("\n") == 1, err
        assert str(folder) in err and str(folders["model"]) in err and "--rerank-with" in err


def test_the_same_number_of_symbols_is_not_enough(folders: dict[str, Path], tmp_path: Path) -> None:
    pairs = [("abc", "cba"), ("bca", "acb")] * 60
    twins = {}
    for name, letter in (("one", "c"), ("two", "d")):
        lines = (f"{source}\t{target.replace('c', letter)}" for source, target in pairs)
        train(tmp_path / name, f"data.train={write(tmp_path / f'{name}.tsv', *lines)}")
        twins[name] = tmp_path / name
    with pytest.raises(UsageError, match=r"'c' for .* in the first, 'd' in the second"):
        api.load([twins["one"], twins["two"]])
    assert api.load([twins["one"], twins["one"]]).predict("abc")


def test_no_model_is_refused() -> None:
    with pytest.raises(UsageError, match="no model is given"):
        api.load([])


def test_reranking_is_a_weighted_sum_of_scores(run: Run, folders: dict[str, Path], tmp_path: Path) -> None:
    search = {"beam_size": 4, "length_penalty": 0.6}
    plain, other = api.load(folders["model"]), api.load(folders["upper"])
    for weight in (0.0, 0.3, 1.0):
        predictor = api.load(folders["model"], rerank_with=folders["upper"], rerank_weight=weight)
        for line in ("abcde", "hello"):
            [free] = plain.predict(line, n_best=4, **search)
            own = {each.output: each for each in reversed(free.n_best)}
            [found] = predictor.predict(line, n_best=4, **search)
            assert {each.output for each in found.n_best} == set(own)
            values = []
            for each in found.n_best:
                [theirs] = other.score([item(line, each.output)], **search)
                assert (each.score, each.log_prob) == pytest.approx((own[each.output].score, own[each.output].log_prob))
                assert each.value == pytest.approx((1 - weight) * each.score + weight * theirs.score, abs=1e-5)
                values.append((each.stopped != "end", -float(each.value or 0)))
            assert values == sorted(values)
            [best] = predictor.predict(line, **search)
            assert len(best.n_best) == 1 and best.output == found.n_best[0].output
    source = write(tmp_path / "in.txt", *LINES)
    words = ("--input", source, "--rerank-with", folders["upper"], "--rerank-with", folders["plain"])
    code, out, err = run("predict", folders["model"], *words, "--beam-size", "3")
    assert code == 0 and out.count("\n") == len(LINES), err


def test_backwards_models_score_the_source(folders: dict[str, Path]) -> None:
    predictor = api.load(
        folders["model"], rerank_with=[folders["plain"], folders["pieces"]], rerank_weight=1.0, rerank_backwards=True
    )
    [found] = predictor.predict("abcde", samples=6, n_best=3)
    for each in found.n_best:
        scores = [api.load(folders[name]).score([item(each.output, "abcde")])[0].score for name in ("plain", "pieces")]
        assert each.value == pytest.approx(sum(scores) / 2, abs=1e-5)


def test_what_cannot_choose_is_refused(run: Run, folders: dict[str, Path], tmp_path: Path) -> None:
    source = write(tmp_path / "in.txt", "abc")
    words = ("predict", folders["model"], "--input", source)
    other = ("--rerank-with", folders["plain"])
    for more, hint in (
        (("--rerank-weight", "0.5"), "add --rerank-with MODEL"),
        (("--rerank-backwards",), "add --rerank-with MODEL"),
        ((*other, "--beam-size", "1"), "set samples or beam_size to 2 or more, not 1"),
        ((*other, "--beam-size", "3", "--mbr", "chrf"), "set mbr to null"),
        ((*other, "--rerank-weight", "1.5"), "--rerank-weight"),
        (("--mbr", "chrf", "--beam-size", "1"), "mbr chooses among several"),
        (("--mbr", "blue", "--beam-size", "3"), "did you mean 'bleu'?"),
        (("--mbr", "{kind: chrf, wordorder: 2}", "--beam-size", "3"), "did you mean 'word_order'?"),
    ):
        code, out, err = run(*words, *more)
        assert (code, out) == (2, "") and hint in err, err
    assert run(*words, *other, "--beam-size", "3", "--mbr", "null")[0] == 0
    with pytest.raises(UsageError, match="it must be in 0 to 1"):
        api.load(folders["model"], rerank_with=folders["plain"], rerank_weight=-0.1)


@pytest.mark.parametrize("form", ["chrf", "{kind: chrf, word_order: 2, lowercase: true}"])
def test_minimum_bayes_risk_by_words(run: Run, folders: dict[str, Path], tmp_path: Path, form: str) -> None:
    source = write(tmp_path / "in.txt", *LINES)
    words = ("--input", source, "--samples", "12", "--seed", "3", "--mbr", form)
    found = jsonl(run, folders["model"], *words, "--n-best", "4")
    every = jsonl(run, folders["model"], *words[:-2])
    metric = Chrf() if form == "chrf" else Chrf(lowercase=True, word_order=2)
    for line, drawn in zip(found, every, strict=True):
        if not line["input"]:
            assert line["output"] == "" and "value" not in line["n_best"][0]
            continue
        samples = [each["output"] for each in drawn["n_best"]]
        assert len(samples) == 12 and "value" not in drawn
        for each in line["n_best"]:
            expected = sum(metric.sentences([each["output"]] * 12, [[other] for other in samples])) / 12
            assert each["value"] == pytest.approx(expected, abs=1e-6)
        assert (line["output"], line["value"]) == (line["n_best"][0]["output"], line["n_best"][0]["value"])
        ended = [each["value"] for each in line["n_best"] if each["stopped"] == "end"]
        assert ended == sorted(ended, reverse=True)
    code, out, _ = run("predict", folders["model"], *words)
    assert code == 0 and out.splitlines() == [str(line["output"]) for line in found], "one line out for each line in"
    code, out, _ = run("predict", folders["model"], *words, "--n-best", "2")
    first = out.splitlines()[0].split("\t")
    assert code == 0 and float(first[1]) == pytest.approx(found[0]["value"], abs=1e-4), "what ranks it is shown"


def test_a_recipe_may_choose_by_risk_and_evaluation_does_so(run: Run, tmp_path: Path) -> None:
    trained = train(tmp_path / "run", "search.samples=8", "search.mbr=bleu")
    assert all(each.value is not None for each in trained.dev.predictions if each.input)
    again = api.load(tmp_path / "run")
    assert again.task.config.search.mbr is not None
    assert [each.output for each in again.predict([each.input for each in trained.dev.predictions])] == [
        each.output for each in trained.dev.predictions
    ]
    free = again.predict(["abcde"], mbr=None)[0]
    assert free.value is None and len(free.n_best) == 8
    by_name = again.predict(["abcde"], mbr={"kind": "chrf", "word_order": 1}, n_best=2)[0]
    assert by_name.value is not None and len(by_name.n_best) <= 2
    with pytest.raises(ConfigError, match=r"(?s)2 faults.*did you mean 'chrf'.*unknown key 'beams'"):
        again.predict(["abcde"], mbr="chrff", beams=3)
