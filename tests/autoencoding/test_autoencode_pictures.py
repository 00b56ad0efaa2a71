"""Pictures in one vector and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import anyseq
from anyseq.core import Item
from anyseq.errors import ConfigError
from tiny_runs import main

pytest.importorskip("sklearn")
TINY = ("training.max_steps=300", "training.validate_every=150")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> anyseq.api.Trained:
    folder = tmp_path_factory.mktemp("pictures") / "model"
    return anyseq.train("autoencode/pictures", folder, threads=1, device="cpu", overrides=TINY)


def test_less_is_lost_than_by_principal_components(trained: anyseq.api.Trained) -> None:
    assert trained.test is not None and trained.trivial is not None
    assert trained.trivial[0] == "8 principal components"
    assert trained.test.metrics["mse"] < 0.9 * trained.trivial[1]["mse"]


def test_as_many_components_as_pixels_lose_nothing(trained: anyseq.api.Trained) -> None:
    """And of two directions that hold all that varies, one loses what the other holds."""
    task = trained.predictor.task
    draw = np.random.default_rng(1)
    first, second = np.zeros((8, 8)), np.zeros((8, 8))
    first[0], second[1] = 3.0, 1.0
    pictures = [100 + draw.normal() * first + draw.normal() * second for _ in range(400)]
    items = [Item({"source": each, "target": each}, key) for key, each in enumerate(pictures)]
    dim = task.model.encoder.summary_dim  # type: ignore[attr-defined]
    try:
        task.model.encoder.summary_dim = 1  # type: ignore[attr-defined]
        found = task.trivial(items, items)
        expected = np.var([each[1, 0] for each in pictures]) * 8 / 64 / 255**2
        assert found is not None and found.metrics["mse"] == pytest.approx(expected, rel=0.05)
        task.model.encoder.summary_dim = 64  # type: ignore[attr-defined]
        found = task.trivial(items, items)
        assert found is not None and found.metrics["mse"] == pytest.approx(0, abs=1e-12)
    finally:
        task.model.encoder.summary_dim = dim  # type: ignore[attr-defined]


def test_components_are_of_a_part_of_a_large_train(
    trained: anyseq.api.Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no more of it is held as numbers of 64 bits."""
    task: Any = trained.predictor.task
    read: list[int] = []
    pixels = task._pixels
    monkeypatch.setattr(task, "_pixels", lambda items: read.append(len(items)) or pixels(items))
    monkeypatch.setattr("anyseq.tasks.autoencode.pictures._MOST_COMPARED", 100)
    items = task.read().dev[:90]
    assert task.trivial(items * 3, items).metrics["mse"] > 0 and read == [90, 90]


def test_pictures_of_ones_own(trained: anyseq.api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no digit comes back worse; vectors, a figure and a picture of it."""
    items = trained.predictor.task.read_test()
    assert items is not None
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, item in enumerate(items[:8]):
        Image.fromarray(item.raw["source"]).save(folder / f"{number}.png")
    noise = np.random.default_rng(1).integers(0, 256, (8, 8)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    (folder / "notes.txt").write_text("no picture")
    command = ["predict", str(trained.folder), "--input", str(folder), "--plot", str(tmp_path / "back.png")]
    assert main(command) == 0
    told = capsys.readouterr()
    rows = [line.split("\t") for line in told.out.splitlines()]
    errors = {Path(name).name: float(value) for name, value in rows if value}
    assert "stopped" not in told.err
    assert len(errors) == 9 and errors["noise.png"] == max(errors.values())
    with Image.open(tmp_path / "back.png") as drawn:
        assert drawn.size[0] > 300
    (folder / "notes.txt").unlink()
    assert main(["evaluate", str(trained.folder), "--data", str(folder)]) == 0
    assert "mse" in capsys.readouterr().out
    vectors = tmp_path / "vectors.npy"
    assert main(["embed", str(trained.folder), "--input", str(folder), "--output", str(vectors)]) == 0
    assert np.load(vectors).shape == (9, 8)


def test_pictures_come_by_rows(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"row by row|number of places"):
        anyseq.train("autoencode/pictures", tmp_path / "m", overrides={"codec.source.by": "whole"})
