"""How good a model is: the one scorer of validation, test and the command line."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from anyseq.core import Item
from anyseq.metrics.base import Measure
from anyseq.tasks.base import Task
from anyseq.tasks.choosing import Chooser, DecodingConfig
from anyseq.tasks.decoding import Prediction, predict, score_pairs

_MOST_LOSS = 700.0  # its exponential is still a number


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        metrics: Value by name.
        signature: How the metrics were computed.
        count: Items.
        seconds: Spent on searching and scoring.
        predictions: What was compared, in order; none where the task has no metrics and only the loss counts.
        references: What it was compared with.
        impossible: Items with a target that the model can never give, which makes the loss infinite.
    """

    metrics: dict[str, float]
    signature: str
    count: int
    seconds: float
    predictions: Sequence[Prediction]
    references: Sequence[Sequence[str]]
    impossible: Sequence[Item] = ()


def evaluate(
    task: Task,
    items: Sequence[Item],
    references: Sequence[Sequence[str]],
    settings: DecodingConfig,
    *,
    chooser: Chooser | None = None,
) -> Evaluation:
    """Search an output for each item (and choose as `predict` does) and compare it with its references.

    Besides the task's metrics: `loss` (teacher-forced, nats per target symbol) and `teacher_forced_perplexity`
    (its exponential; of symbols), over the items that have a target; `malformed`, the percentage of outputs that had
    to be repaired, where a task repairs; what a task measures itself (`Task.measure`).
    """
    began = time.monotonic()
    predictions = predict(task, items, settings, chooser=chooser) if task.metrics else []
    outputs = [prediction.output for prediction in predictions]
    measures: list[Measure] = [metric.measure(outputs, references) for metric in task.metrics]
    metrics = {measure.name: measure.value for measure in measures}
    mended = [prediction.repaired for prediction in predictions if prediction.repaired is not None]
    if mended:
        metrics["malformed"] = 100 * sum(mended) / len(mended)
    with_target = [item for item in items if "target" in item.raw]
    impossible: list[Item] = []
    if with_target:
        scored = score_pairs(task, with_target, settings)
        loss = -sum(each.log_prob for each in scored) / sum(each.length for each in scored)
        metrics["loss"] = loss
        impossible = [item for item, each in zip(with_target, scored, strict=True) if each.log_prob == -math.inf]
        if task.model.decoder.discrete:
            metrics["teacher_forced_perplexity"] = math.exp(loss) if loss < _MOST_LOSS else math.inf
        metrics |= task.measure(with_target, settings)
    signature = "; ".join(f"{measure.name}: {measure.signature}" for measure in measures)
    spent = time.monotonic() - began
    return Evaluation(metrics, signature, len(items), spent, predictions, references, impossible)
