"""Laws 10, 12 and 14 through the training loop itself, with dropout, averaging and accumulation."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from anyseq.core import Batch, Objective
from anyseq.data.batching import Position, TokenBatches
from anyseq.errors import Interrupted
from anyseq.models.seq2seq import Seq2Seq
from anyseq.search import score
from anyseq.training import loop
from anyseq.training.checkpoint import WEIGHTS, Checkpoints, load_into, read_weights, weights_folder
from anyseq.training.journal import Journal
from anyseq.training.loop import Trainer, Validation
from anyseq.training.memory import Part
from anyseq.training.objectives.cross_entropy import CrossEntropy
from anyseq.training.objectives.scheduled_sampling import ScheduledSampling
from anyseq.training.progress import Silent
from anyseq.training.settings import TrainingConfig
from laws.whole_models import EVERY, PLAIN, Pair, batch_of, each_of, make, named, target_of, with_dropout
from tiny_runs import TIMES

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("unchecked")
KEYS = list(range(20))
SETTINGS = TrainingConfig(
    max_steps=9, learning_rate=0.01, warmup_steps=2, batch_tokens=16, accumulate=2, average=0.9, validate_every=4,
    seed=3,
)  # fmt: skip
every_kind = pytest.mark.parametrize("pair", each_of(PLAIN))


def examples(rows: Tensor, epoch: int) -> Batch:
    return batch_of(rows.tolist(), [target_of(key) for key in rows.tolist()])


@dataclass
class Run:
    """A run in a folder; `stop_at` sends the signal Ctrl-C sends, in the middle of that update."""

    pair: Pair
    folder: Path
    settings: TrainingConfig = SETTINGS
    stop_at: int | None = None
    objective: Objective = field(default_factory=lambda: CrossEntropy(0.1))
    model: Seq2Seq = field(init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(self.settings.seed)
        self.model = make(self.pair).float()
        torch.manual_seed(self.settings.seed)
        with_dropout(self.model, 0.25)
        self.folder.mkdir(exist_ok=True)
        lengths = torch.tensor([max(1 + key % 5, 2 + key % 4) for key in KEYS])
        self.trainer = Trainer(
            self.model, self.objective, TokenBatches(lengths, self.settings.batch_tokens, self.settings.seed),
            examples, self.validate, self.settings, Checkpoints(self.folder, 1), Journal(self.folder / "metrics"),
            Silent(),
        )  # fmt: skip
        self.update = self.trainer._update
        self.trainer._update = self.stopping  # type: ignore[method-assign]

    def stopping(self, parts: Sequence[Part]) -> Tensor:
        if self.trainer.standing.step + 1 == self.stop_at:
            os.kill(os.getpid(), signal.SIGINT)
        return self.update(parts)

    def validate(self) -> Validation:
        batch = examples(torch.tensor([3, 5]), 0)
        log_prob, _ = score(self.model.decoder, self.model.encode(batch), batch.target)
        return Validation({"log_prob": float(log_prob.sum())}, (float(log_prob.sum()),))

    def result(self) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
        """The weights, those that predict, and the journal but for the clock."""
        tensors = {f"{name} trained": weight.detach().clone() for name, weight in self.model.named_parameters()}
        load_into(self.model, self.trainer.checkpoints.read(self.trainer.standing.step), self.folder)
        tensors |= {f"{name} kept": weight.detach().clone() for name, weight in self.model.named_parameters()}
        lines = [json.loads(line) for line in (self.folder / "metrics").read_text().splitlines()]
        return tensors, [{k: v for k, v in line.items() if k not in TIMES} for line in lines]


@pytest.fixture(autouse=True)
def report_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "REPORT_EVERY", 3)


@every_kind
def test_10_and_12_stopped_and_resumed_is_never_stopped_bit_for_bit(pair: Pair, tmp_path: Path) -> None:
    whole = Run(pair, tmp_path / "whole")
    whole.trainer.run()
    expected, journal = whole.result()
    assert len(journal) >= 4 and journal[-1]["kind"] == "validation"
    for stop_at in (5, 9) if pair == PLAIN[0] else (5,):  # between reports and validations; at the very end
        folder = tmp_path / f"stopped{stop_at}"
        with pytest.raises(Interrupted):
            Run(pair, folder, stop_at=stop_at).trainer.run()
        torch.manual_seed(99)
        resumed = Run(pair, folder)
        resumed.trainer.restore(stop_at)
        resumed.trainer.run()
        tensors, lines = resumed.result()
        assert lines == journal
        for name, tensor in expected.items():
            assert torch.equal(tensor, tensors[name]), name


PLATEAU = SETTINGS.model_copy(
    update={"schedule": "plateau", "plateau_patience": 1, "learning_rate": 0.5, "validate_every": 2, "max_steps": 17}
)


@pytest.mark.parametrize("stop_at", [11, 12, 13])
def test_10_a_plateau_goes_on_bit_for_bit(stop_at: int, tmp_path: Path) -> None:
    """Stopped before, at and after a validation."""
    whole = Run(PLAIN[0], tmp_path / "whole", PLATEAU)
    whole.trainer.run()
    with pytest.raises(Interrupted):
        Run(PLAIN[0], tmp_path / "stopped", PLATEAU, stop_at).trainer.run()
    resumed = Run(PLAIN[0], tmp_path / "stopped", PLATEAU)
    resumed.trainer.restore(stop_at)
    assert 0 < resumed.trainer.standing.decays < whole.trainer.standing.decays
    resumed.trainer.run()
    same_end(resumed, whole)


@pytest.mark.parametrize("pair", [PLAIN[0], PLAIN[-1]], ids=named)
@pytest.mark.parametrize("sample", [True, False])
def test_10_scheduled_sampling_goes_on_bit_for_bit(sample: bool, pair: Pair, tmp_path: Path) -> None:
    """What is drawn goes by the update, and so does its share."""

    def run(name: str, stop_at: int | None = None) -> Run:
        objective = ScheduledSampling(0.1, "linear", 6, 0.2, sample, passes=2)
        return Run(pair, tmp_path / name, stop_at=stop_at, objective=objective)

    whole, taught = run("whole"), Run(pair, tmp_path / "taught")
    whole.trainer.run()
    with pytest.raises(Interrupted):
        run("stopped", stop_at=5).trainer.run()
    resumed = run("stopped")
    resumed.trainer.restore(5)
    resumed.trainer.run()
    same_end(resumed, whole)
    taught.trainer.run()
    assert not torch.equal(next(taught.model.parameters()), next(whole.model.parameters()))


def same_end(one: Run, other: Run) -> None:
    (left, left_journal), (right, right_journal) = one.result(), other.result()
    assert left_journal == right_journal
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name


def test_12_the_seed_alone_decides(tmp_path: Path) -> None:
    pair = PLAIN[0]
    results = []
    for number, seed in enumerate((3, 3, 4)):
        run = Run(pair, tmp_path / str(number), SETTINGS.model_copy(update={"seed": seed, "max_steps": 3}))
        run.trainer.run()
        results.append(run.result())
    (first, first_journal), (same, same_journal), (other, _) = results
    assert first_journal == same_journal
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("pair", EVERY, ids=named)
def test_10_what_is_saved_predicts_the_same(pair: Pair, tmp_path: Path) -> None:
    model = make(pair, dtype=torch.float32)
    Checkpoints(tmp_path, 1).save(7, loop.named_weights(model), {}, {})
    torch.manual_seed(99)
    other = make(pair, dtype=torch.float32, sharpness=3.0)
    batch = examples(torch.tensor(KEYS[:6]), 0)
    expected, _ = score(model.decoder, model.encode(batch), batch.target)
    assert not torch.isclose(score(other.decoder, other.encode(batch), batch.target)[0], expected).any()
    load_into(other, read_weights(weights_folder(tmp_path) / WEIGHTS), tmp_path)
    assert torch.equal(score(other.decoder, other.encode(batch), batch.target)[0], expected)


def test_an_epoch_that_ends_within_an_update_is_the_batches_own(tmp_path: Path) -> None:
    """So that a codec that varies its output gives every item anew in every epoch."""
    seen: list[tuple[int, int]] = []
    run = Run(PLAIN[0], tmp_path / "run", SETTINGS.model_copy(update={"accumulate": 4, "max_steps": 12}))
    make_batch = run.trainer.make_batch
    run.trainer.make_batch = lambda rows, epoch: seen.extend((key, epoch) for key in rows.tolist()) or make_batch(
        rows, epoch
    )
    run.trainer.run()
    assert len(run.trainer.batches.epoch(0)) % 4 and max(epoch for _, epoch in seen) >= 2
    assert len(set(seen)) == len(seen)


class Fixed(TokenBatches):
    """The same batches always, in turn."""

    def __init__(self, plan: list[list[int]]) -> None:
        self.plan = plan

    def batches(self, start: Position) -> Iterator[tuple[Tensor, Position]]:
        while True:
            yield from ((torch.tensor(rows), start) for rows in self.plan)


@pytest.mark.parametrize("pair", PLAIN[:3], ids=named)
def test_14_the_first_losses_are_those_of_a_big_batch(pair: Pair, tmp_path: Path) -> None:
    plans = [[KEYS[:8], KEYS[8:]], [KEYS[:1], KEYS[1:8], KEYS[8:15], KEYS[15:]]]
    losses: list[list[float]] = []
    for number, plan in enumerate(plans):
        settings = SETTINGS.model_copy(
            update={"accumulate": number + 1, "max_steps": 20, "validate_every": 20, "average": 0.0}
        )
        run = Run(pair, tmp_path / str(number), settings)
        with_dropout(run.model, 0.0)
        run.trainer.batches = Fixed(plan)
        reported: list[Tensor] = []
        run.trainer._update = telling(run.trainer._update, reported)  # type: ignore[method-assign]
        run.trainer.run()
        losses.append([float(total / count) for total, count in reported])
    assert len(losses[0]) == len(losses[1]) == 20 and losses[0][0] > 1.01 * losses[0][-1]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


Update = Callable[[Sequence[Part]], Tensor]


def telling(update: Update, reported: list[Tensor]) -> Update:
    """An update that also tells its [sum, count]."""

    def call(parts: Sequence[Part]) -> Tensor:
        reported.append(update(parts))
        return reported[-1]

    return call
