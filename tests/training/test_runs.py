"""What a run writes, when it ends, and what its settings do."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from anyseq import api
from anyseq.core import Loss, LossPart
from anyseq.training.gradients import backward
from anyseq.training.schedules import Moment, learning_rate
from anyseq.training.settings import TrainingConfig
from tiny_runs import events, listing, named, steps, tensors, train


def test_a_run_leaves_what_the_contract_names(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    trained = train(folder)
    assert {path.name for path in folder.iterdir()} == {
        *("config.yaml", "codecs", "metrics.jsonl", "checkpoints", "best", "last", "results.json", "training.html")
    }
    config = (folder / "config.yaml").read_text()
    assert all(f"  {key}: " in config for key in ("format", "anyseq", "torch", "data", "seed"))
    assert [name for name in listing(folder) if name.endswith((".pt", ".pkl", ".bin"))] == []
    found = events(folder)
    assert [(each["kind"], each["step"]) for each in found] == [
        (kind, step) for step in (4, 8, 12) for kind in ("training", "validation")
    ]
    assert set(found[0]) == {"kind", "step", "epoch", "share", "loss", "learning_rate"}
    assert set(found[1]) == {"kind", "step", "best", "exact_match", "cer", "loss", "teacher_forced_perplexity"}
    assert [each["share"] for each in found[::2]] == pytest.approx([1 / 3, 2 / 3, 1])
    assert found[1]["teacher_forced_perplexity"] == pytest.approx(math.exp(found[1]["loss"]))
    assert (named(folder, "last"), trained.ended) == (12, "12 updates made (training.max_steps)")
    assert trained.predictor.predict("abc")[0].output == api.load(folder).predict("abc")[0].output


def test_reports_between_validations_cover_every_update(tmp_path: Path) -> None:
    train(tmp_path / "run", "training.max_steps=50", "training.validate_every=30")
    assert [(each["kind"], each["step"]) for each in events(tmp_path / "run")] == [
        ("training", 20), ("training", 30), ("validation", 30), ("training", 40), ("training", 50), ("validation", 50)
    ]  # fmt: skip


@pytest.mark.parametrize("keep", [1, 2, 9])
def test_checkpoints_kept(tmp_path: Path, keep: int) -> None:
    """The newest ones and the best."""
    folder = tmp_path / "run"
    train(folder, f"training.keep_checkpoints={keep}", "training.max_steps=20", "training.learning_rate=1.0")
    validations = [event for event in events(folder) if event["kind"] == "validation"]
    best = max(event["step"] for event in validations if event["best"])
    assert named(folder, "best") == best
    assert set(steps(folder)) == {*[4, 8, 12, 16, 20][-keep:], best}


def test_the_loss_decides_among_equals(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(folder)
    validations = [event for event in events(folder) if event["kind"] == "validation"]
    assert {event["exact_match"] for event in validations} == {0.0}
    assert named(folder, "best") == min(validations, key=lambda event: event["loss"])["step"]


@pytest.mark.parametrize(("metric", "best"), [("loss", min), ("cer", min), ("exact_match", max)])
def test_patience_by_any_metric(tmp_path: Path, metric: str, best: object) -> None:
    folder = tmp_path / "run"
    words = ["training.patience=2", f"training.metric={metric}", "training.max_steps=200", "training.validate_every=2"]
    trained = train(folder, *words, "training.learning_rate=0.5", "training.warmup_steps=0")
    assert trained.ended == "2 validations without a better one (training.patience)"
    values = [event[metric] for event in events(folder) if event["kind"] == "validation"]
    assert best is min or best is max
    values = [-value for value in values] if best is min else values
    assert max(values[:-2]) >= max(values[-2:]), "the last two were better"
    for end in range(3, len(values)):
        assert max(values[: end - 2]) < max(values[end - 2 : end]), "it should have ended earlier"


def test_max_minutes_ends_a_run(tmp_path: Path) -> None:
    trained = train(tmp_path / "run", "training.max_minutes=0.001", "training.max_steps=null")
    assert "minutes spent (training.max_minutes)" in trained.ended
    assert events(tmp_path / "run")[-1]["kind"] == "validation"


def test_averaging(tmp_path: Path) -> None:
    """Off: the weights are those that training goes on from. On: the mean, by the stated decay."""
    words = ["training.max_steps=2", "training.validate_every=1", "training.keep_checkpoints=2"]
    train(tmp_path / "off", *words, "training.average=0")
    train(tmp_path / "on", *words, "training.average=0.99")
    off = [tensors(tmp_path / "off", step) for step in (1, 2)]
    on = [tensors(tmp_path / "on", step) for step in (1, 2)]
    prefix = "weights.safetensors:"
    assert not any("unaveraged" in name for name in off[1])
    names = [name.removeprefix(prefix) for name in off[1] if name.startswith(prefix)]
    decay = 3 / 12  # (1 + n) / (10 + n) at the second update, below 0.99
    for name in names:
        second = on[1][f"training/unaveraged.safetensors:{name}"]
        assert torch.equal(second, off[1][prefix + name])
        expected = decay * on[0][prefix + name] + (1 - decay) * second
        torch.testing.assert_close(on[1][prefix + name], expected)


def test_schedules() -> None:
    def rates(schedule: str, **settings: float) -> list[float]:
        return [
            learning_rate(schedule, 2.0, Moment(step, 10, step / 100, decay=0.3)) for step in (1, 5, 10, 40, 55, 100)
        ]

    assert rates("plateau") == pytest.approx([0.2, 1.0, 0.6, 0.6, 0.6, 0.6])
    assert rates("constant") == pytest.approx([0.2, 1.0, 2.0, 2.0, 2.0, 2.0])
    assert rates("inverse_sqrt") == pytest.approx([0.2, 1.0, 2.0, 1.0, 2 * (10 / 55) ** 0.5, 2 * 0.1**0.5])
    cosine = [2 * 0.5 * (1 + math.cos(math.pi * share)) for share in (0.1, 0.4, 0.55, 1.0)]
    assert rates("cosine") == pytest.approx([0.2, 1.0, *cosine])
    assert learning_rate("inverse_sqrt", 2.0, Moment(4)) == pytest.approx(1.0)


@pytest.mark.parametrize("schedule", ["constant", "inverse_sqrt", "cosine"])
def test_the_schedule_is_what_training_uses(tmp_path: Path, schedule: str) -> None:
    folder = tmp_path / "run"
    words = [f"training.schedule={schedule}", "training.learning_rate=0.01", "training.warmup_steps=3"]
    train(folder, *words, "training.validate_every=1", "training.max_steps=6")
    for event in events(folder)[::2]:
        # the report names the rate of the update that comes next
        assert event["learning_rate"] == pytest.approx(
            learning_rate(schedule, 0.01, Moment(event["step"] + 1, 3, event["step"] / 6))
        )


PLATEAU = (
    *("training.schedule=plateau", "training.plateau_patience=2", "training.plateau_factor=0.25"),
    *("training.learning_rate=0.5", "training.warmup_steps=0", "training.validate_every=2", "training.max_steps=null"),
)


@pytest.mark.parametrize("metric", ["loss", "exact_match"])
def test_the_learning_rate_falls_at_a_plateau_until_a_least_one_ends_training(tmp_path: Path, metric: str) -> None:
    folder = tmp_path / "run"
    trained = train(folder, *PLATEAU, "training.min_learning_rate=0.0078125", f"training.metric={metric}")
    assert trained.ended == "the learning rate fell below 0.0078 (training.min_learning_rate)"
    found = events(folder)
    best, stale, decays = -math.inf, 0, 0
    for report, validation in zip(found[::2], found[1::2], strict=True):
        assert report["learning_rate"] == 0.5 * 0.25**decays, "what holds until this validation"
        value = validation[metric] if metric == "exact_match" else -validation[metric]
        stale = 0 if value > best else stale + 1
        best = max(best, value)
        decays += stale in (2, 4, 6, 8)
    assert decays == 4, "0.5, 0.125, 0.03125 and the least itself, 0.0078125, are trained with; less is not"
    if metric == "exact_match":
        assert len(found) // 2 == 9


def test_a_run_that_a_plateau_ended_goes_on_for_more_steps(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(folder, *PLATEAU, "training.min_learning_rate=0.2")
    reached = named(folder, "last")
    trained = api.resume(folder, more_steps=5)
    assert named(folder, "last") == reached + 5 and "max_steps" in trained.ended


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"schedule": "plateau", "min_learning_rate": None}, "never end"),
        ({"schedule": "plateau", "learning_rate": 1e-4, "min_learning_rate": 1e-3}, "above learning_rate 0.0001"),
        ({"schedule": "constant"}, "never end"),
    ],
)
def test_settings_without_an_end_are_refused(settings: dict[str, object], fault: str) -> None:
    assert TrainingConfig(schedule="plateau").max_steps is None
    with pytest.raises(ValueError, match=fault):
        TrainingConfig(**settings)


def test_accumulated_gradients_are_those_of_one_batch() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 1).double()
    x, y = torch.randn(7, 3).double(), torch.randn(7, 1).double()

    def loss(rows: slice) -> Loss:
        error = (model(x[rows]) - y[rows]).square()
        count = torch.tensor(len(error))
        return Loss({"a": LossPart(error.sum(), count), "b": LossPart(error.abs().sum(), 2 * count, 0.5)})

    def gradients(parts: list[slice]) -> list[torch.Tensor]:
        model.zero_grad()
        reported = backward((loss(rows) for rows in parts), list(model.parameters()), len(parts))
        assert reported[1] == 7
        return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]

    whole, parts = gradients([slice(None)]), gradients([slice(0, 2), slice(2, 3), slice(3, 7)])
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"max_minutes": math.inf}, "finite number"),
        ({"max_steps": 1, "seed": 2**63}, "less than or equal to 9223372036854775807"),
        ({"max_steps": 1, "adam_betas": (2.0, 0.9)}, "less than 1"),
        ({"max_steps": 1, "adam_betas": (0.9, -0.1)}, "greater than or equal to 0"),
    ],
)
def test_numbers_that_training_cannot_use_are_refused(settings: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        TrainingConfig(**settings)
