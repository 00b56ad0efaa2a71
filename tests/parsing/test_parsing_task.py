from __future__ import annotations

import json
from pathlib import Path

import pytest

import anyseq
from anyseq.core.bracketed import read_tree, words
from anyseq.errors import UsageError
from anyseq.metrics.brackets import BracketScore
from run_time_types import unchecked
from tiny_runs import main, write

TINY = (
    *("training.max_steps=150", "training.validate_every=150", "data.generator.train=1000", "data.generator.dev=40"),
    *("data.generator.test=40", "training.batch_tokens=500", "training.learning_rate=1e-2", "training.average=0.95"),
    *("model.encoder.embed_dim=32", "model.encoder.hidden_dim=32", "model.encoder.num_layers=1"),
    *("model.decoder.embed_dim=32", "model.decoder.hidden_dim=64"),
)
TREES = ["(S (NP (NNP Anna)) (VP (VBD slept)) (. .))", "(S (NP (DT the) (NN dog)) (VP (VBZ barks)) (. .))"] * 10


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> anyseq.api.Trained:
    folder = tmp_path_factory.mktemp("guided") / "model"
    with unchecked():
        return anyseq.train("parse/guided", folder, threads=1, device="cpu", overrides=TINY)


def test_phrases_are_put_where_their_words_belong(trained: anyseq.api.Trained) -> None:
    assert trained.test is not None and trained.test.metrics["labelled_f1"] > 65
    assert trained.test.metrics["malformed"] == 0
    flat = [f"(S {' '.join(words(read_tree(given[0])))})" for given in trained.test.references]
    assert BracketScore("f1").measure(flat, trained.test.references).value < 40


def test_every_output_is_a_tree_whatever_is_given(trained: anyseq.api.Trained) -> None:
    texts = ["Zzyx !", "a", "", "  many   spaces here ", "a (b) (c", "the " * 40, "( )"]
    for precision in ("float32", "int8"):
        model = anyseq.load(trained.folder, device="cpu", threads=1, precision=precision)  # type: ignore[arg-type]
        for search in ({}, {"beam_size": 1}, {"samples": 2}, {"max_length": 45}):
            for text, found in zip(texts, model.predict(texts, **search), strict=True):
                escaped = text.replace("(", "-LRB-").replace(")", "-RRB-")
                assert list(words(read_tree(found.output))) == escaped.split()
                assert not found.repaired or search.get("max_length") == 45
    with pytest.raises(UsageError, match="prefix"):
        model.predict(["a"], forbid=("b",))


def test_the_command_line_reads_and_writes_trees(
    trained: anyseq.api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "in.txt", "the old man slept .", "")
    assert main(["predict", str(trained.folder), "--input", str(path), "--format", "jsonl", "--n-best", "2"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["output"].startswith("(S (NP (XX the) (XX old) (XX man))") and second["output"] == ""
    assert first["repaired"] is False and len(first["n_best"]) == 2
    trees = write(tmp_path / "gold.mrg", "( (S (NP-SBJ (DT the) (JJ old) (NN man))", "  (VP (VBD slept)) (. .)) )")
    figures = tmp_path / "figures.json"
    assert main(["evaluate", str(trained.folder), "--data", str(trees), "--json", str(figures)]) == 0
    metrics = json.loads(figures.read_text())["metrics"]
    assert metrics["labelled_f1"] == 100 and metrics["complete_match"] == 100 and metrics["malformed"] == 0
    capsys.readouterr()
    assert main(["score", str(trained.folder), "--data", str(trees)]) == 0
    assert float(capsys.readouterr().out.split()[0]) == pytest.approx(first["log_prob"], abs=1e-3)


def test_without_the_constraint_what_is_malformed_is_counted(tmp_path: Path) -> None:
    words = [*TINY[1:], "training.max_steps=3", "model.decoder.num_layers=1"]
    for recipe in ("parse/attention", "parse/plain"):
        own = [*words, "model.encoder.hidden_dim=64"] if recipe == "parse/plain" else words
        own = [*own, *("model.decoder.hidden_dim=64", "search.max_length=60")]
        run = anyseq.train(recipe, tmp_path / recipe.replace("/", "_"), threads=1, device="cpu", overrides=own)
        assert run.dev.metrics["malformed"] > 50
        assert all(read_tree(each.output) and each.repaired is not None for each in run.dev.predictions)


def test_faults_are_named_by_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "train.mrg", *TREES, "(S (NP (DT the)")
    assert main(["check", "parse/guided", f"data.train={path}"]) == 2
    assert "train.mrg:21" in capsys.readouterr().err
    rows = [*((" ".join(words(read_tree(tree))), tree) for tree in TREES), ("a b", "(S (NN a) (NN c))"), ("a", "(S (a")]
    path = write(tmp_path / "train.tsv", *("\t".join(row) for row in rows))
    assert main(["train", "parse/guided", "--output", str(tmp_path / "m"), f"data.train={path}"]) == 2
    said = capsys.readouterr().err
    assert "train.tsv:21" in said and "'c' where the sentence has 'b'" in said and "train.tsv:22" in said
    assert not (tmp_path / "m").exists()
