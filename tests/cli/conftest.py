from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import anyseq
from anyseq.api.use import Predictor
from anyseq.cli.main import main
from anyseq.config import load_recipe
from anyseq.core import Item
from anyseq.errors import ModelFolderError
from anyseq.tasks.decoding import Alternative, Prediction


class Shouter(Predictor):
    """A model that shouts: what comes out says what went in, and in which window."""

    def __init__(self) -> None:
        super().__init__(load_recipe("transduce/copy", {"search.beam_size": 5}).build())
        self.windows: list[list[str]] = []
        self.searches: list[dict[str, Any]] = []
        self.keys: list[int] = []

    def predict_items(
        self, items: Iterable[Item], window: int, *, alignments: bool = False, **search: Any
    ) -> Iterator[Prediction]:
        items = list(items)
        self.windows.append([item.raw["source"] for item in items])
        self.keys += [item.key for item in items]
        self.searches.append(search)
        for item in items:
            text = item.raw["source"]
            if text == "fail":
                raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
            loud = text.upper().replace("|", "\n")
            best = [Alternative(loud + "!" * n, -1.0 - n, -2.0, "end") for n in range(search.get("n_best", 1))]
            score = float("-inf") if text == "never" else -1.0
            yield Prediction(text, loud, score, -2.0, "end", best, len(text) > 20)


@pytest.fixture
def shouter(monkeypatch: pytest.MonkeyPatch) -> Shouter:
    """Every folder called `shouter` is a model now; no other is."""
    model = Shouter()

    def home_and_about(folder: Path) -> tuple[Path, dict[str, Any]]:
        if folder.name != "shouter":
            raise ModelFolderError(f"{folder} is no model folder")
        return folder, {}

    def load(folder: Path, *, device: str, threads: int | None, precision: str, trust: tuple[str, ...]) -> Shouter:
        return model

    api = ModuleType("anyseq.api")
    vars(api).update(load=load, home_and_about=home_and_about)
    monkeypatch.setitem(sys.modules, "anyseq.api", api)
    monkeypatch.setattr(anyseq, "api", api, raising=False)
    return model


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line; gives the exit code, stdout and stderr."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call
