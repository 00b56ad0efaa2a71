"""Embeddings that start from word vectors, and vocabularies brought along, through whole runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from anyseq import api
from anyseq.errors import ConfigError, DataError
from anyseq.training.progress import Silent
from tiny_runs import named, write

Run = Callable[..., tuple[int, str, str]]
PAIRS = [(f"{a} {b} .", f"{b} {a}") for a in ("red", "blue", "old", "new") for b in ("dog", "cat", "bird", "fish")]
VECTORS = ["3 4", "dog 1 2 3 4 ", "red -1 -2 -3 -4 ", ". 0.5 0.5 0.5 0.5 "]
TINY = {
    "data.train": PAIRS * 4, "data.dev": PAIRS[:4], "codec.source": {"kind": "words"},
    "model.encoder.embed_dim": 4, "model.encoder.hidden_dim": 4,
    "model.decoder.embed_dim": 4, "model.decoder.hidden_dim": 8,
    "training.max_steps": 4, "training.validate_every": 2, "training.batch_tokens": 40,
}  # fmt: skip
ROWS = {" dog": [1.0, 2, 3, 4], " red": [-1.0, -2, -3, -4], " .": [0.5] * 4}


def train(folder: Path, **given: Any) -> api.Trained:
    overrides = TINY | {key.replace("__", "."): value for key, value in given.items()}
    return api.train("transduce/copy", folder, device="cpu", threads=1, overrides=overrides)


def embedding(folder: Path, name: str, step: int | None = None) -> torch.Tensor:
    step = named(folder, "last") if step is None else step
    (weight,) = (
        tensor
        for key, tensor in load_file(folder / "checkpoints" / f"step_{step}" / "weights.safetensors").items()
        if key == name
    )
    return weight


SOURCE, TARGET = "encoder.embed.weight", "_decoder.fed_back.embed.weight"


def rows(trained: api.Trained, side: str, weight: torch.Tensor) -> dict[str, list[float]]:
    shown: Any = trained.predictor.task.codecs[side]
    return {part: weight[symbol].tolist() for symbol, part in enumerate(shown.shown)}


class Heard(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def noted(self, note: str, severity: str = "note") -> None:
        self.notes.append(note)


def test_what_fresh_weights_start_from_is_told_once(tmp_path: Path) -> None:
    file, heard = write(tmp_path / "vectors.vec", *VECTORS), Heard()
    overrides = TINY | {"model.vectors": {"source": str(file)}}
    trained = api.train("transduce/copy", tmp_path / "run", device="cpu", listener=heard, overrides=overrides)
    assert [note for note in heard.notes if note.startswith("model.vectors.source")] == trained.notes


def test_frozen_vectors_stay_and_the_model_needs_no_file(tmp_path: Path) -> None:
    file, folder = write(tmp_path / "vectors.vec", *VECTORS), tmp_path / "run"
    trained = train(folder, model__vectors={"source": str(file), "freeze": True}, training__average=0.5)
    assert trained.notes == [
        f"model.vectors.source: 3 of 9 entries of the vocabulary start from {file}, 6 as usual ('bird', 'blue', 'cat', "
        "'fish', 'new' ...)"
    ]
    found = rows(trained, "source", embedding(folder, SOURCE))
    assert {part: row for part, row in found.items() if part in ROWS} == ROWS
    others = [row for part, row in found.items() if part not in ROWS]
    assert len(others) == 8 and all(0 < torch.tensor(row).norm() < 3 for row in others)
    first = min(int(path.name[5:]) for path in (folder / "checkpoints").iterdir())
    assert torch.equal(embedding(folder, SOURCE, first), embedding(folder, SOURCE))
    file.unlink()
    moved = Path(shutil.move(folder, tmp_path / "moved"))
    assert api.load(moved, device="cpu").predict(["red dog ."]) == trained.predictor.predict(["red dog ."])
    before = embedding(moved, SOURCE)
    api.resume(moved, more_steps=2, device="cpu", overrides={"data": {"train": PAIRS * 4, "dev": PAIRS[:4]}})
    assert torch.equal(embedding(moved, SOURCE), before)
    going_on = api.train(
        "transduce/copy", tmp_path / "on", start_from=moved, device="cpu",
        overrides=TINY | {"model.vectors.source": "gone.vec", "training.average": 0.0},
    )  # fmt: skip
    assert not any("start from" in note for note in going_on.notes)
    assert not torch.equal(embedding(tmp_path / "on", SOURCE), before)


def test_vectors_of_both_sides_are_where_training_starts(tmp_path: Path) -> None:
    file = write(tmp_path / "vectors.txt", *VECTORS[1:])
    vectors = {"source": str(file), "target": str(file)}
    still = train(tmp_path / "still", model__vectors=vectors, training__learning_rate=1e-9, training__average=0.0)
    for side, name in (("source", SOURCE), ("target", TARGET)):
        found = rows(still, side, embedding(tmp_path / "still", name))
        for part, row in ROWS.items():
            if part in found:
                assert found[part] == pytest.approx(row, abs=1e-4)
    assert "model.vectors.target: 2 of 8 entries" in still.notes[1]
    moving = train(tmp_path / "moving", model__vectors=vectors)
    dog = rows(moving, "source", embedding(tmp_path / "moving", SOURCE))[" dog"]
    assert dog != pytest.approx(ROWS[" dog"], abs=1e-4) and dog == pytest.approx(ROWS[" dog"], abs=0.1)


def test_a_joint_embedding_has_one_file(tmp_path: Path) -> None:
    file = write(tmp_path / "vectors.txt", *VECTORS)
    joint = {"codec__joint": True, "model__share_embeddings": True}
    trained = train(tmp_path / "run", model__vectors={"source": str(file), "freeze": True}, **joint)
    assert rows(trained, "target", embedding(tmp_path / "run", SOURCE))[" dog"] == ROWS[" dog"]
    with pytest.raises(ConfigError, match=r"one embedding: give vectors\.source"):
        train(tmp_path / "other", model__vectors={"target": str(file)}, **joint)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    wide, broken = write(tmp_path / "wide.txt", "dog 1 2 3 4 5"), write(tmp_path / "broken.txt", "dog 1 2 3 4", "red 1")
    advice = r"the vectors are 5 wide, the model's embedding is 4; set the width of model\.encoder \(embed_dim"
    with pytest.raises(DataError, match=advice):
        train(tmp_path / "run", model__vectors={"source": str(wide)})
    with pytest.raises(DataError, match=r"broken\.txt:2: a word and 4 numbers are expected, here are 1 numbers"):
        train(tmp_path / "run", model__vectors={"target": str(broken)})
    with pytest.raises(ConfigError, match="freeze keeps embeddings that start from word vectors"):
        train(tmp_path / "run", model__vectors={"freeze": True})
    assert not (tmp_path / "run").exists()
    report = api.check(
        "transduce/copy", device="cpu", overrides=TINY | {"model.vectors.source": str(write(tmp_path / "v", *VECTORS))}
    )
    assert any(note.startswith("model.vectors.source: 3 of 9") for note in report.notes)


def test_from_the_command_line(run: Run, tmp_path: Path) -> None:
    """A vocabulary for each side; what neither lists is unknown, and the folder needs no file."""
    source = write(tmp_path / "source.txt", "red", "blue", "dog", "cat", "zebra", ".")
    target = write(tmp_path / "target.txt", "dog", "cat", "red")
    pairs = write(tmp_path / "pairs.tsv", *("\t".join(pair) for pair in PAIRS * 4))
    words = [f"{key}={value}" for key, value in TINY.items() if key.startswith(("model", "training"))]
    words += [f"data.train={pairs}", "codec.source.kind=words", f"codec.source.vocabulary={source}"]
    folder = tmp_path / "run"
    code, _, err = run("train", "transduce/copy", "--output", folder, *words)
    assert code == 2 and "codec.source.vocabulary is the source's; give the target's codec too" in err
    words += ["codec.target.kind=words", f"codec.target.vocabulary={target}"]
    code, _, err = run("train", "transduce/copy", "--output", folder, "--device", "cpu", *words)
    assert code == 0, err
    source.unlink(), target.unlink()
    predictor = api.load(folder, device="cpu")
    codecs: Any = predictor.task.codecs
    assert codecs["source"].shown[2:] == (" red", " blue", " dog", " cat", " zebra", ".", " .")
    assert codecs["target"].shown[2:] == (" dog", " cat", " red")
    assert codecs["target"].decode(codecs["target"].encode("dog blue")) == "dog \ufffd"
