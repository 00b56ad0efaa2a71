"""Prepared data on several ranks, and when preparing or training is really killed."""

from __future__ import annotations

import json
import math
import os
import signal
from pathlib import Path
from random import Random

import pytest
import torch

from anyseq import api
from anyseq.core import Batch, Loss, LossPart, Model, Noise
from anyseq.data import batching
from anyseq.data.store import sources
from anyseq.data.store.store import Store
from anyseq.training.objectives.cross_entropy import CrossEntropy
from several import together
from tiny_runs import assert_same_run, ended, in_child, named, tensors, wait_for
from tiny_stores import RECIPE, TINY, Texts, prepare, train


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many shards, and several pools an epoch."""
    monkeypatch.setattr(sources, "SHARD_LINES", 20)
    monkeypatch.setattr(batching, "POOL_BATCHES", 3)


def test_two_ranks_learn_from_prepared_data_what_one_learns(texts: Texts, tmp_path: Path) -> None:
    prepare(texts, tmp_path / "store")
    words = [*TINY, *texts.dev, f"data.train={tmp_path}/store", "training.schedule=constant", "training.max_steps=6",
             "model.encoder.dropout=0", "model.decoder.dropout=0", "training.validate_every=6"]  # fmt: skip
    given = ["train", RECIPE, "--device", "cpu", "--output", tmp_path / "two", *words]
    found = together(2, "training.ranks_at_work:anyseq", *given)
    assert [code for code, *_ in found] == [0, 0], found
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batching, "POOL_BATCHES", 200)  # as there
        api.train(RECIPE, tmp_path / "one", device="cpu", threads=1, overrides=words)
    one, other = (tensors(tmp_path / name, 6) for name in ("one", "two"))
    for name in (name for name in one if name.startswith("weights")):
        torch.testing.assert_close(other[name], one[name], rtol=0, atol=2e-5)


def test_a_line_of_a_shard_that_spoils_an_update_is_named(
    texts: Texts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(texts, tmp_path / "store")
    forward = CrossEntropy.forward

    def spoilt(self: CrossEntropy, model: Model, batch: Batch, noise: Noise) -> Loss:
        factor = math.nan if model.training and any(item.line == 42 for item in batch.items) else 1.0
        parts = forward(self, model, batch, noise).parts.items()
        return Loss({name: LossPart(part.sum * factor, part.count, part.weight) for name, part in parts})

    monkeypatch.setattr(CrossEntropy, "forward", spoilt)
    train(tmp_path / "run", *texts.dev, f"data.train={tmp_path}/store", "training.max_steps=34")
    found = [json.loads(line) for line in (tmp_path / "run" / "incidents.jsonl").read_text().splitlines()]
    assert found and all(f"{texts.folder}/train.source:42" in each["items"] for each in found)


def test_going_on_in_the_middle_of_a_pool_is_never_having_stopped(texts: Texts, tmp_path: Path) -> None:
    prepare(texts, tmp_path / "store")
    words = (*texts.dev, f"data.train={tmp_path}/store", "training.schedule=constant", "training.max_steps=28")
    train(tmp_path / "whole", *words)
    train(tmp_path / "halves", *words[:-1], "training.max_steps=13")
    state = tmp_path / "halves" / "checkpoints" / "step_13" / "training" / "state.json"
    known = json.loads(state.read_text())
    assert known["pool"] and known["batch"]
    api.resume(tmp_path / "halves", overrides=["training.max_steps=28"], device="cpu", threads=1)
    one, other = (tensors(tmp_path / name, 28) for name in ("whole", "halves"))
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


@pytest.mark.full
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_training_that_is_killed_goes_on_bit_for_bit(texts: Texts, tmp_path: Path, seed: int) -> None:
    prepare(texts, tmp_path / "store")
    words = (*texts.dev, f"data.train={tmp_path}/store", "training.max_steps=60", "training.save_minutes=1e-9",
             "model.encoder.dropout=0.2", "training.accumulate=2")  # fmt: skip
    train(tmp_path / "whole", *words)
    folder = tmp_path / "run"

    def reached(step: int) -> bool:
        return (folder / "last").is_file() and named(folder, "last") >= step

    for step in sorted(Random(seed).sample(range(1, 55), 3)):
        begin = not (folder / "last").is_file()

        def work(begin: bool = begin) -> int:
            if begin:
                train(folder, *words)
            else:
                api.resume(folder, device="cpu", threads=1)
            return 0

        child = in_child(work, tmp_path / "errors")
        wait_for(lambda step=step: reached(step))
        os.kill(child, signal.SIGKILL)
        assert ended(child) == -signal.SIGKILL, (tmp_path / "errors").read_text()
    api.resume(folder, device="cpu", threads=1)
    assert_same_run(folder, tmp_path / "whole")


@pytest.mark.full
def test_preparing_that_is_killed_leaves_no_process_and_is_finished(texts: Texts, tmp_path: Path) -> None:
    words = [*TINY, *texts.train, *texts.dev]
    work = tmp_path / ".store.preparing"

    def done() -> set[str]:
        return {path.name for path in work.glob("shard_*.json")}

    def workers() -> list[str]:
        known = (path.parent / "children" for path in Path(f"/proc/{child}/task").glob("*/status"))
        return [each for path in known for each in path.read_text().split()]

    child = in_child(
        lambda: api.prepare_data(RECIPE, tmp_path / "store", overrides=words, workers=2) and None, tmp_path / "errors"
    )
    wait_for(lambda: len(done()) >= 3)
    started = workers()
    os.kill(child, signal.SIGKILL)
    assert ended(child) == -signal.SIGKILL, (tmp_path / "errors").read_text()
    wait_for(lambda: not any(Path(f"/proc/{each}").exists() for each in started))
    assert started and not (tmp_path / "store").exists() and len(done()) < 15
    kept = {name: (work / name).stat().st_mtime_ns for name in (each.replace("json", "symbols") for each in done())}
    notes: list[str] = []
    api.prepare_data(RECIPE, tmp_path / "store", overrides=words, workers=2, tell=lambda note, _: notes.append(note))
    assert any("going on where preparing stopped" in note for note in notes)
    assert {name: (tmp_path / "store" / name).stat().st_mtime_ns for name in kept} == kept
    api.prepare_data(RECIPE, tmp_path / "other", overrides=words, workers=1)
    assert Store(tmp_path / "store").digest == Store(tmp_path / "other").digest
