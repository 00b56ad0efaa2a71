"""A label of the sentence before its tags."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import anyseq
from anyseq import api
from anyseq.data.synthetic.commands import CommandsConfig
from anyseq.metrics.tags import LabelAccuracy, SpanF1, TagAccuracy, label_of, tags_of
from anyseq.tasks.tag.task import legal
from tiny_runs import main, write

TINY = ("model.encoder.embed_dim=48", "model.encoder.hidden_dim=48", "model.encoder.num_layers=1",
    "data.generator.train=1200", "data.generator.dev=60", "data.generator.test=150", "training.max_steps=150",
    "training.learning_rate=.01")  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> api.Trained:
    folder = tmp_path_factory.mktemp("intents") / "model"
    return anyseq.train("tag/intents", folder, threads=1, device="cpu", overrides=TINY)


def test_what_is_wanted_and_of_what(trained: api.Trained) -> None:
    """Names are invented, other ones in each split: the words around tell which town is left and which is reached."""
    assert trained.test is not None and trained.trivial is not None
    for name, least in (("label_accuracy", 97), ("f1", 90), ("accuracy", 95)):
        assert trained.test.metrics[name] > least > trained.trivial[1][name]


def test_one_label_and_a_tag_for_each_token(trained: api.Trained) -> None:
    texts = ["wake me at nine", "something quite else", "play lurem by dofan"]
    for search in ({}, {"beam_size": 4, "n_best": 4}, {"samples": 6}):
        for found, text in zip(trained.predictor.predict(texts, **search), texts, strict=True):
            for each in found.n_best:
                first, *tags = each.output.split()
                assert first.startswith("[") and first.endswith("]") and len(tags) == len(text.split())
                assert not any(tag.startswith("[") for tag in tags)


def test_the_joint_probability_is_what_search_reports(trained: api.Trained) -> None:
    [found] = trained.predictor.predict(["wake me at nine"], beam_size=4, n_best=2)
    given = api.pairs(data=[("wake me at nine", each.output) for each in found.n_best])[0]
    scores = [each.log_prob for each in trained.predictor.score(given)]
    assert scores == pytest.approx([each.log_prob for each in found.n_best], abs=1e-4)


def test_a_label_stands_first_and_nowhere_else() -> None:
    tags = ("", "\ufffd", "[a]", "O", "B-x", "I-x")
    table = legal(tags, iob=True, labelled=True)
    assert table[-1].tolist() == [False, True, True, False, False, False]
    assert table[2].tolist() == [True, True, False, True, True, False]
    assert table[4].tolist() == [True, True, False, True, True, True]
    assert torch.equal(legal(tags, iob=False, labelled=False), torch.ones(7, 6, dtype=torch.bool))


def test_metrics_keep_label_and_tags_apart() -> None:
    output, reference = ["[a-b] B-x O", "[c] O O"], [["[a-b] B-x I-x"], ["[d] O B-x"]]
    assert (label_of("[a-b] O"), label_of("O O"), label_of("")) == ("a-b", "", "")
    assert tags_of("[a-b] B-x O") == ["B-x", "O"] == tags_of("B-x O")
    assert LabelAccuracy().measure(output, reference).value == 50
    assert TagAccuracy().measure(output, reference).value == 50
    assert SpanF1().measure(output, reference).value == 0
    assert SpanF1().measure(["[a-b] B-x I-x"], [["[z] B-x I-x"]]).value == 100


def test_labels_that_lack_or_are_not_expected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{item.raw['source']}\t{item.raw['target']}" for item in CommandsConfig(train=60).generate("train")]
    source, target = rows[7].split("\t")
    rows[7] = f"{source}\t{target.split(' ', 1)[1]}"
    table = write(tmp_path / "t.tsv", *rows)
    assert main(["check", "tag/intents", f"data.train={table}"]) == 2
    said = capsys.readouterr().out
    assert "1 of 54 sentences have no label before their tags" in said and "t.tsv:8" in said
    assert main(["check", "tag/crf", f"data.train={table}"]) == 2
    assert "model.decoder.label=max" in capsys.readouterr().out
