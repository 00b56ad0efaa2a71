"""A task put to the training loop: its examples as batches, its metrics as validation."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from anyseq.core import Batch, Item, Objective, ranks
from anyseq.data.batching import Batches, Packed, pack, padding_share
from anyseq.data.corpora import mixture, weighted
from anyseq.data.store.store import StoredField
from anyseq.errors import ConfigError, DataError
from anyseq.tasks.base import Task
from anyseq.tasks.choosing import DecodingConfig
from anyseq.tasks.devices import Autocast, refuse_without_compiler
from anyseq.tasks.evaluation import evaluate
from anyseq.tasks.rewards import TaskRollouts, signs_of_collapse
from anyseq.tasks.splits import Splits
from anyseq.training.ahead import STALLED_SECONDS
from anyseq.training.checkpoint import Checkpoints
from anyseq.training.distributed import ReadCheckpoints, begin_alike, journal_in
from anyseq.training.freezing import Frozen
from anyseq.training.gradients import backward
from anyseq.training.loop import Trainer, Validation, noise_of
from anyseq.training.progress import Listener
from anyseq.training.room import most_tokens, room_of, untouched


class Examples:
    """Training items, encoded once; or anew each epoch where a codec varies its output, or the items are others.

    Args:
        task: With codecs and model.
        splits: With at least one item to train on. What is encoded already is not encoded again.
    """

    def __init__(self, task: Task, splits: Splits) -> None:
        if not splits.train:
            raise DataError("no training item is left")
        self.task, self.items = task, splits.train
        self.packed: Mapping[str, Packed | StoredField] = splits.encoded or pack(map(task.encode, self.items))
        self.epochs, self.epoch = task.epochs(), 0
        if splits.stored is None:
            self.lengths = torch.stack([field.lengths for field in self.packed.values()]).amax(0)
            self.mixture = mixture(splits.train, splits.corpora)
        else:
            self.lengths, mixed = splits.stored.lengths, splits.stored.mixture
            self.mixture = weighted(mixed.counts, [weight for _, weight in splits.corpora] or mixed.weights)

    def batch(self, rows: Tensor, epoch: int) -> Batch:
        """The batch of some items, as an epoch sees them; not on the model's device.

        Called in one thread at a time.
        """
        if self.epochs is not None and epoch != self.epoch:
            drawn = self.epochs.items("train", epoch)
            self.items, self.epoch = [drawn[item.key] for item in self.items], epoch
            self.packed = pack(map(self.task.encode, self.items))
        items = [self.items[row] for row in rows.tolist()]
        if self.task.augments:
            seed = (self.task.config.training.seed << 64) + (epoch << 32)
            fields = [self.task.encode(item, seed=seed + item.key) for item in items]
            return Batch.of(fields, items)
        return Batch({name: field.rows(rows) for name, field in self.packed.items()}, items)

    def padding_share(self, batches: Batches) -> float:
        """Share of the places of an epoch's first pool that hold nothing."""
        return padding_share(self.packed, batches.pool(0, 0))


def quick(settings: DecodingConfig) -> DecodingConfig:
    """The same search, greedy: for judging a model while it trains."""
    one = {"beam_size": 1, "n_best": 1, "samples": 0, "spread": False}
    return settings.model_copy(update={**one, "mbr": None, "shortest": False, "symmetries": 1})


def deciding_metric(task: Task) -> tuple[str, bool]:
    """The metric that decides what is best, and whether higher is better.

    Raises:
        ConfigError: the recipe has no such metric.
    """
    known = {metric.name: metric.higher_is_better for metric in task.metrics} | {"loss": False, **task.figures}
    decides = task.config.training.metric or (task.metrics[0].name if task.metrics else "loss")
    if decides not in known:
        raise ConfigError(f"training.metric: there is no metric {decides!r} in this recipe; it has {', '.join(known)}")
    return decides, known[decides]


def validator(task: Task, dev: Sequence[Item]) -> Callable[[], Validation]:
    """Judge by greedy outputs for a fixed part of dev, by the same scorer as everywhere; the loss decides among equals.

    Raises:
        ConfigError: the metric that decides cannot be found of that part.
    """
    settings = task.config.training
    decides, higher_is_better = deciding_metric(task)
    every, targets = task.judged_by_targets(dev)
    order = torch.randperm(len(every), generator=torch.Generator().manual_seed(0))[: settings.validate_items]
    places = sorted(order.tolist())
    judged, references = [every[place] for place in places], [targets[place] for place in places]
    if reason := task.undefined(judged).get(decides):
        raise ConfigError(
            f"training.metric={decides} cannot be found of dev: {reason}. Choose another one, or other rows for dev"
        )

    rewarded = task.config.objective.rewarded_by is not None

    # As outputs are written: references may say more, such as the points that are pointed at.
    wanted = [[task.output(task.encode(item)["target"], item)] for item in judged] if rewarded else []

    def validate() -> Validation:
        evaluation = evaluate(task, judged, references, quick(task.config.search))
        found = evaluation.metrics
        if rewarded and evaluation.predictions:
            found = found | signs_of_collapse([each.output for each in evaluation.predictions], wanted)
        return Validation(found, (found[decides] if higher_is_better else -found[decides], -found["loss"]))

    return validate


def codecs_digest(task: Task) -> str:
    """A hash of what the codecs have learnt, which is to be the same on all machines; empty where there is one process.
    """
    if ranks.world() == 1:
        return ""
    digest = hashlib.sha256()
    with TemporaryDirectory() as folder:
        task.save_codecs(Path(folder))
        for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def resolved_batch_tokens(
    task: Task, examples: Examples, objective: Objective, autocast: Autocast = nullcontext
) -> int:
    """`training.batch_tokens`; of `auto`, what fits into the memory of the device (which then has tried it).

    Several ranks take what fits into the memory of each, so that the number is that of one alone.
    """
    settings = task.config.training
    if settings.batch_tokens != "auto":
        return settings.batch_tokens
    frozen = Frozen(task.model, settings.freeze)
    parameters = [each for each in nn.ModuleList([task.model, objective]).parameters() if each.requires_grad]

    def attempt(rows: Tensor) -> None:
        batch = examples.batch(rows, 0).to(task.device)
        with autocast():
            loss = objective(task.model, batch, noise_of(batch, settings.seed, 0))
        backward([loss], parameters, 1)

    kept = sum(each.numel() * each.element_size() for each in parameters) * (3 if settings.average else 2)
    with ranks.alone(), untouched(task.model, objective, task.device):
        task.model.train()
        frozen.rest()
        objective.train()
        fits = most_tokens(examples.lengths, attempt, room_of(task.device), kept, task.device.type)
    return -int(ranks.largest(-fits)[0])


def objective_of(task: Task) -> Objective:
    """What a task's model is trained to minimise, where the model is; with rollouts where it learns from its outputs.

    Raises:
        UsageError: it learns from rewards, and this use's outputs are no texts.
    """
    reward = task.config.objective.rewarded_by
    rollouts = None if reward is None else TaskRollouts(task, reward.build())
    return task.config.objective.build(rollouts).to(task.device)


def trainer(
    task: Task,
    splits: Splits,
    folder: Path,
    listener: Listener,
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
    device: torch.device | None = None,
) -> Trainer:
    """The loop that trains a task's model (moved to a device) on its items and keeps its state in a folder."""
    settings = task.config.training
    if device is not None:
        task.model.to(device)
    examples = Examples(task, splits)
    objective = objective_of(task)
    begin_alike(task.model, objective, settings.seed)
    tokens = resolved_batch_tokens(task, examples, objective, autocast)
    if tokens != settings.batch_tokens:
        listener.noted(f"training.batch_tokens={tokens}: what fits (auto)")
        settings = settings.model_copy(update={"batch_tokens": tokens})
    if settings.compile:
        refuse_without_compiler(task.device)
        objective.compile(dynamic=True)  # and with it all of the model that it calls
    if settings.freeze:
        listener.noted(Frozen(task.model, settings.freeze).note)
    return Trainer(
        model=task.model,
        objective=objective,
        batches=task.batches(examples.lengths, tokens, examples.mixture),
        make_batch=examples.batch,
        validate=validator(task, splits.dev),
        settings=settings,
        checkpoints=(Checkpoints if ranks.first() else ReadCheckpoints)(folder, settings.keep_checkpoints),
        journal=journal_in(folder / "metrics.jsonl"),
        listener=listener,
        autocast=autocast,
        # What is drawn anew takes its time, and has a limit of its own where others draw it.
        patience=STALLED_SECONDS if examples.epochs is None else math.inf,
    )
