"""What fits into memory is found before the first step, and leaves nothing behind."""

from __future__ import annotations

import json
import mmap
from pathlib import Path

import pytest
import torch
from torch import Tensor

from anyseq import api
from anyseq.config import load_resolved
from anyseq.tasks import fitting
from anyseq.training.room import LARGEST, ProcessRoom, most_tokens
from tiny_runs import RECIPE, TINY, assert_same_run, train


class Shelf:
    """Holds so much, of which a place of a batch takes one."""

    def __init__(self, free: int) -> None:
        self.left, self.most = free, 0

    def free(self) -> int:
        return self.left

    def begin(self) -> None:
        self.most = 0

    def taken(self) -> int:
        return self.most


@pytest.mark.parametrize(
    ("free", "kept", "device", "found"),
    [(10**9, 0, "cpu", LARGEST["cpu"]), (10**9, 0, "cuda", LARGEST["cuda"]), (4000, 0, "cpu", 1984),
     (4000, 1000, "cpu", 960), (10, 0, "cpu", 64)],
)  # fmt: skip
def test_it_grows_as_long_as_there_is_room(free: int, kept: int, device: str, found: int) -> None:
    lengths, tried = torch.arange(1, 65).repeat(1000), []
    shelf = Shelf(free)

    def attempt(rows: Tensor) -> None:
        assert int(lengths[rows].min()) == 64, "the longest are tried"
        tried.append(64 * len(rows))
        shelf.most = max(shelf.most, tried[-1])

    assert most_tokens(lengths, attempt, shelf, kept, device) == found
    assert tried == sorted(tried) and max(tried[:-1], default=0) <= max(1, found)


def test_out_of_memory_ends_the_trials_and_few_data_bound_them() -> None:
    lengths = torch.full((10_000,), 8)

    def attempt(rows: Tensor) -> None:
        if 8 * len(rows) > 1500:
            raise torch.OutOfMemoryError("planted")

    assert most_tokens(lengths, attempt, Shelf(10**9), 0, "cuda") == 1024
    assert most_tokens(lengths[:500], lambda rows: None, Shelf(10**9), 0, "cuda") == 200  # 20 batches an epoch
    assert most_tokens(lengths[:3], lambda rows: None, Shelf(10**9), 0, "cuda") == 8


def test_this_process_is_measured() -> None:
    room = ProcessRoom()
    assert room.free() > 2**20
    room.begin()
    # Pages of its own: malloc may have some left that are resident.
    held = torch.frombuffer(mmap.mmap(-1, 2**26), dtype=torch.float32).fill_(1)
    assert room.taken() >= 2**25 and held[0] == 1


def test_auto_is_resolved_written_down_and_changes_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["training.batch_tokens=auto", "training.average=0.9"]
    train(tmp_path / "auto", *words)
    tokens = load_resolved(tmp_path / "auto").training.batch_tokens
    assert isinstance(tokens, int)
    train(tmp_path / "same", f"training.batch_tokens={tokens}", words[1])
    assert_same_run(tmp_path / "auto", tmp_path / "same")
    monkeypatch.setattr(fitting, "most_tokens", lambda *given: pytest.fail("a run that goes on keeps what it has"))
    api.resume(tmp_path / "auto", device="cpu", threads=1, more_steps=2)
    monkeypatch.undo()
    report = api.check(RECIPE, device="cpu", overrides=[*TINY, *words])
    assert report.estimate is not None and report.estimate.batch_tokens == tokens
    assert json.loads((tmp_path / "auto" / "results.json").read_text())["step"] == 14
