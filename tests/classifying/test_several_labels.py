"""Several labels of one text: a vector of yes and no."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest
import torch

import anyseq
from anyseq.config import load_recipe
from anyseq.core import Decoder, Item, Memory, Padded, Vectors
from anyseq.data.codecs.label_set import LabelSet, LabelSetConfig
from anyseq.errors import ConfigError, DataError, UsageError
from anyseq.metrics.sets import LabelF1
from anyseq.models.decoders.base import MemoryShape
from anyseq.models.decoders.vector import VectorDecoderConfig
from anyseq.models.emissions.bernoulli import BernoulliConfig
from anyseq.search.scoring import score
from anyseq.tasks.splits import Splits
from laws import cases
from tiny_runs import main, write

TINY = (
    *("training.max_steps=300", "training.validate_every=150", "data.generator.train=2000", "data.generator.dev=50"),
    *("data.generator.test=200", "model.encoder.embed_dim=48", "model.encoder.hidden_dim=48"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> anyseq.api.Trained:
    folder = tmp_path_factory.mktemp("labels") / "model"
    return anyseq.train("classify/labels", folder, threads=1, device="cpu", overrides=TINY)


def test_several_labels_are_learnt(trained: anyseq.api.Trained) -> None:
    """The most frequent set is right for less than a third of the texts."""
    assert trained.test is not None
    assert trained.test.metrics["exact_match"] > 80 and trained.test.metrics["label_f1"] > 90
    assert trained.trivial is not None and trained.trivial[1]["exact_match"] < 35
    assert "teacher_forced_perplexity" not in trained.test.metrics


def test_none_one_and_two(trained: anyseq.api.Trained, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    texts = ["the price is fine .", "my parcel has not arrived .", "i was charged twice , and i cannot sign in .", ""]
    found = [each.output for each in trained.predictor.predict(texts)]
    assert found == ["-", "delivery", "account, price", ""]
    file = write(tmp_path / "in.txt", *texts)
    assert main(["predict", str(trained.folder), "--input", str(file), "--format", "jsonl"]) == 0
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["output"] for row in rows] == found and rows[0]["log_prob"] < 0
    assert {row["stopped"] for row in rows} == {"end"} and "stopped" not in err
    with pytest.raises(UsageError, match="gives vectors"):
        trained.predictor.predict(texts, prefix="del")
    with pytest.raises(UsageError, match="emits no symbols"):
        trained.predictor.predict(texts, beam_size=2)


def test_its_log_prob_is_the_score_of_the_set_and_all_sets_sum_to_one() -> None:
    torch.manual_seed(1)
    decoder = cases.unlike_new(VectorDecoderConfig(emission=BernoulliConfig()).build(MemoryShape(4, 5), Vectors(3)))
    assert isinstance(decoder, Decoder)
    memory = Memory(
        item=torch.arange(2), vectors=torch.randn(2, 3, 4, dtype=torch.float64),
        valid=torch.tensor([[True, True, False], [True, True, True]]),
    )  # fmt: skip
    sets = torch.tensor(list(product((0.0, 1.0), repeat=3)), dtype=torch.float64)[:, None].repeat(2, 1, 1)
    log_prob, _ = score(decoder, memory, Padded(sets, torch.ones(16, 1, dtype=torch.bool)))
    torch.testing.assert_close(log_prob.view(2, 8).exp().sum(1), torch.ones(2, dtype=torch.float64))


def test_a_set_is_decoded_to_its_canonical_form(tmp_path: Path) -> None:
    codec = LabelSetConfig().fit(["price, delivery", "price", "-", "account,price"])
    assert codec.labels[0] == "price" and codec.stream == Vectors(3)
    for text, canonical in {
        "price , delivery": "delivery, price", "-": "-", "": "-", "price,price": "price",
        "new, price, account": "account, price",
    }.items():  # fmt: skip
        assert codec.decode(codec.encode(text)) == canonical
    codec.save(tmp_path)
    assert LabelSet.load(tmp_path).encode("account").tolist() == codec.encode("account").tolist()
    with pytest.raises(DataError, match="no text has one"):
        LabelSetConfig().fit(["-", ""])


def test_f1_of_labels_by_hand() -> None:
    """3 right of 4 given, 5 wanted: 2 * 3 / 9."""
    metric = LabelF1()
    found = metric.measure(["a, b", "c", "-", "d"], [["b, a, e"], ["x"], ["-"], ["d"]])
    assert found.value == pytest.approx(200 * 3 / 9)
    assert metric.measure(["-"], [["-"]]).value == 100


def test_a_decoder_of_vectors_wants_some() -> None:
    with pytest.raises(ConfigError, match="the target's are symbols"):
        cases.PARTS["decoders"]["vector"][0].config.build(MemoryShape(4, 5), cases.Symbols(5))


def test_codec_and_metric_agree_on_what_stands_between_labels() -> None:
    with pytest.raises(ConfigError, match="labels stand apart by ';'"):
        anyseq.config.load_recipe("classify/labels", {"codec.target.separator": ";"})
    metrics = ["exact_match", {"kind": "label_f1", "separator": ";"}]
    assert anyseq.config.load_recipe("classify/labels", {"codec.target.separator": ";", "metrics": metrics})


def test_labels_with_another_separator_are_seen() -> None:
    task = load_recipe("classify/labels").build()
    items = [Item({"source": f"{n}", "target": target}, n) for n, target in enumerate(["a", "b", "a;b", "c/d"])]
    found = [each.message for each in task.examine(Splits(items, []), []) if "separator" in each.message]
    assert len(found) == 1 and "'a;b' is read as one label" in found[0] and "codec.target.separator=';'" in found[0]
