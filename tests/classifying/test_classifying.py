from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import anyseq
from anyseq.config import load_recipe
from anyseq.core import Item
from anyseq.data.codecs.labels import Labels, LabelsConfig
from anyseq.data.files import SIDES
from anyseq.errors import DataError
from anyseq.nn.pooling import AttentionPooling, MaxPooling, MeanPooling, Pooling
from anyseq.tasks.splits import Splits
from tiny_runs import main, write

TINY = (
    *("training.max_steps=320", "training.validate_every=160", "data.generator.train=3000", "data.generator.dev=50"),
    *("data.generator.test=200", "model.encoder.embed_dim=64", "model.encoder.hidden_dim=64"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> anyseq.api.Trained:
    folder = tmp_path_factory.mktemp("classify") / "model"
    return anyseq.train("classify/words", folder, threads=1, device="cpu", overrides=TINY)


def test_negation_and_a_change_of_mind_are_learnt(trained: anyseq.api.Trained) -> None:
    """Either label is right for half of the texts; a bag of words cannot tell which clause counts."""
    assert trained.test is not None and trained.test.metrics["exact_match"] > 85


def test_one_label_comes_out_with_its_probability(trained: anyseq.api.Trained) -> None:
    texts = ["the film was not dull , but the end was cold .", "", "something else entirely", "x" * 300]
    for search in ({}, {"beam_size": 2, "n_best": 2}, {"samples": 5}):
        found = trained.predictor.predict(texts, **search)
        assert [each.output == "" for each in found] == [False, True, False, False]
        assert all(each.output in ("positive", "negative") for each in found if each.output)
    # What is lacking to 1 is for labels that train lacks.
    both = trained.predictor.predict(texts[0], beam_size=2, n_best=2)[0].n_best
    assert {each.output for each in both} == {"positive", "negative"}
    assert sum(torch.tensor(each.log_prob).exp() for each in both) == pytest.approx(1, abs=2e-3)


def test_a_table_with_the_label_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{label}\tword{n} {text} ." for n in range(60) for label, text in (("ham", "hello"), ("spam", "money"))]
    rare = [f"rare one\tword{n} hello there" for n in range(4)]
    path = write(tmp_path / "train.tsv", *rows, "spam\tword1 hello .", *rare)
    words = [
        "training.max_steps=4",
        "training.validate_every=2",
        "model.encoder.embed_dim=8",
        "model.encoder.hidden_dim=8",
    ]
    command = [
        "train",
        "classify/words",
        "--output",
        str(tmp_path / "m"),
        f"data.train={path}",
        "data.label_first=true",
    ]
    assert main([*command, *words]) == 0
    told = capsys.readouterr().err
    assert "'spam' " in told and "fewer than 5 items: 'rare one'" in told and "another label, too" in told
    source = write(tmp_path / "in.txt", "word3 money .")
    assert main(["predict", str(tmp_path / "m"), "--input", str(source), "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out)["output"] in ("ham", "spam", "rare one")
    assert main([*command[:-1], *words, "--overwrite", "codec.target.most=50"]) == 2
    assert "label_first=true" in capsys.readouterr().err


@pytest.mark.parametrize("pooling", [MaxPooling(), MeanPooling(), AttentionPooling(3)])
def test_pooling_sees_what_is_valid_and_nothing_else(pooling: Pooling) -> None:
    torch.manual_seed(1)
    vectors, valid = torch.randn(2, 4, 3), torch.tensor([[True] * 4, [True, True, False, False]])
    pooled = pooling(vectors, valid)
    other = torch.where(valid[..., None], vectors, 9.0)
    torch.testing.assert_close(pooling(other, valid), pooled)
    torch.testing.assert_close(pooling(vectors[1:, :2], valid[1:, :2]), pooled[1:])
    assert not torch.allclose(pooling(torch.where(valid[..., None], -vectors, 0), valid), pooled)


def test_pooling_by_hand() -> None:
    vectors, valid = torch.tensor([[[1.0, 5.0], [3.0, 1.0], [9.0, 9.0]]]), torch.tensor([[True, True, False]])
    assert MaxPooling()(vectors, valid).tolist() == [[3, 5]]
    assert MeanPooling()(vectors, valid).tolist() == [[2, 3]]
    looking = AttentionPooling(2)
    torch.nn.init.zeros_(looking.score.weight)  # looks everywhere alike
    assert looking(vectors, valid).tolist() == [[2, 3]]


def test_a_label_is_a_whole_text(tmp_path: Path) -> None:
    codec = LabelsConfig().fit(["very good", "bad", "bad", " very  good "])
    assert codec.labels == ("bad", "very good") and codec.encode("very good").tolist() == [3, 0]
    assert codec.decode(codec.encode("bad")) == "bad" and codec.decode(codec.encode("new")) == "\ufffd"
    assert codec.encode("").tolist() == [0] and codec.decode(codec.encode("")) == ""
    codec.save(tmp_path)
    assert Labels.load(tmp_path).labels == codec.labels
    with pytest.raises(DataError, match="3 different labels"):
        LabelsConfig(most=2).fit(["a", "b", "c"])
    with pytest.raises(DataError, match="no labels"):
        LabelsConfig().fit([" "])


def test_what_stands_in_train_too_and_a_header_read_as_data_are_told() -> None:
    task = load_recipe("classify/words", {"data.train": "given.tsv"}).build()
    rows = [("text", "label"), ("so good", "praise"), ("so bad", "blame")]
    train = [Item(dict(zip(SIDES, row, strict=True)), key, "a.tsv", key + 1) for key, row in enumerate(rows)]
    dev = [Item({"source": "so bad", "target": "blame"}, 0, "b.tsv", 1), Item({"source": "?", "target": "blame"}, 1)]
    empty = Item({"source": "nothing", "target": ""}, 2)  # is left out; that is told where it is done
    told = [str(each) for each in task.examine(Splits([*train, empty], [*dev, empty]), [])]
    assert any("with 3 labels: 'label' 1, 'praise' 1, 'blame' 1" in each for each in told)
    assert not any("a label that train lacks" in each for each in told)
    told = [str(each) for each in task.examine(Splits(train, dev), []) if each.severity == "warning"]
    assert any("dev: 1 of 2 (50.00%) items stand in train too" in each and "(b.tsv:1)" in each for each in told)
    assert any("looks like names of columns: call them source, target" in each and "(a.tsv:1)" in each for each in told)
