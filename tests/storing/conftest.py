from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch

from tiny_stores import Texts


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Texts:
    """Pairs in files: 300 to learn from, one of them empty; 20 to choose by."""
    monkeypatch.setenv("ANYSEQ_CACHE", str(tmp_path / "cache"))
    draw = Random(1)
    words = ["red", "blue", "green", "tall", "small", "round", "flat"]
    lines = [" ".join(draw.choices(words, k=draw.randint(1, 9))) for _ in range(320)]
    lines[17] = ""
    return Texts.write(tmp_path / "texts", lines)
