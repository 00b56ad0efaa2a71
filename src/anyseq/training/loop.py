"""The training loop: batches in, better weights out, nothing lost on the way."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from anyseq.core import Batch, Loss, Model, Noise, Objective
from anyseq.data.batching import Batches, Position
from anyseq.errors import Interrupted, ModelFolderError, RunError
from anyseq.training.ahead import ReadAhead
from anyseq.training.averaging import WeightAverage
from anyseq.training.checkpoint import Checkpoints, load_into, named_weights, objective_tensors, restore_objective
from anyseq.training.gradients import backward
from anyseq.training.journal import Journal
from anyseq.training.optimiser import build_optimiser, optimiser_tensors, restore_optimiser
from anyseq.training.progress import Listener, Report
from anyseq.training.schedules import Moment, fallen, learning_rate
from anyseq.training.settings import TrainingConfig
from anyseq.training.standing import Standing

REPORT_EVERY = 20
DOUBLE_SECONDS = 1.0
"""A signal that comes again so soon is the same one: keys bounce, and process groups are told twice."""


@dataclass(frozen=True)
class Validation:
    """What a validation found.

    Attributes:
        metrics: All of them.
        value: The one that decides, then what decides among equals, oriented so that higher is better.
    """

    metrics: Mapping[str, float]
    value: tuple[float, ...]


def noise_of(batch: Batch, seed: int, step: int) -> Noise:
    """What an objective draws from: keyed by the items and the update."""
    keys = batch.keys
    return Noise(seed, keys, torch.zeros_like(keys), torch.full_like(keys, step))


class Meter:
    """Loss and speed since the last report; the loss is read from the device only when asked for.

    Args:
        total: Sum and count of the loss so far.
        seconds: Spent on its updates.
    """

    def __init__(self, total: Sequence[float] = (0.0, 0.0), seconds: float = 0.0) -> None:
        self.total, self.seconds = torch.tensor(total), seconds

    def add(self, sum_and_count: Tensor, seconds: float) -> None:
        """Take in an update."""
        self.total = self.total.to(sum_and_count) + sum_and_count
        self.seconds += seconds

    def read(self) -> tuple[float, float]:
        """Mean loss, and counted symbols per second of training."""
        total, count = self.total.tolist()
        return total / max(count, 1.0), count / max(self.seconds, 1e-9)


class Trainer:
    """Minimises an objective over batches until an end is reached.

    Args:
        model: What is trained, on its device.
        objective: What is minimised.
        batches: Which examples meet.
        make_batch: Builds the batch of some examples in an epoch, on the model's device.
        validate: Judges the model; called in evaluation mode, with the average as weights where there is one.
        settings: How long and how hard.
        checkpoints: Where the state is kept.
        journal: `metrics.jsonl`.
        listener: Is told how it goes.
        autocast: Lower precision for the forward pass, or nothing.
    """

    def __init__(
        self,
        model: Model,
        objective: Objective,
        batches: Batches,
        make_batch: Callable[[Tensor, int], Batch],
        validate: Callable[[], Validation],
        settings: TrainingConfig,
        checkpoints: Checkpoints,
        journal: Journal,
        listener: Listener,
        autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self.model, self.objective, self.settings = model, objective, settings
        self.batches, self.make_batch, self.validate = batches, make_batch, validate
        self.checkpoints, self.journal, self.listener, self.autocast = checkpoints, journal, listener, autocast
        trained = nn.ModuleList([model, objective])
        self.parameters = [parameter for parameter in trained.parameters() if parameter.requires_grad]
        self.optimiser = build_optimiser(self.parameters, settings)
        self.average = WeightAverage(model, settings.average) if settings.average else None
        self.standing, self.meter, self.signal, self.clock = Standing(), Meter(), 0, time.monotonic()
        self.signalled = self.clock
        self.reader = ReadAhead(batches, make_batch, Position())

    def run(self) -> str:
        """Train until an end is reached and return which.

        Raises:
            Interrupted: a signal came; everything was saved first.
            RunError: the loss is not finite.
        """
        start = Position(self.standing.epoch, self.standing.batch, self.standing.pool)
        self.reader = ReadAhead(self.batches, self.make_batch, start)
        self.clock = time.monotonic()
        with self._signals(), self._told(), self.reader.reading():
            while (reason := self.ending()) is None:
                began = time.monotonic()
                chosen = [self.reader.next() for _ in range(self.settings.accumulate)]
                self.meter.add(self._update([batch for batch, _ in chosen]), time.monotonic() - began)
                step, after = self.standing.step + 1, asdict(chosen[-1][1])
                self.standing = replace(self.standing, step=step, **after)
                self._count_time()
                if step == REPORT_EVERY:
                    self._remark()
                if step % REPORT_EVERY == 0 and step % self.settings.validate_every:
                    self.listener.reported(self._report())
                if step % self.settings.validate_every == 0:
                    self._validate()
                if self.signal:
                    self._stop_for_signal()
            if self.standing.validated != self.standing.step:
                self._validate()
            if self.signal:  # it came during the last validation, and must not start the final search
                self._stop_for_signal()
        self.listener.ended(reason)
        return reason

    @property
    def share(self) -> float:
        """Share of training behind us, in [0, 1]: of the steps or of the minutes, whichever is larger."""
        steps, minutes = self.settings.max_steps, self.settings.max_minutes
        by_steps = self.standing.step / steps if steps is not None else 0.0
        by_time = self.standing.seconds / 60 / minutes if minutes is not None else 0.0
        return min(1.0, max(by_steps, by_time))

    def _remark(self) -> None:
        """Say what is odd about the settings, now that the speed is known."""
        known = self.settings.remarks()
        for remark in self.settings.remarks(self.standing.seconds / self.standing.step):
            if remark not in known:
                self.listener.noted(remark)

    def ending(self) -> str | None:
        """Which end is reached; None: training goes on."""
        settings, standing = self.settings, self.standing
        if standing.given_up is not None:
            return standing.given_up
        if settings.max_steps is not None and standing.step >= settings.max_steps:
            return f"{standing.step} updates made (training.max_steps)"
        if settings.max_minutes is not None and standing.seconds >= settings.max_minutes * 60:
            return f"{standing.seconds / 60:.1f} minutes spent (training.max_minutes)"
        if settings.patience is not None and standing.stale >= settings.patience:
            return f"{standing.stale} validations without a better one (training.patience)"
        least = settings.min_learning_rate
        if settings.schedule != "plateau" or least is None:
            return None
        if settings.learning_rate * settings.plateau_factor**standing.decays < least * (1 - 1e-9):
            return f"the learning rate fell below {least:.2g} (training.min_learning_rate)"
        return None

    def _learning_rate(self) -> float:
        s, standing = self.settings, self.standing
        moment = Moment(standing.step + 1, s.warmup_steps, self.share, s.plateau_factor**standing.decays)
        return learning_rate(s.schedule, s.learning_rate, moment)

    def _update(self, parts: Sequence[Batch]) -> Tensor:
        """One update from one or several batches; returns what is reported of it, not yet read."""
        self.model.train()
        self.objective.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate()
        reported = backward((self._loss(part) for part in parts), self.parameters, len(parts))
        if self.settings.grad_clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.settings.grad_clip_norm, foreach=True)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update()
        return reported

    def _loss(self, batch: Batch) -> Loss:
        with self.autocast():
            return self.objective(self.model, batch, noise_of(batch, self.settings.seed, self.standing.step))

    def _count_time(self) -> None:
        """Count the seconds since they were last counted."""
        now = time.monotonic()
        self.standing, self.clock = replace(self.standing, seconds=self.standing.seconds + now - self.clock), now

    def _report(self) -> Report:
        loss, rate = self._finite_loss()
        standing = self.standing = replace(self.standing, reported=self.standing.step)
        waited = self.reader.waited / max(self.meter.seconds, 1e-9)
        self.meter, self.reader.waited = Meter(), 0.0
        minutes = standing.seconds / 60
        report = Report(standing.step, self.share, minutes, loss, self._learning_rate(), rate, min(1.0, waited))
        self.journal.write(kind="training", epoch=standing.epoch, **asdict(report))
        return report

    def _finite_loss(self) -> tuple[float, float]:
        loss, rate = self.meter.read()
        if not math.isfinite(loss):
            raise RunError(
                f"the loss is {loss} at step {self.standing.step}: lower training.learning_rate or raise "
                f"training.warmup_steps; the checkpoints in {self.checkpoints.folder} are whole"
            )
        return loss, rate

    def _validate(self) -> None:
        step = self.standing.step
        if self.standing.reported != step:
            self._report()
        self.model.eval()
        with self._averaged():
            found = self.validate()
        self._count_time()
        self.standing = replace(self.standing, given_up=self.objective.watch(found.metrics))
        before = self.standing.best
        best = before is None or found.value > before
        stale = 0 if before is None or found.value[0] > before[0] else self.standing.stale + 1
        decays = fallen(self.standing.decays, stale, self.settings.plateau_patience)
        self.standing = replace(self.standing, stale=stale, decays=decays, validated=step)
        if best:
            self.standing = replace(self.standing, best=found.value, best_step=step)
        # The journal first: a kill in between leaves a line too many, which going on from the last checkpoint cuts off.
        self.journal.write(
            kind="validation", step=step, minutes=self.standing.seconds / 60, best=best, **found.metrics
        )
        self.save()
        if best:
            self.checkpoints.mark_best(step)
        self.checkpoints.prune()
        self.listener.validated(step, found.metrics, best)

    def _averaged(self) -> AbstractContextManager[None]:
        return nullcontext() if self.average is None else self.average.applied()

    def save(self) -> None:
        """Write a checkpoint: what predicts (the average, where there is one) and what training needs to go on."""
        random = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            random["cuda"] = torch.cuda.get_rng_state()
        training = {
            "optimiser": optimiser_tensors(self.optimiser),
            "random": random,
            "objective": objective_tensors(self.objective),
        }
        if self.average is not None:
            training["unaveraged"] = {name: weight.clone() for name, weight in named_weights(self.model).items()}
            self.standing = replace(self.standing, averaged=self.average.updates)
        total, count = self.meter.total.tolist()
        self.standing = replace(self.standing, unreported=(total, count, self.meter.seconds))
        with self._averaged():
            self.checkpoints.save(self.standing.step, named_weights(self.model), training, asdict(self.standing))

    def restore(self, step: int) -> None:
        """Go back to a checkpoint, to go on as if never stopped.

        Raises:
            ModelFolderError: the checkpoint is incomplete or of another model.
        """
        folder = self.checkpoints.step_folder(step)
        names = ("optimiser", "random", "objective", *(() if self.average is None else ("unaveraged",)))
        tensors, state = self.checkpoints.read_training(step, names)
        try:
            self.standing = Standing.read(state)
            total, count, seconds = self.standing.unreported
            self.meter = Meter((total, count), seconds)
            load_into(self.model, self.checkpoints.read(step), folder)
            if self.average is not None:
                self.average.restart(self.standing.averaged)
                load_into(self.model, tensors["unaveraged"], folder)
            restore_objective(self.objective, tensors["objective"], folder)
            restore_optimiser(self.optimiser, tensors["optimiser"])
            torch.set_rng_state(tensors["random"]["cpu"])
            if torch.cuda.is_available() and "cuda" in tensors["random"]:
                torch.cuda.set_rng_state(tensors["random"]["cuda"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelFolderError(f"{folder / 'training'} is incomplete or of another version ({error})") from error
        self._restore_best()
        self.journal.cut_after(step)
        self.checkpoints.cut_after(step)

    def _restore_best(self) -> None:
        """Name the best of that time, if it is still there: a better one, which is now to be cut, may have replaced it.

        Also where nothing was cut: a kill may have come before it was marked.
        """
        best = self.standing.best_step
        if self.standing.best is not None and self.checkpoints.step_folder(best).exists():
            self.checkpoints.mark_best(best)
            return
        self.standing = replace(self.standing, best=None, best_step=0)
        self.checkpoints.forget_best()

    def _stop_for_signal(self) -> None:
        name = signal.Signals(self.signal).name
        self._finite_loss()
        self.save()
        raise Interrupted(
            f"stopped by {name} at step {self.standing.step}, everything saved; "
            f"go on with: anyseq train --resume {self.checkpoints.folder}",
            self.signal,
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The listener hears of a failure too, and leaves the terminal as it was."""
        try:
            yield
        except BaseException as error:
            self.listener.ended(f"stopped by {type(error).__name__}" if not self.signal else "stopped and saved")
            raise

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM wait for the end of the update; a second Ctrl-C does not. Only the main thread may listen.

        Raises:
            Interrupted: it came.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: FrameType | None) -> None:
            again = self.signal and time.monotonic() - self.signalled > DOUBLE_SECONDS
            if again and number == signal.SIGINT:
                raise Interrupted(
                    f"stopped at once by a second {signal.Signals(number).name}; what came after the last checkpoint "
                    f"is lost; go on with: anyseq train --resume {self.checkpoints.folder}",
                    number,
                )
            self.signal, self.signalled = number, time.monotonic()

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
