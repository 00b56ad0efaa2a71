"""What training will cost, measured on a few of its own updates."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass

from anyseq.data.batching import TokenBatches
from anyseq.tasks.base import Splits, Task
from anyseq.tasks.fitting import Examples
from anyseq.training.gradients import backward
from anyseq.training.loop import noise_of
from anyseq.training.optimiser import build_optimiser

_UPDATES = 4


@dataclass(frozen=True)
class Estimate:
    """What to expect of a training run on this machine, as it is now.

    Attributes:
        minutes: Of updates, validations left out; None where only patience ends the run.
        memory_mb: Peak resident memory of the process, in 2**20 bytes.
        seconds_per_update: Mean over the batches tried.
        tokens_per_second: Target symbols, over those batches.
        updates_per_epoch: Batches in an epoch, by `accumulate`.
        padding_share: Share of the batches' places that hold nothing.
        parameters: Of the model.
    """

    minutes: float | None
    memory_mb: float
    seconds_per_update: float
    tokens_per_second: float
    updates_per_epoch: float
    padding_share: float
    parameters: int


def estimate(task: Task, splits: Splits) -> Estimate:
    """Make a few real updates, the batch with the most places first, and extrapolate. The model is spoilt by it."""
    settings = task.config.training
    examples = Examples(task, splits.train)
    batches = TokenBatches(examples.lengths, settings.batch_tokens, settings.seed)
    plan = batches.epoch(0)
    largest = max(plan, key=lambda rows: int(examples.lengths[rows].amax()) * len(rows))
    parameters = list(task.model.parameters())
    objective, optimiser = task.config.objective.build(), build_optimiser(parameters, settings)
    task.model.train()
    seconds, symbols = 0.0, 0.0
    for number, rows in enumerate([largest, *plan[:_UPDATES]]):
        began = time.monotonic()
        batch = examples.batch(rows, 0)
        counted = backward([objective(task.model, batch, noise_of(batch, settings.seed, 0))], parameters, 1)
        optimiser.step()
        optimiser.zero_grad()
        if number:  # the first warms up
            seconds, symbols = seconds + time.monotonic() - began, symbols + float(counted[1])
    tried = len(plan[:_UPDATES])
    each = seconds / tried * settings.accumulate
    by_steps = None if settings.max_steps is None else settings.max_steps * each / 60
    ends = [minutes for minutes in (by_steps, settings.max_minutes) if minutes is not None]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Estimate(
        minutes=min(ends, default=None),
        memory_mb=peak / (2**20 if sys.platform == "darwin" else 2**10),
        seconds_per_update=each,
        tokens_per_second=symbols / seconds,
        updates_per_epoch=len(plan) / settings.accumulate,
        padding_share=examples.padding_share(batches),
        parameters=sum(parameter.numel() for parameter in parameters),
    )
