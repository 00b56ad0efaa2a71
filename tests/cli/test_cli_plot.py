from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from anyseq.core import Item
from anyseq.tasks.base import Task
from anyseq.tasks.decoding import Prediction

Run = Callable[..., tuple[int, str, str]]


def draw(self: Task, items: Sequence[Item], predictions: Sequence[Prediction], path: Path) -> None:
    pairs = zip(items, predictions, strict=True)
    path.write_text(" ".join(f"{item.raw['source']}>{found.output}" for item, found in pairs))


def test_all_predictions_are_drawn_at_the_end(
    run: Run, shouter: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(shouter.task), "plots", True)
    monkeypatch.setattr(type(shouter.task), "plot", draw)
    source, picture = tmp_path / "in.txt", tmp_path / "out.png"
    source.write_text("a\nb\n")
    words = ("predict", "shouter", "--input", source, "--plot", picture)
    assert run(*words) == (0, "A\nB\n", "") and picture.read_text() == "a>A b>B"
    code, _, told = run(*words)
    assert code == 2 and "out.png exists and was left as it is" in told
    assert run(*words, "--overwrite") == (0, "A\nB\n", "")
    (empty := tmp_path / "empty.txt").write_text("")
    assert run("predict", "shouter", "--input", empty, "--plot", tmp_path / "none.svg") == (0, "", "")
    assert not (tmp_path / "none.svg").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--plot", "x.png"], "no picture of its predictions"),
        (["--plot", "x.txt"], "a picture ends in .png, .svg, .pdf"),
        (["--plot", "none/x.png"], "there is no folder none"),
        (["--plot", "x.png", "--interactive"], "leave out --interactive and --every-step"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    words: list[str], told: str, run: Run, shouter: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.txt").write_text("a\n")
    code, out, err = run("predict", "shouter", "--input", "in.txt", *words)
    assert (code, out) == (2, "") and told in err and not (tmp_path / "x.png").exists()
