"""`training.compile` changes how an update is computed, not what."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from anyseq.errors import UsageError
from anyseq.tasks.devices import refuse_without_compiler
from tiny_runs import events

SMALL = (
    *("data.generator.train=64", "data.generator.dev=8", "data.generator.test=8", "codec.source=words"),
    *("training.max_steps=3", "training.warmup_steps=1", "training.batch_tokens=128", "training.validate_every=1"),
    *(f"model.{part}.{key}" for part in ("encoder", "decoder") for key in ("model_dim=16", "ffn_dim=16", "dropout=0")),
)


@pytest.mark.full
def test_the_losses_are_the_same(tmp_path: Path) -> None:
    found = []
    for compiled in ("false", "true"):
        folder = tmp_path / compiled
        words = ["train", "translate/transformer", "--output", folder, "--threads", "1", "--device", "cpu", *SMALL]
        command = [sys.executable, "-m", "anyseq", *words, f"training.compile={compiled}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr
        found.append([event["loss"] for event in events(folder)])
    assert len(found[0]) == 6 and found[1] == pytest.approx(found[0], rel=1e-5)


def test_without_a_compiler_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UsageError, match="there is no C\\+\\+ compiler"):
        refuse_without_compiler(torch.device("cpu"))
