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
    sources = [task.encode_source(item) for item in items]
    full = [i for i, source in enumerate(sources) if not source.empty]
    fields = [sources[i].fields for i in full]
    found: dict[int, list[Alternative]] = {}
    task.model.eval()
    for rows in batches(fields, settings.batch_tokens):
        chosen = [full[row] for row in rows.tolist()]
        with torch.inference_mode():
            batch = task.batch([items[i] for i in chosen], [sources[i].fields for i in chosen])
            hypotheses = task.search(batch, settings)
        found.update(zip(chosen, _alternatives(task, [items[i] for i in chosen], hypotheses), strict=True))
    nothing = [Alternative("", 0.0, 0.0, "end")]
    return [
        _prediction(str(item.raw["source"]), found.get(i, nothing), source.cut)
        for i, (item, source) in enumerate(zip(items, sources, strict=True))
    ]


def _alternatives(task: Task, items: Sequence[Item], hypotheses: Hypotheses) -> list[list[Alternative]]:
    """The hypotheses of each item as a person sees them; read from the device table by table, not one by one."""
    values = hypotheses.values.cpu()
    tables = (hypotheses.lengths, hypotheses.score, hypotheses.log_prob, hypotheses.stopped)
    lengths, scores, log_probs, stopped = (table.tolist() for table in tables)
    return [
        [
            Alternative(
                task.output(values[row, n, : lengths[row][n]], item),
                scores[row][n],
                log_probs[row][n],
                Stopped(stopped[row][n]).name.lower(),
            )
            for n in range(count)
        ]
        for row, (item, count) in enumerate(zip(items, hypotheses.count.tolist(), strict=True))
    ]


def _prediction(given: str, alternatives: Sequence[Alternative], cut: bool) -> Prediction:
    best = alternatives[0]
    return Prediction(given, best.output, best.score, best.log_prob, best.stopped, alternatives, cut)


def score_pairs(task: Task, items: Sequence[Item], settings: SearchConfig) -> list[Scored]:
    """Log-probability and score of each item's target given its source, in order."""
    found: dict[int, Scored] = {}
    fields = [task.encode(item) for item in items]
    task.model.eval()
    for rows in batches(fields, settings.batch_tokens):
        batch = task.batch([items[row] for row in rows.tolist()], [fields[row] for row in rows.tolist()])
        with torch.inference_mode():
            log_prob, total = score(task.model.decoder, task.model.encode(batch), batch.target, settings.penalties())
        scored = zip(log_prob.tolist(), total.tolist(), batch.target.lengths.tolist(), strict=True)
        found.update(zip(rows.tolist(), (Scored(*each) for each in scored), strict=True))
    return [found[i] for i in range(len(items))]
