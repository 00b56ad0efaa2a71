from __future__ import annotations

from pathlib import Path

import pytest
import torch
from matplotlib import rc_context

import anyseq
from anyseq.tasks.confusion import confusion, plot_confusion
from tiny_runs import main, write


def test_counts_by_hand() -> None:
    wanted, given = ["cat", "cat", "dog", "ant", "dog"], ["cat", "dog", "dog", "cat", "dog"]
    labels, table = confusion(wanted, given)
    assert labels == ["ant", "cat", "dog"]
    assert table.tolist() == [[0, 1, 0], [0, 1, 1], [0, 0, 2]]
    labels, table = confusion(wanted, given, most=2)
    assert labels == ["cat", "dog", "(others)"] and table.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]


def test_a_picture_of_very_many_labels(tmp_path: Path) -> None:
    names = [f"label {number}" for number in range(200)]
    with rc_context({"svg.fonttype": "none"}):  # words stay words
        plot_confusion(names, names[::-1], tmp_path / "many.svg")
    assert "0 of 200 right" in (tmp_path / "many.svg").read_text()


@pytest.mark.parametrize(
    ("recipe", "rows"),
    [
        ("classify/words", ["good day\tpraise", "bad day\tblame", "a good\tpraise", "a bad\tblame"]),
        ("tag/aligned", ["good day\tA N", "bad day\tA N", "a good\tD A", "a bad\tD A"]),
    ],
)
def test_evaluate_draws_it(recipe: str, rows: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(1)
    data = [tuple(row.split("\t")) for row in rows] * 5
    sizes = {"model": {"encoder": {"embed_dim": 8, "hidden_dim": 8}}}
    training = {"max_steps": 4, "validate_every": 4}
    anyseq.train(recipe, tmp_path / "m", data={"train": data, "dev": data, "check": "off"}, training=training, **sizes)
    path, picture = write(tmp_path / "dev.tsv", *rows), tmp_path / "confusion.png"
    assert main(["evaluate", str(tmp_path / "m"), "--data", str(path), "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG") and "items" in capsys.readouterr().out
    assert main(["evaluate", str(tmp_path / "m"), "--data", str(path), "--plot", str(picture)]) == 2
    assert main(["predict", str(tmp_path / "m"), "--input", str(path), "--plot", str(tmp_path / "x.png")]) == 2
    assert "anyseq evaluate --plot draws one" in capsys.readouterr().err
