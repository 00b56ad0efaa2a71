"""A text in one vector and back; vectors of sources, and who is near whom; what a model says step by step."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import anyseq
from anyseq import api
from anyseq.core import Padded, Symbols
from anyseq.data.prefixes import prefixes
from anyseq.models.encoders.bottleneck import BottleneckConfig
from anyseq.models.encoders.rnn import RnnEncoderConfig
from anyseq.tasks.embedding import nearest
from tiny_runs import main, write

SMALL = ("model.encoder.encoder.embed_dim=16", "model.encoder.encoder.hidden_dim=16", "model.encoder.dim=12",
    "model.decoder.embed_dim=16", "model.decoder.hidden_dim=32", "codec.source={kind: characters}")  # fmt: skip
QUICK = ("training.max_steps=120", "training.validate_every=60", "training.warmup_steps=9",
    "training.learning_rate=.02", "training.batch_tokens=300", "training.average=0")  # fmt: skip
WORDS = [f"{a}{b}{c}" for a in "bdfgk" for b in "aiou" for c in "lmnrs"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> api.Trained:
    folder = tmp_path_factory.mktemp("autoencode")
    texts = write(folder / "texts.txt", *WORDS)
    words = [*SMALL, *QUICK, f"data.train={texts}"]
    return anyseq.train("autoencode/text", folder / "model", device="cpu", threads=1, overrides=words)


def test_texts_come_back(trained: api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a vector of twelve numbers, also those it was not trained on."""
    texts = write(tmp_path / "texts.txt", *WORDS)
    assert main(["evaluate", str(trained.folder), "--data", str(texts), "--json", str(tmp_path / "f.json")]) == 0
    assert json.loads((tmp_path / "f.json").read_text())["metrics"]["exact_match"] > 90
    assert trained.trivial is not None and trained.trivial[1]["exact_match"] < 10
    assert trained.predictor.predict(["bal"])[0].output == "bal"


def test_vectors_of_sources(trained: api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = write(tmp_path / "texts.txt", "bal", "bam", "", "kos", "bal")
    out = tmp_path / "vectors.npy"
    command = ["embed", str(trained.folder), "--input", str(texts), "--output", str(out), "--nearest", "2"]
    assert main(command) == 0
    vectors = np.load(out)
    assert vectors.shape == (5, 12) and vectors.dtype == np.float32
    assert not vectors[2].any() and np.allclose(vectors[0], vectors[4], atol=1e-6)
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[0][:2] == ["1", "5"] and float(rows[0][2]) == pytest.approx(1, abs=1e-4) and rows[0][3] == "bal"
    assert len(rows) == 10
    # Neighbours and padding change no vector.
    assert np.allclose(trained.predictor.embed(["kos"])[0], vectors[3], atol=1e-5)
    assert main(command) == 2
    assert "was left as it is" in capsys.readouterr().err
    assert main(["embed", str(trained.folder), "--input", str(texts)]) == 2
    assert main([*command[:5], str(tmp_path / "vectors.txt")]) == 2
    assert "a name ends so" in capsys.readouterr().err and not (tmp_path / "vectors.txt").exists()
    table = write(tmp_path / "texts.tsv", "bal\tx", "bam\tx")
    assert main(["embed", str(trained.folder), "--input", str(table), "--nearest", "1"]) == 0
    assert "texts.tsv looks like a table" in capsys.readouterr().err


def test_the_nearest_are_those_with_the_largest_cosine() -> None:
    vectors = np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 3.0], [-1.0, 0.0]])
    places, cosines = nearest(vectors, 2)
    assert places.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert cosines[0].tolist() == pytest.approx([2 / (4.01**0.5), 0.0])
    assert nearest(vectors, 9)[0].shape == (4, 3)


def test_nothing_gets_past_the_vector() -> None:
    torch.manual_seed(1)
    encoder = BottleneckConfig(dim=5, encoder=RnnEncoderConfig(embed_dim=4, hidden_dim=4, num_layers=1)).build(
        Symbols(9)
    )
    encoder = encoder.eval()
    source = Padded(torch.tensor([[3, 4, 5, 0], [6, 0, 8, 8]]), torch.tensor([[True] * 4, [True, True, False, False]]))
    memory = encoder(source)
    assert memory.vectors.shape == (2, 1, 5) and memory.valid.all() and "states" not in memory
    assert torch.equal(memory.vectors[:, 0], memory.summary)
    alone = encoder(Padded(source.values[1:, :2], source.valid[1:, :2]))
    torch.testing.assert_close(alone.summary, memory.summary[1:])


def test_beginnings_of_a_text() -> None:
    assert prefixes(" one  two three ", "words") == ["one", "one  two", "one  two three"]
    text = "It was good. Was it? Not at all !"
    assert prefixes(text, "sentences") == ["It was good.", "It was good. Was it?", text]
    assert prefixes("so good . but long .", "sentences") == ["so good .", "so good . but long ."]
    assert prefixes("wait . . . what ? ! yes", "sentences")[:-1] == ["wait . . .", "wait . . . what ? !"]
    assert prefixes("很好。不好！", "sentences") == ["很好。", "很好。不好！"]
    assert prefixes("", "words") == prefixes(" ", "sentences") == []


def test_a_label_after_every_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"it was {word} {n}\t{label}" for n in range(30) for word, label in (("good", "up"), ("bad", "down"))]
    table, model = write(tmp_path / "t.tsv", *rows), tmp_path / "m"
    words = ["model.encoder.embed_dim=8", "model.encoder.hidden_dim=8", "codec.source.min_count=1"]
    words += ["training.max_steps=60", "training.warmup_steps=5", "training.validate_every=30"]
    words += ["training.learning_rate=0.02"]
    assert main(["train", "classify/words", "--output", str(model), f"data.train={table}", *words]) == 0
    capsys.readouterr()
    source = write(tmp_path / "in.txt", "it was good 3", "", "bad")
    assert main(["predict", str(model), "--input", str(source), "--every-step", "words"]) == 0
    found = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [(row[0], row[1]) for row in found] == [("1", "1"), ("1", "2"), ("1", "3"), ("1", "4"), ("3", "1")]
    assert found[2][3] == "up" and found[2][4] == "it was good" and found[4][3] == "down"
    assert all(0 < float(row[2]) <= 1 for row in found)
    steps = ["predict", str(model), "--input", str(source), "--every-step"]
    assert main([*steps, "sentences", "--format", "jsonl"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[1])["line"] == 3
    assert main([*steps, "words", "--samples", "2"]) == 2
