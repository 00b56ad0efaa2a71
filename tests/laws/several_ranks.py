"""What each of several ranks does for law 14: the same with the others and alone, and how far apart it comes out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from anyseq.config import load_recipe
from anyseq.core import Batch, Objective, ranks
from anyseq.models.seq2seq import Seq2Seq
from anyseq.tasks.base import Task
from anyseq.tasks.fitting import trainer
from anyseq.tasks.splits import Splits
from anyseq.training.distributed import Share
from anyseq.training.gradients import backward
from anyseq.training.loop import Validation
from anyseq.training.progress import Silent
from laws.test_laws_objectives import KEYS, OBJECTIVES, WithPrior, evaluate, training
from laws.test_laws_training import telling
from laws.whole_models import batch_of, target_of, with_dropout

torch.set_num_threads(1)
STEPS = 20
BIG, SMALL = [KEYS], [KEYS[:1], KEYS[1:4], KEYS[4:]]
"""All items together; micro-batches of which one has fewer items than there are ranks."""


def gradients(cases: str) -> None:
    """Print, for each pair of a model and an objective, the largest difference between gradients and between reports.

    Args:
        cases: Of `[[encoder, decoder], objective]`, in a file of JSON.
    """
    found = []
    with ranks.together():
        for pair, name in json.loads(Path(cases).read_text()):
            objective, model = WithPrior(OBJECTIVES[name].config.build()), training(tuple(pair))
            with ranks.alone():
                expected = learnt(objective, model, BIG)
            found.append([distance(expected, learnt(objective, model, split)) for split in (BIG, SMALL)])
    print(json.dumps(found))


def learnt(objective: Objective, model: Seq2Seq, split: Sequence[Sequence[int]]) -> list[Tensor]:
    """What is reported of micro-batches, and the gradients."""
    parameters = [*model.parameters(), *objective.parameters()]
    for parameter in parameters:
        parameter.grad = None
    shares = [Share.of(torch.tensor(keys)) for keys in split]
    losses = (each.counted(evaluate(objective, model, of(each.rows.tolist()))) for each in shares)
    reported = backward(losses, parameters, len(split))
    return [reported, *(torch.zeros(()) if each.grad is None else each.grad for each in parameters)]


def distance(left: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """The largest difference; infinite where one has a gradient and the other none."""
    if [each.shape for each in left] != [each.shape for each in right]:
        return float("inf")
    return max(float((one - other).abs().max()) for one, other in zip(left, right, strict=True))


def of(keys: Sequence[int]) -> Batch:
    return batch_of(keys, [target_of(key) for key in keys])


def losses(recipes: str) -> None:
    """Print, for each recipe, the losses of the first updates: with the others and alone, on one of them.

    Args:
        recipes: A recipe's name and overrides each, in a file of JSON.
    """
    with ranks.together():
        cases = [prepared(recipe, words) for recipe, *words in json.loads(Path(recipes).read_text())]
        together = [first_losses(*case) for case in cases]
        alone = ranks.shared(cases, lambda own: [first_losses(*case) for case in own])
    print(json.dumps(list(zip(together, alone, strict=True))))


def prepared(recipe: str, words: Sequence[str]) -> tuple[Task, Splits]:
    """A task that has read its data."""
    task = load_recipe(recipe, words).build()
    splits = task.read()
    task.fit_codecs(splits.train)
    return task, task.select(splits)


def first_losses(task: Task, splits: Splits) -> list[float]:
    """Of a model with fresh weights and without dropout."""
    torch.manual_seed(task.config.training.seed)
    task.build_model()
    with_dropout(task.model, 0.0)
    reported: list[Tensor] = []
    with TemporaryDirectory() as folder:
        torch.manual_seed(1)
        loop = trainer(task, splits, Path(folder), Silent(), device=torch.device("cpu"))
        loop.validate = lambda: Validation({"loss": 0.0}, (0.0,))
        loop._update = telling(loop._update, reported)  # type: ignore[method-assign]
        loop.run()
    return [float(total / count) for total, count in reported]
