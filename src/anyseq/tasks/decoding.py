"""Outputs for items, scores for pairs: in batches of like length, given back in the order of the items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from anyseq.core import Hypotheses, Item, Stopped
from anyseq.data.batching import in_order
from anyseq.search.scoring import score
from anyseq.search.settings import SearchConfig
from anyseq.tasks.base import Task


@dataclass(frozen=True)
class Alternative:
    """One hypothesis.

    Attributes:
        output: What a person sees.
        score: After penalties; comparable within an item, higher is better.
        log_prob: The model's own, in nats.
        stopped: `end`, `budget` or `blocked`.
    """

    output: str
    score: float
    log_prob: float
    stopped: str


@dataclass(frozen=True)
class Prediction:
    """What the model makes of one item: the best hypothesis, and the others asked for.

    Attributes:
        input: What was given.
        output: What a person sees; empty for an empty input.
        score: After penalties; comparable within an item, higher is better.
        log_prob: The model's own, in nats.
        stopped: `end`, `budget` or `blocked`.
        n_best: All hypotheses, best first.
        cut: The input was longer than the limit and was cut.
    """

    input: str
    output: str
    score: float
    log_prob: float
    stopped: str
    n_best: Sequence[Alternative] = field(default=())
    cut: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As a line of JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class Scored:
    """A given pair as the model sees it.

    Attributes:
        log_prob: Of the target given the source, end symbol included, in nats.
        score: After penalties.
        length: Symbols of the target, end included.
    """

    log_prob: float
    score: float
    length: int


def batches(fields: Sequence[Mapping[str, Tensor]], batch_tokens: int) -> list[Tensor]:
    """Indices of encoded items that go together: rows times the longest field stay within `batch_tokens`."""
    lengths = torch.tensor([max(len(value) for value in each.values()) for each in fields], dtype=torch.int64)
    return in_order(lengths, batch_tokens)


def predict(task: Task, items: Sequence[Item], settings: SearchConfig) -> list[Prediction]:
    """The best output for each item, in order."""
    found: dict[int, Prediction] = {}
    full = []
    for i, item in enumerate(items):
        if task.is_empty(item):
            empty = Alternative("", 0.0, 0.0, "end")
            found[i] = Prediction(str(item.raw["source"]), "", 0.0, 0.0, "end", [empty])
        else:
            full.append(i)
    fields = [{"source": task.encode(items[i])["source"]} for i in full]
    task.model.eval()
    for rows in batches(fields, settings.batch_tokens):
        chosen = [items[full[row]] for row in rows.tolist()]
        with torch.inference_mode():
            hypotheses = task.search(task.batch(chosen, [fields[row] for row in rows.tolist()]), settings)
        for place, (row, item) in enumerate(zip(rows.tolist(), chosen, strict=True)):
            found[full[row]] = _prediction(task, item, hypotheses, place)
    return [found[i] for i in range(len(items))]


def _prediction(task: Task, item: Item, hypotheses: Hypotheses, place: int) -> Prediction:
    alternatives = [
        Alternative(
            task.output(hypotheses.values[place, n, : int(hypotheses.lengths[place, n])].cpu(), item),
            float(hypotheses.score[place, n]),
            float(hypotheses.log_prob[place, n]),
            Stopped(int(hypotheses.stopped[place, n])).name.lower(),
        )
        for n in range(int(hypotheses.count[place]))
    ]
    best = alternatives[0]
    return Prediction(
        str(item.raw["source"]), best.output, best.score, best.log_prob, best.stopped, alternatives, task.cuts(item)
    )


def score_pairs(task: Task, items: Sequence[Item], settings: SearchConfig) -> list[Scored]:
    """Log-probability and score of each item's target given its source, in order."""
    found: dict[int, Scored] = {}
    fields = [task.encode(item) for item in items]
    task.model.eval()
    for rows in batches(fields, settings.batch_tokens):
        batch = task.batch([items[row] for row in rows.tolist()], [fields[row] for row in rows.tolist()])
        with torch.inference_mode():
            log_prob, total = score(task.model.decoder, task.model.encode(batch), batch.target, settings.penalties())
        for place, row in enumerate(rows.tolist()):
            length = int(batch.target.valid[place].sum())
            found[row] = Scored(float(log_prob[place]), float(total[place]), length)
    return [found[i] for i in range(len(items))]
