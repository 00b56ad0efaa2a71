"""Learning from reward through the task: a trained model goes on by what its own outputs are worth."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

import anyseq
from anyseq.config import load_recipe
from anyseq.core import Item
from anyseq.errors import ConfigError, DataError, UsageError
from anyseq.metrics.error_rate import ErrorRate
from anyseq.metrics.exact_match import ExactMatch
from anyseq.metrics.function import FunctionMetric
from anyseq.tasks.rewards import TaskRollouts, signs_of_collapse
from anyseq.training.objectives.reward import FromReward
from tiny_runs import events, main, steps

SMALL = {
    "model": {"encoder": {"embed_dim": 16, "hidden_dim": 32}, "decoder": {"embed_dim": 16, "hidden_dim": 32}},
    "data": {"generator": {"train": 800, "dev": 60, "test": 20, "max_length": 6}},
}
KINDS = ["reinforce", "self_critical", "minimum_risk", "mixer"]


def training(steps: int, **more: object) -> dict[str, object]:
    return {"max_steps": steps, "validate_every": steps, "learning_rate": 3e-3, "schedule": "constant", **more}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> anyseq.api.Trained:
    """A model that has begun to copy letters."""
    folder = tmp_path_factory.mktemp("start") / "model"
    return anyseq.train("transduce/copy", folder, threads=1, training=training(120), **SMALL)


def worth(output: str, reference: str) -> float:
    """A user's own: how many letters a stand in it, to three."""
    return min(output.count("a"), 3) / 3


OWN = f"{__name__}:worth"


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_please_a_function_of_ones_own(start: anyseq.api.Trained, kind: str, tmp_path: Path) -> None:
    """Without a share of likelihood (MIXER gives none of a target any more)."""
    more = {"growth": 20} if kind == "mixer" else {"sharpness": 0.5} if kind == "minimum_risk" else {}
    objective = {"kind": kind, "reward": OWN, "likelihood": 0.0, "samples": 6, **more}
    trained = anyseq.train(
        "transduce/copy", tmp_path / "model", threads=1, start_from=start.folder, objective=objective,
        metrics=[{"kind": OWN}], training=training(60, batch_tokens=400), **SMALL,
    )  # fmt: skip
    before = anyseq.load(start.folder, threads=1).predict(list("bcdefgh"))
    after = trained.predictor.predict(list("bcdefgh"))
    assert sum("a" in each.output for each in after) >= 5 > sum("a" in each.output for each in before)
    assert trained.dev.metrics["worth"] > 50
    [line] = [line for line in events(trained.folder) if line["kind"] == "validation"]
    assert line["length_ratio"] > 0 and 0 < line["distinct_bigrams"] <= 1
    with pytest.raises(ConfigError, match="--trust"):
        anyseq.load(trained.folder)
    assert anyseq.load(trained.folder, trust=[__name__]).predict("a")


def test_a_run_that_was_stopped_is_the_one_that_was_not(start: anyseq.api.Trained, tmp_path: Path) -> None:
    """The baseline's average, the mean entropy and the guard's figures are kept."""
    objective = {"kind": "reinforce", "reward": "exact_match", "baseline": "moving_average"}
    for name, count in (("whole", 8), ("stopped", 4)):
        anyseq.train(
            "transduce/copy", tmp_path / name, threads=1, start_from=start.folder, objective=objective,
            training={**training(count), "validate_every": 4, "batch_tokens": 100}, **SMALL,
        )  # fmt: skip
    anyseq.resume(tmp_path / "stopped", more_steps=4, threads=1)
    weights = [
        anyseq.load(tmp_path / name / "checkpoints" / "step_8").task.model.state_dict() for name in ("whole", "stopped")
    ]
    for name, weight in weights[0].items():
        assert torch.equal(weight, weights[1][name]), name


def test_a_function_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "worth", lambda output: 1.0)
    with pytest.raises((ConfigError, DataError), match="must take two texts"):
        load_recipe("transduce/copy", {"objective": {"kind": "self_critical", "reward": f"{__name__}:worth"}})


def test_rewards_are_those_of_the_metric(start: anyseq.api.Trained) -> None:
    task = start.predictor.task
    task.model.eval()
    items = [Item({"source": text, "target": text}, key) for key, text in enumerate(("ab", "cad", "x"))]
    batch = task.batch(items, [task.encode(item) for item in items])
    memory = task.model.encode(batch)
    rollouts = TaskRollouts(task, ErrorRate("character"))
    drawn = rollouts.draw(memory, batch, 4, seed=5)
    assert drawn.values.rows == 12 and torch.equal(drawn.values.values, rollouts.draw(memory, batch, 4, 5)[0].values)
    assert not torch.equal(drawn.log_prob, rollouts.draw(memory, batch, 4, 6).log_prob)
    rows = zip(drawn.values.values, drawn.values.lengths.tolist(), strict=True)
    texts = [task.output(row[:length], items[place // 4]) for place, (row, length) in enumerate(rows)]
    expected = [
        1 - ErrorRate("character").measure([text], [[items[place // 4].raw["target"]]]).value / 100
        for place, text in enumerate(texts)
    ]
    assert rollouts.reward(drawn.values, batch).tolist() == pytest.approx(expected)
    greedy = TaskRollouts(task, ExactMatch()).greedy(memory, batch)
    assert [
        task.output(row[:length], items[0]) for row, length in zip(greedy.values, greedy.lengths.tolist(), strict=True)
    ] == [each.output for each in start.predictor.predict(["ab", "cad", "x"], beam_size=1)]


def test_collapse_is_seen_and_named() -> None:
    class Quiet(FromReward):
        def parts(self, *_: object) -> dict[str, object]:  # type: ignore[override]
            return {}

    class Nothing(TaskRollouts):
        def __init__(self) -> None:
            self.memory_dim = 1

    objective = Quiet(Nothing(), 2, 0.0, 0.0)
    objective.mean_entropy.fill_(2.0)
    healthy = {"loss": 1.0, "length_ratio": 1.0, "distinct_bigrams": 0.6}
    assert objective.watch(healthy) is None and objective.watch({**healthy, "loss": 1.9}) is None
    assert "loss 1 -> 2.5" in (objective.watch({**healthy, "loss": 2.5}) or "")
    assert "distinct_bigrams 0.6 -> 0.1" in (objective.watch({**healthy, "distinct_bigrams": 0.1}) or "")
    assert "length_ratio 1 -> 3" in (objective.watch({**healthy, "length_ratio": 3.0}) or "")
    objective.mean_entropy.fill_(0.05)
    assert objective.watch(healthy) is None, "it has become sure of what is right"
    assert "entropy 2 -> 0.05" in (objective.watch({**healthy, "loss": 1.6}) or "")
    objective.guard = False
    assert objective.watch({**healthy, "loss": 9.0}) is None
    assert signs_of_collapse(["the the the the", "a b"], [["a b c d"], ["a b"]]) == {
        "length_ratio": 1.0, "distinct_bigrams": 0.5,
    }  # fmt: skip


def test_training_ends_with_the_reason(
    start: anyseq.api.Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FromReward, "watch", lambda self, figures: "the reward is being gamed")
    trained = anyseq.train(
        "transduce/copy", tmp_path / "model", threads=1, start_from=start.folder,
        objective={"kind": "self_critical", "reward": "exact_match"},
        training={**training(9), "validate_every": 3}, **SMALL,
    )  # fmt: skip
    assert trained.ended == "the reward is being gamed"
    assert steps(trained.folder)[-1] == 3
    anyseq.resume(trained.folder, more_steps=3, threads=1)
    assert steps(trained.folder)[-1] == 6, "whoever asks for more gets it"


@pytest.mark.parametrize(
    ("recipe", "told"),
    [("language_model/names", "what a source is turned into"), ("classify/labels", "what a source is turned into")],
)
def test_what_has_no_outputs_to_reward_is_refused(recipe: str, told: str, tmp_path: Path) -> None:
    objective = {"kind": "reinforce", "reward": "exact_match"}
    with pytest.raises(UsageError, match=told):
        anyseq.train(recipe, tmp_path / "model", objective=objective)


def test_impossible_settings_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["train", "transduce/copy", "--output", str(tmp_path / "m"), "objective=reinforce"]
    assert main(words) == 2 and "objective.reward: missing: the metric" in capsys.readouterr().err
    assert main([*words, "objective.reward=exact_match", "objective.samples=1"]) == 2
    assert "baseline=shared compares a source's samples" in capsys.readouterr().err


def test_what_rewards_will_cost_is_said_before() -> None:
    objective = {"kind": "reinforce", "reward": "exact_match", "baseline": "learned"}
    found = anyseq.api.check("transduce/copy", device="cpu", overrides={**SMALL, "objective": objective})
    assert found.usable and found.estimate is not None and found.estimate.tokens_per_second > 0


def test_mixer_spreads_nothing() -> None:
    """What it draws stands behind the beginning of the target."""
    with pytest.raises(ConfigError, match=r"objective\.spread"):
        load_recipe("transduce/copy", {"objective": {"kind": "mixer", "reward": "exact_match", "spread": True}})


def test_a_function_that_fails_is_named() -> None:
    metric = FunctionMetric(lambda output, reference: 1 / len(output.strip()), "own")
    with pytest.raises(DataError, match=r"own\(' ', 'b'\) fails \(ZeroDivisionError.*mend the function"):
        metric.sentences([" "], [["b"]])


def test_a_model_is_used_without_the_reward_it_has_learnt_from(
    start: anyseq.api.Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = {"kind": "self_critical", "reward": OWN}
    trained = anyseq.train(
        "transduce/copy", tmp_path / "model", threads=1, start_from=start.folder, objective=objective,
        training=training(1), **SMALL,
    )  # fmt: skip
    monkeypatch.delattr(sys.modules[__name__], "worth")
    used = anyseq.load(trained.folder, threads=1)
    assert [each.output for each in used.predict(["ab"])] == [each.output for each in trained.predictor.predict(["ab"])]
    with pytest.raises(ConfigError, match="--trust"):
        anyseq.resume(trained.folder, more_steps=1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "much"])
def test_a_reward_that_is_no_number_is_refused(value: object) -> None:
    metric = FunctionMetric(lambda output, reference: value, "own")  # type: ignore[arg-type, return-value]
    with pytest.raises(DataError, match=r"own\('a', 'b'\) gives .* not a number"):
        metric.sentences(["a"], [["b"]])
