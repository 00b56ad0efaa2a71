"""Losses and gradients that are not finite, and batches larger than memory: what is done, and what is said."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from pydantic import Field

from anyseq import api
from anyseq.core import Batch, Loss, LossPart, Model, Noise
from anyseq.errors import Interrupted, RunError
from anyseq.tasks import fitting
from anyseq.training.incidents import places
from anyseq.training.loop import Trainer, Validation
from anyseq.training.objectives.base import ObjectiveConfig
from anyseq.training.objectives.cross_entropy import CrossEntropy
from anyseq.training.returning import decides
from anyseq.training.rollouts import Rollouts
from tiny_runs import assert_same_run, events, named, steps, tensors, train, write

POISON = "nnn"
STILL = ("model.encoder.dropout=0", "model.decoder.dropout=0", "training.schedule=constant")


class Faulty(CrossEntropy):
    """As it is, but for what is planted: items, updates, and batches that are too large."""

    spoilt: ClassVar[Callable[[int], bool]] = staticmethod(lambda call: False)
    calls: ClassVar[int] = 0
    largest: ClassVar[float] = math.inf
    stop_at: ClassVar[int] = 0

    def __init__(self, factor: float) -> None:
        super().__init__(0.0)
        self.factor = factor
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, model: Model, batch: Batch, noise: Noise) -> Loss:
        loss = super().forward(model, batch, noise)
        if not model.training:
            return loss
        if len(batch.items) > Faulty.largest:
            raise torch.OutOfMemoryError("planted")
        Faulty.calls += 1
        if Faulty.calls == Faulty.stop_at:
            os.kill(os.getpid(), signal.SIGINT)
        spoilt = Faulty.spoilt(Faulty.calls) or any(item.raw["source"] == POISON for item in batch.items)
        [(name, part)] = loss.parts.items()
        total = part.sum * self.factor if spoilt else part.sum
        self.seen += total.detach()
        return Loss({name: LossPart(total, part.count)})


class FaultyConfig(ObjectiveConfig):
    factor: Literal["nan", "inf"] = Field("nan", description="of the loss where it is spoilt")

    def build(self, rollouts: Rollouts | None = None) -> Faulty:
        return Faulty(float(self.factor))


FAULTY = (f"objective.kind={__name__}:FaultyConfig", *STILL)


@pytest.fixture(autouse=True)
def _nothing_planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Faulty, "calls", 0)
    monkeypatch.setattr(Faulty, "largest", math.inf)
    monkeypatch.setattr(Faulty, "stop_at", 0)
    monkeypatch.setattr(Faulty, "spoilt", staticmethod(lambda call: False))


def spoil(monkeypatch: pytest.MonkeyPatch, which: Callable[[int], bool]) -> None:
    monkeypatch.setattr(Faulty, "spoilt", staticmethod(which))


def incidents(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "incidents.jsonl").read_text(encoding="utf-8").splitlines()]


class Listening:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def noted(self, note: str, severity: str = "note") -> None:
        self.notes.append(note)

    def reported(self, report: object) -> None: ...

    def validated(self, step: int, metrics: object, best: bool) -> None: ...

    def ended(self, reason: str) -> None: ...


@pytest.mark.parametrize("factor", ["nan", "inf"])
def test_a_line_that_spoils_the_loss_is_named_and_its_updates_are_skipped(tmp_path: Path, factor: str) -> None:
    lines = ["".join("abcdefgh"[(i + j) % 8] for j in range(1 + i % 5)) for i in range(60)]
    lines[41] = POISON
    data = write(tmp_path / "train.tsv", *(f"{line}\t{line}" for line in lines))
    told = Listening()
    words = (f"data.train={data}", "training.batch_tokens=48", "training.max_steps=24", f"objective.factor={factor}")
    folder = tmp_path / "run"
    trained = train(folder, *FAULTY, *words, "training.average=0.9", "data.check=off", listener=told)
    assert trained.ended == "24 updates made (training.max_steps)"
    found = incidents(folder)
    assert len(found) >= 2 and all(each["kind"] == "not_finite" for each in found)
    assert all(f"{data}:42" in each["items"] and each["done"] == "no update was made" for each in found)
    assert {each["loss"] for each in found} == {factor}
    assert any(f"{len(found)} updates were not made" in note for note in told.notes)
    assert any(f"step {found[0]['step']}" in note and f"{data}:" in note for note in told.notes)
    for name, tensor in tensors(folder, 24).items():
        assert not tensor.is_floating_point() or bool(tensor.isfinite().all()), name
    state = json.loads((folder / "checkpoints" / "step_24" / "training" / "state.json").read_text())
    assert (state["skipped"], state["slowed"], state["returns"]) == (len(found), 1.0, 0)
    assert all(math.isfinite(each["loss"]) for each in events(folder) if each["kind"] == "training")


def test_a_skipped_update_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, lambda call: call > 4)
    words = ("training.validate_every=2", "training.keep_checkpoints=9", "training.average=0.9")
    train(tmp_path / "run", *FAULTY, *words, "training.max_steps=8")
    four, eight = tensors(tmp_path / "run", 4), tensors(tmp_path / "run", 8)
    assert four.keys() == eight.keys()
    assert [name for name in four if not torch.equal(four[name], eight[name]) and "random" not in name] == []
    assert steps(tmp_path / "run") == [2, 4, 6, 8]
    [last] = [each for each in events(tmp_path / "run") if (each["kind"], each["step"]) == ("training", 8)]
    assert "loss" not in last


@pytest.mark.parametrize("stop_at", [8, *(pytest.param(call, marks=pytest.mark.full) for call in (3, 10))])
def test_going_on_between_skipped_updates_is_never_having_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    words = [*FAULTY, "training.max_skipped_updates=3", "training.average=0.9"]

    def run(folder: Path) -> None:
        monkeypatch.setattr(Faulty, "calls", 0)
        spoil(monkeypatch, lambda call: call in {3, 7, 8, 9, 14})
        train(folder, *words, "training.max_steps=16")

    run(tmp_path / "whole")
    monkeypatch.setattr(Faulty, "stop_at", stop_at)
    with pytest.raises(Interrupted):
        run(tmp_path / "run")
    api.resume(tmp_path / "run", device="cpu", threads=1, trust=[__name__])
    kinds = [each["kind"] for each in incidents(tmp_path / "whole")]
    assert kinds == ["not_finite"] * 4 + ["went_back"] + ["not_finite"]
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_after_so_many_in_a_row_it_goes_back_and_on_more_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda call: 6 <= call <= 8)
    told, folder = Listening(), tmp_path / "run"
    words = ("training.max_skipped_updates=3", "training.keep_checkpoints=9", "training.warmup_steps=0")
    train(folder, *FAULTY, *words, "training.learning_rate=0.01", listener=told)
    found = incidents(folder)
    assert [each["kind"] for each in found] == ["not_finite"] * 3 + ["went_back"]
    assert (found[-1]["step"], found[-1]["done"], found[-1]["learning_rate"]) == (8, "to step 4", 0.005)
    assert any("goes back to step 4" in note for note in told.notes)
    rates = {each["step"]: each["learning_rate"] for each in events(folder) if each["kind"] == "training"}
    assert rates == {4: 0.01, 8: 0.005, 12: 0.005}
    state = json.loads((folder / "checkpoints" / "step_12" / "training" / "state.json").read_text())
    assert (state["slowed"], state["returns"], state["skipped"]) == (0.5, 0, 3)
    # The data go on from where they were: twelve updates and four that were made anew.
    plan = len(list(_positions(folder)))
    assert state["epoch"] * plan + state["batch"] == 16


def _positions(folder: Path) -> list[torch.Tensor]:
    from anyseq.config import load_resolved

    config = load_resolved(folder, trust=[__name__])
    task = config.build()
    splits = task.read()
    task.fit_codecs(splits.train)
    return task.batches(fitting.Examples(task, task.select(splits)).lengths, 128).epoch(0)


def test_what_is_read_late_is_the_same_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, where nothing is read after each update."""
    real = fitting.Trainer

    def late(**given: Any) -> Trainer:
        trainer = real(**given)
        trainer.guard.late = True
        return trainer

    words = [*FAULTY, "training.average=0.9", "training.max_steps=24", "training.validate_every=24"]
    spoil(monkeypatch, lambda call: call in {3, 7, 8, 21})
    train(tmp_path / "soon", *words)
    monkeypatch.setattr(Faulty, "calls", 0)
    monkeypatch.setattr(fitting, "Trainer", late)
    train(tmp_path / "late", *words)
    assert_same_run(tmp_path / "late", tmp_path / "soon")
    assert incidents(tmp_path / "late") == incidents(tmp_path / "soon") != []
    spoil(monkeypatch, lambda call: call > 5)
    with pytest.raises(RunError, match=r"in a row.*also after going back 3 times"):
        train(tmp_path / "given up", *words[:-1], "training.validate_every=4")


def test_it_is_given_up_with_an_explanation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, lambda call: call > 5)
    folder = tmp_path / "run"
    with pytest.raises(RunError) as caught:
        train(folder, *FAULTY, "training.max_skipped_updates=2")
    message = str(caught.value)
    assert "2 updates in a row had a loss or gradient that is not finite, also after going back 3 times" in message
    assert "The last batch: item" in message and "training.learning_rate" in message and "incidents.jsonl" in message
    assert [each["done"] for each in incidents(folder) if each["kind"] == "went_back"] == ["to step 4"] * 3
    assert steps(folder) == [4] and named(folder, "last") == 4
    assert api.load(folder, trust=[__name__]).predict("ab")


def test_a_huge_learning_rate_is_given_up_and_no_poisoned_weight_is_saved(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ("training.learning_rate=1e38", "training.warmup_steps=0", "training.grad_clip_norm=null")
    with pytest.raises(RunError, match="given up at step"):
        train(folder, *words)
    assert [each["done"] for each in incidents(folder) if each["kind"] == "went_back"] == ["to step 0"] * 3
    for step in steps(folder):
        assert all(bool(each.isfinite().all()) for each in tensors(folder, step).values() if each.is_floating_point())


def test_a_validation_without_a_number_is_never_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, values = fitting.validator, iter([math.nan, 0.1, math.inf])

    def validator(*given: Any) -> Callable[[], Validation]:
        validate = real(*given)

        def spoilt() -> Validation:
            value = next(values)
            return Validation({**validate().metrics, "loss": value}, (value, 0.0))

        return spoilt

    monkeypatch.setattr(fitting, "validator", validator)
    told = Listening()
    train(tmp_path / "run", listener=told)
    assert named(tmp_path / "run", "best") == 8
    found = incidents(tmp_path / "run")
    assert [(each["kind"], each["step"], each["loss"]) for each in found] == [
        ("validation", 4, "nan"), ("validation", 12, "inf")
    ]  # fmt: skip
    assert any("never the best" in note for note in told.notes)
    assert decides((0.0, -math.inf)) and not decides((0.0, math.nan)) and not decides((-math.inf,))


def test_a_batch_larger_than_memory_is_halved_and_its_gradient_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tmp_path / "whole", *FAULTY)
    monkeypatch.setattr(Faulty, "largest", 7)
    told = Listening()
    train(tmp_path / "run", *FAULTY, listener=told)
    one, other = tensors(tmp_path / "whole", 12), tensors(tmp_path / "run", 12)
    names = [name for name in one if name.startswith(("weights", "training/optimiser"))]
    for name in names:
        torch.testing.assert_close(one[name], other[name], rtol=1e-3, atol=1e-5)
    found = incidents(tmp_path / "run")
    assert {(each["kind"], each["done"]) for each in found} == {("too_large", "halved")}
    assert len(found) < 12 and any("does not fit into memory" in note for note in told.notes)


def test_a_row_larger_than_memory_is_named_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = Faulty.forward

    def picky(self: Faulty, model: Model, batch: Batch, noise: Noise) -> Loss:
        if model.training and any(item.key == 17 for item in batch.items):
            raise torch.OutOfMemoryError("planted")
        return forward(self, model, batch, noise)

    monkeypatch.setattr(Faulty, "forward", picky)
    trained = train(tmp_path / "run", *FAULTY)
    assert trained.ended.startswith("12 updates")
    alone = [each for each in incidents(tmp_path / "run") if each["done"] == "left out"]
    assert alone and all(each["items"] == ["item 17"] for each in alone)
    monkeypatch.setattr(Faulty, "largest", 0)
    with pytest.raises(RunError, match=r"5 updates in a row had no item that fits.*data.max_length"):
        train(tmp_path / "none", *FAULTY)


def test_places_are_short() -> None:
    from anyseq.core import Item

    items = [Item({}, key, "train.tsv", key + 1) for key in range(14)]
    assert places(items) == "train.tsv:1,2,3,4,5,6,7,8,9,10,11,12 and 2 more"
    assert places([Item({}, 3), Item({}, 4), Item({}, 0, "a.wav")]) == "items 3,4, a.wav"
