from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from anyseq.cli.main import main
from tiny_runs import train


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line; gives the exit code, stdout and stderr."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that was trained a little; not to be changed."""
    folder = tmp_path_factory.mktemp("model") / "run"
    train(folder, "training.keep_checkpoints=5", "search.max_length=20", "data.max_length=16")
    return folder
