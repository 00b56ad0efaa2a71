"""What training will cost, measured on a few of its own updates."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import mean

import torch

from anyseq.core import Item
from anyseq.tasks.base import Task
from anyseq.tasks.choosing import DecodingConfig
from anyseq.tasks.devices import Autocast
from anyseq.tasks.evaluation import evaluate
from anyseq.tasks.fitting import Examples, objective_of, quick, resolved_batch_tokens, validator
from anyseq.tasks.splits import Splits
from anyseq.training.freezing import Frozen
from anyseq.training.gradients import backward
from anyseq.training.loop import noise_of
from anyseq.training.optimiser import build_optimiser

_UPDATES = 8
_SEARCHED = 100


@dataclass(frozen=True)
class Estimate:
    """What to expect of a training run on this machine, as it is now.

    Attributes:
        minutes: Of updates, validations and the final search; None where only validations end the run.
        memory_mb: Peak memory in 2**20 bytes: resident of the process, or on a GPU the GPU's.
        seconds_per_update: Mean over the batches tried.
        tokens_per_second: Target symbols, over those batches.
        updates_per_epoch: Batches in an epoch, by `accumulate`.
        padding_share: Share of the batches' places that hold nothing.
        parameters: Of the model.
        batch_tokens: Padded tokens of a batch, as the recipe says or as fits (auto).
    """

    minutes: float | None
    memory_mb: float
    seconds_per_update: float
    tokens_per_second: float
    updates_per_epoch: float
    padding_share: float
    parameters: int
    batch_tokens: int


def estimate(
    task: Task, splits: Splits, test: Sequence[Item] = (), autocast: Autocast = nullcontext
) -> Estimate:
    """Make a few real updates, the batch with the most places first, and extrapolate. The model is spoilt by it.

    Args:
        task: With codecs and model, the latter where it is to be trained.
        splits: What it is trained on, and chosen by.
        test: What it is judged by at the end.
        autocast: Lower precision for the forward pass of the updates, or nothing.

    Raises:
        ConfigError: the metric that decides is none of the recipe's, or cannot be found of dev.
    """
    settings = task.config.training
    validator(task, splits.dev)  # refuses what it could not judge by
    examples = Examples(task, splits)
    objective = objective_of(task)
    tokens = resolved_batch_tokens(task, examples, objective, autocast)
    batches = task.batches(examples.lengths, tokens, examples.mixture)
    plan = batches.epoch(0)
    largest = max(plan, key=lambda rows: int(examples.lengths[rows].amax()) * len(rows))
    frozen = Frozen(task.model, settings.freeze)
    parameters = [each for each in task.model.parameters() if each.requires_grad]
    optimiser = build_optimiser(parameters, settings)
    task.model.train()
    frozen.rest()
    late = settings.max_steps or 1_000_000  # an objective may cost more then (own symbols instead of the target's)
    seconds, symbols = 0.0, 0.0
    for number, rows in enumerate([largest, *plan[:_UPDATES]]):
        began = time.monotonic()
        batch = examples.batch(rows, 0).to(task.device)
        with autocast():
            loss = objective(task.model, batch, noise_of(batch, settings.seed, late))
        counted = backward([loss], parameters, 1)
        optimiser.step()
        optimiser.zero_grad()
        trained = float(counted[1])  # waits for the device
        if number:  # the first warms up
            seconds, symbols = seconds + time.monotonic() - began, symbols + trained
    tried = len(plan[:_UPDATES])
    each = seconds / tried * settings.accumulate
    return Estimate(
        minutes=_minutes(task, splits, test, each),
        memory_mb=_peak_mb(task.device),
        seconds_per_update=each,
        tokens_per_second=symbols / seconds,
        updates_per_epoch=len(plan) / settings.accumulate,
        padding_share=examples.padding_share(batches),
        parameters=frozen.total,
        batch_tokens=tokens,
    )


def _minutes(task: Task, splits: Splits, test: Sequence[Item], seconds_per_update: float) -> float | None:
    """Of updates and validations until the nearer end, and of the final search."""
    settings = task.config.training
    ends = [] if settings.max_minutes is None else [settings.max_minutes]
    if settings.max_steps is not None:
        validations = math.ceil(settings.max_steps / settings.validate_every)
        validation = _seconds_to_search(task, splits.dev[: settings.validate_items], quick(task.config.search))
        ends.append((settings.max_steps * seconds_per_update + validations * validation) / 60)
    final = _seconds_to_search(task, [*splits.dev, *test], task.config.search) / 60
    return min(ends) + final if ends else None


def _seconds_to_search(task: Task, items: Sequence[Item], settings: DecodingConfig) -> float:
    """Time a part and extrapolate, with outputs as long as the references: an untrained model knows no end."""
    part = items[:: math.ceil(len(items) / _SEARCHED)]
    length = max(1, round(mean(len(task.encode(item)["target"]) for item in part)))
    length = min(length, settings.max_length)
    forced = settings.model_copy(update={"min_length": length, "max_length": length, "max_length_ratio": None})
    began = time.monotonic()
    evaluate(task, part, [[task.reference(item)] for item in part], forced)
    return (time.monotonic() - began) * len(items) / len(part)


def _peak_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
