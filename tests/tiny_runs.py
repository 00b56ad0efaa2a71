"""Real runs, as small as they can be: what the tests of whole runs share."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from anyseq import api
from anyseq.cli.main import main

RECIPE = "transduce/copy"
TINY = (
    *("data.generator.train=200", "data.generator.dev=10", "data.generator.test=10", "data.generator.max_length=6"),
    *("model.encoder.embed_dim=8", "model.encoder.hidden_dim=8"),
    *("model.decoder.embed_dim=8", "model.decoder.hidden_dim=16"),
    *("training.batch_tokens=128", "training.max_steps=12", "training.validate_every=4"),
)
TIMES = {"minutes", "tokens_per_second", "seconds", "wait_share", "memory_mb", "minutes_left"}


def train(folder: Path, *words: str, **options: Any) -> api.Trained:
    """Train the tiny recipe, changed by some words."""
    return api.train(RECIPE, folder, device="cpu", threads=1, overrides=[*TINY, *words], **options)


def write(path: Path, *lines: str) -> Path:
    """Write lines of text."""
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def events(folder: Path) -> list[dict[str, Any]]:
    """What `metrics.jsonl` says, without times."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [{key: value for key, value in json.loads(line).items() if key not in TIMES} for line in lines]


def named(folder: Path, name: str) -> int:
    """The step that `best` or `last` names."""
    text = (folder / name).read_text()
    assert text.startswith("step_") and text.endswith("\n"), text
    return int(text[5:])


def steps(folder: Path) -> list[int]:
    """The steps that have a checkpoint."""
    return sorted(int(path.name.removeprefix("step_")) for path in (folder / "checkpoints").iterdir())


def tensors(folder: Path, step: int) -> dict[str, torch.Tensor]:
    """Every tensor of a checkpoint, by file and name."""
    from safetensors.torch import load_file

    home = folder / "checkpoints" / f"step_{step}"
    return {
        f"{file.relative_to(home)}:{name}": tensor
        for file in home.rglob("*.safetensors")
        for name, tensor in load_file(file).items()
    }


def listing(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with what it holds."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_same_run(one: Path, other: Path) -> None:
    """Two runs that ended alike: weights and all state, events, and what is best and last."""
    assert events(one) == events(other)
    assert (named(one, "best"), named(one, "last")) == (named(other, "best"), named(other, "last"))
    assert steps(one) == steps(other)
    for step in steps(one):
        left, right = tensors(one, step), tensors(other, step)
        assert left.keys() == right.keys()
        assert [name for name in left if not torch.equal(left[name], right[name])] == []


def in_child(work: Callable[[], int | None], errors: Path) -> int:
    """Do some work in a child process that shares what is loaded; gives its id. Its stderr goes to a file."""
    child = os.fork()
    if child:
        return child
    code: int | None = 99
    try:
        with errors.open("w") as stream:
            sys.stderr = stream
            signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                code = work()
            except BaseException:
                traceback.print_exc(file=stream)
    finally:
        os._exit(code or 0)


def ended(child: int) -> int:
    """Wait for a child; its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def cli_in_child(errors: Path, *words: str | Path) -> int:
    """Run a command line in a child process; gives its id."""
    return in_child(lambda: main([str(word) for word in words]), errors)


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.002)
