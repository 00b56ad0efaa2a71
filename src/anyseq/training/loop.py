"""The training loop: batches in, better weights out, nothing lost on the way."""

from __future__ import annotations

import math
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from anyseq.core import Batch, Loss, Model, Noise, Objective, ranks
from anyseq.data.batching import Batches, Position
from anyseq.errors import Interrupted, ModelFolderError
from anyseq.training.ahead import STALLED_SECONDS, ReadAhead
from anyseq.training.averaging import WeightAverage
from anyseq.training.checkpoint import (
    WEIGHTS,
    Checkpoints,
    fault_of,
    load_into,
    named_weights,
    objective_tensors,
    restore_objective,
)
from anyseq.training.distributed import Share, random_states, restore_random
from anyseq.training.freezing import Frozen
from anyseq.training.guard import Guard, clipped
from anyseq.training.incidents import FILE, Incidents
from anyseq.training.journal import Journal
from anyseq.training.memory import Fitting, Part
from anyseq.training.meter import Meter, memory_mb, minutes_left
from anyseq.training.optimiser import build_optimiser, optimiser_tensors, restore_optimiser
from anyseq.training.progress import Listener, Report
from anyseq.training.returning import Returning, decides
from anyseq.training.schedules import Moment, fallen, learning_rate
from anyseq.training.settings import TrainingConfig
from anyseq.training.standing import Standing
from anyseq.training.stopping import Stopping

REPORT_EVERY = 20


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


class Trainer:
    """Minimises an objective over batches until an end is reached.

    Args:
        model: What is trained, on its device.
        objective: What is minimised.
        batches: Which examples meet.
        make_batch: Builds the batch of some examples in an epoch, not on the model's device; called in a thread of its
            own, which reads ahead.
        validate: Judges the model; called in evaluation mode, with the average as weights where there is one.
        settings: How long and how hard.
        checkpoints: Where the state is kept.
        journal: `metrics.jsonl`.
        listener: Is told how it goes.
        autocast: Lower precision for the forward pass, or nothing.
        patience: Seconds after which a batch that does not come is an error.
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
        patience: float = STALLED_SECONDS,
    ) -> None:
        self.model, self.objective, self.settings = model, objective, settings
        self.batches, self.make_batch, self.validate = batches, make_batch, validate
        self.patience = patience
        self.checkpoints, self.journal, self.listener, self.autocast = checkpoints, journal, listener, autocast
        trained, self.frozen = nn.ModuleList([model, objective]), Frozen(model, settings.freeze)
        self.parameters = [parameter for parameter in trained.parameters() if parameter.requires_grad]
        self.optimiser = build_optimiser(self.parameters, settings)
        self.average = WeightAverage(model, settings.average) if settings.average else None
        self.standing, self.meter, self.clock = Standing(), Meter(), time.monotonic()
        self.saved = 0.0  # seconds of training, at the last checkpoint
        self.signals, self.stopping = Stopping(checkpoints.folder), 0  # what came here; what all ranks know of
        self.incidents = Incidents(checkpoints.folder / FILE, listener)
        self.guard = Guard(model, objective, self.optimiser, self.incidents)
        self.fitting = Fitting(self._placed, self._loss, self.guard.undo, self.incidents, settings.max_skipped_updates)
        self.returning = Returning(checkpoints, self.guard, self.incidents)

    def run(self) -> str:
        """Train until an end is reached and return which.

        Raises:
            Interrupted: a signal came; everything was saved first.
            RunError: no update could be made, also after going back to a checkpoint, again and again.
        """
        start = Position(self.standing.epoch, self.standing.batch, self.standing.pool)
        reader = ReadAhead(self.batches, self._part, start, self.patience)
        self.clock, self.saved = time.monotonic(), self.standing.seconds
        with self.signals.listening(), self._told(), reader.reading():
            while (reason := self.ending()) is None:
                began = time.monotonic()
                chosen = self.meter.waiting(lambda: [reader.next() for _ in range(self.settings.accumulate)])
                self.meter.add(self._update([part for part, _ in chosen]), time.monotonic() - began)
                step, after = self.standing.step + 1, asdict(chosen[-1][1])
                self.standing = replace(self.standing, step=step, **after)
                self._count_time()
                if not self._sound():
                    continue
                if step == REPORT_EVERY:
                    self._remark()
                if step % REPORT_EVERY == 0 and step % self.settings.validate_every:
                    self.listener.reported(self._report())
                if step % self.settings.validate_every == 0:
                    self._validate()
                elif self._saving_is_due():
                    self.save()
                    self.checkpoints.prune(beginning=not self.standing.decided)
                if self.stopping:
                    self._stop_for_signal()
            if self.standing.validated != self.standing.step:
                self._validate()
            self._count_time()
            if self.stopping:  # it came during the last validation, and must not start the final search
                self._stop_for_signal()
        if self.standing.skipped:
            self.listener.noted(self.returning.summary(self.standing), "warning")
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
        return learning_rate(s.schedule, s.learning_rate, moment) * standing.slowed

    def _update(self, parts: Sequence[Part]) -> Tensor:
        """One update from one or several batches; returns what is reported of it, not yet read.

        It is not made, and nothing of it reported, where loss or gradient are not finite.
        """
        self.model.train()
        self.frozen.rest()
        self.objective.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate()
        self.guard.remember()
        step = self.standing.step + 1
        reported = self.fitting.backward(parts, self.parameters, step)
        if reported is None:
            return torch.zeros(2)
        norm = clipped(self.parameters, self.settings.grad_clip_norm)
        self.objective.agree()
        made = self.guard.step(step, self.fitting.items, reported, norm)
        self.optimiser.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(made)
        return torch.where(made, reported, 0)

    def _sound(self) -> bool:
        """Look at what became of the updates where it is time to; False: training had to go back to a checkpoint."""
        step, s = self.standing.step, self.settings
        keeps = step % s.validate_every == 0 or self._saving_is_due()
        keeps = keeps or bool(self.stopping) or self.ending() is not None
        if self.guard.late and step % REPORT_EVERY and not keeps:
            return True
        skipped, in_a_row = self.guard.read(self.standing.skipped_in_a_row)
        self.standing = replace(self.standing, skipped=self.standing.skipped + skipped, skipped_in_a_row=in_a_row)
        why = self.returning.reason(in_a_row, s.max_skipped_updates, self.model if keeps else None)
        if why is None:
            return True
        standing, target = self.standing, self.returning.target(self.standing, why)
        self.restore(target)
        self.standing = self.returning.after(standing, self.standing, why, self._learning_rate)
        self.save()
        return False

    def _part(self, rows: Tensor, epoch: int) -> Part:
        """Put this rank's share of a batch together; called in the thread that reads ahead."""
        share = Share.of(rows)
        return Part(self.make_batch(share.rows, epoch), share)

    def _placed(self, batch: Batch) -> Batch:
        return self.meter.waiting(lambda: batch.to(self.parameters[0].device))

    def _loss(self, batch: Batch) -> Loss:
        with self.autocast():
            return self.objective(self.model, batch, noise_of(batch, self.settings.seed, self.standing.step))

    def _count_time(self) -> None:
        """Count the seconds since they were last counted; all ranks agree on them, and on what signal has come."""
        now = time.monotonic()
        seconds, signalled = ranks.largest(self.standing.seconds + now - self.clock, self.signals.signal)
        self.standing, self.clock, self.stopping = replace(self.standing, seconds=seconds), now, int(signalled)

    def _report(self) -> Report:
        loss, rate = self.meter.read()
        standing = self.standing = replace(self.standing, reported=self.standing.step)
        report = Report(
            step=standing.step,
            share=self.share,
            minutes=standing.seconds / 60,
            loss=loss,
            learning_rate=self._learning_rate(),
            tokens_per_second=rate,
            wait_share=self.meter.wait_share,
            memory_mb=memory_mb(self.parameters[0].device),
            minutes_left=minutes_left(self.settings, standing),
        )
        self.meter = Meter()
        known = {name: value for name, value in asdict(report).items() if name != "loss" or not math.isnan(loss)}
        self.journal.write(kind="training", epoch=standing.epoch, **known)
        return report

    def _validate(self) -> None:
        step = self.standing.step
        if self.standing.reported != step:
            self.listener.reported(self._report())
        self.model.eval()
        began = self.standing.seconds
        with self._averaged():
            found = ranks.of_first(self.validate())
        self._count_time()
        validating = self.standing.validating + self.standing.seconds - began
        given_up = ranks.of_first(self.objective.watch(found.metrics))
        self.standing = replace(self.standing, validating=validating, given_up=given_up)
        before = self.standing.best
        best = decides(found.value) and (before is None or found.value > before)
        stale = 0 if best and (before is None or found.value[0] > before[0]) else self.standing.stale + 1
        decays = fallen(self.standing.decays, stale, self.settings.plateau_patience)
        self.standing = replace(self.standing, stale=stale, decays=decays, validated=step)
        self.standing = self.returning.validated(self.standing, found.metrics, found.value)
        if best:
            self.standing = replace(self.standing, best=found.value, best_step=step)
        # The journal first: a kill in between leaves a line too many, which going on from the last checkpoint cuts off.
        self.journal.write(
            kind="validation", step=step, minutes=self.standing.seconds / 60, best=best, **found.metrics
        )
        self.save()
        if best:
            self.checkpoints.mark_best(step)
        self.checkpoints.prune(beginning=not self.standing.decided)
        self.listener.validated(step, found.metrics, best)

    def _averaged(self) -> AbstractContextManager[None]:
        return nullcontext() if self.average is None else self.average.applied()

    def _saving_is_due(self) -> bool:
        return self.standing.seconds - self.saved >= 60 * self.settings.save_minutes

    def save(self) -> None:
        """Write a checkpoint: what predicts (the average, where there is one) and what training needs to go on.

        Raises:
            RunError: a weight is not finite.
        """
        self.returning.refuse_poisoned(self.model, self.standing.step)
        training = {
            "optimiser": optimiser_tensors(self.optimiser),
            "random": random_states(),
            "objective": objective_tensors(self.objective),
        }
        if self.average is not None:
            training["unaveraged"] = {name: weight.clone() for name, weight in named_weights(self.model).items()}
            self.standing = replace(self.standing, averaged=self.average.updates)
        self.standing = replace(self.standing, unreported=self.meter.state)
        with self._averaged():
            self.checkpoints.save(self.standing.step, named_weights(self.model), training, asdict(self.standing))
        self.saved = self.standing.seconds

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
            total, count, *times = self.standing.unreported
            self.meter = Meter((total, count), *times)
            load_into(self.model, self.checkpoints.read(step), folder)
            if self.average is not None:
                self.average.restart(self.standing.averaged)
                load_into(self.model, tensors["unaveraged"], folder)
            restore_objective(self.objective, tensors["objective"], folder)
            restore_optimiser(self.optimiser, tensors["optimiser"])
            restore_random(tensors["random"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelFolderError(f"{folder / 'training'} is incomplete or of another version ({error})") from error
        self._restore_best()
        self.journal.cut_after(step)
        self.checkpoints.mark_last(step)
        self.checkpoints.cut_after(step)
        self.checkpoints.prune(beginning=not self.standing.decided)  # a kill may have come before it

    def _restore_best(self) -> None:
        """Name the best of that time, if it is still there: a better one, which is now to be cut, may have replaced it.

        Also where nothing was cut: a kill may have come before it was marked.
        """
        best = self.standing.best_step
        home = self.checkpoints.step_folder(best)
        if self.standing.best is not None and home.exists():
            fault = fault_of(home / WEIGHTS, home)
            if fault is None:
                self.checkpoints.mark_best(best)
                return
            self.listener.noted(f"{home / WEIGHTS}: {fault}; the best from here on counts", "warning")
            if ranks.first():
                shutil.rmtree(home)  # or its step, when it comes again, would be taken for saved
        self.standing = replace(self.standing, best=None, best_step=0)
        self.checkpoints.forget_best()

    def _stop_for_signal(self) -> None:
        name = signal.Signals(self.stopping).name
        self.save()
        ranks.wait()  # torchrun ends them all when one has gone
        raise Interrupted(
            f"stopped by {name} at step {self.standing.step}, everything saved; "
            f"go on with: anyseq train --resume {self.checkpoints.folder}",
            self.stopping,
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The listener hears of a failure too, and leaves the terminal as it was."""
        try:
            yield
        except BaseException as error:
            why = "stopped and saved" if self.signals.signal else f"stopped by {type(error).__name__}"
            self.listener.ended(why)
            raise
