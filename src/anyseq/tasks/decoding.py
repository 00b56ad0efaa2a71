"""Outputs for items, scores for pairs: in batches of like length, given back in the order of the items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from anyseq.core import Alignment, Batch, Hypotheses, Item, Stopped, Unknown, ranks
from anyseq.data.batching import in_order
from anyseq.search.scoring import score
from anyseq.search.settings import SearchConfig
from anyseq.tasks.alignment import align, refuse_without_attention
from anyseq.tasks.base import Task
from anyseq.tasks.choosing import Alternative, Chooser, DecodingConfig

MOSTLY = 0.5
"""Share of an input from which on it counts as mostly unknown."""


@dataclass(frozen=True)
class Prediction:
    """What the model makes of one item: the best hypothesis, and the others asked for.

    Attributes:
        input: What was given.
        output: What a person sees; empty for an empty input.
        score: After penalties; comparable within an item, higher is better.
        log_prob: The model's own, in nats.
        stopped: `end`, `budget` or `blocked`.
        n_best: The hypotheses asked for, best first.
        cut: The input was longer than the limit and was cut.
        value: What ranks it where not the score does: an expected metric, a sum of scores; higher is better.
        alignment: Which units of the source it belongs to, where asked for.
        repaired: The model's own was malformed and was mended; None: outputs of this task never are.
        unknown: Characters or words of the input that the model has no symbol for, each once.
        unknown_share: How much of the input that is, in characters, from 0 to 1.
        full: A prompt left no room for anything behind it: its length, which `search.max_length` counts, too.
    """

    input: str
    output: str
    score: float
    log_prob: float
    stopped: str
    n_best: Sequence[Alternative] = field(default=())
    cut: bool = False
    value: float | None = None
    alignment: Alignment | None = None
    repaired: bool | None = None
    unknown: Sequence[str] = ()
    unknown_share: float = 0.0
    full: int | None = None

    @property
    def mostly_unknown(self) -> bool:
        """Whether the model saw hardly anything of the input, so that its output means nothing."""
        return self.unknown_share >= MOSTLY

    def as_dict(self, weights: bool = True) -> dict[str, Any]:
        """As a line of JSON has it, without what was not asked for; alignments with their weights or as pairs alone."""
        return {**_plain(self, weights), "n_best": [_plain(each, weights) for each in self.n_best]}


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


def _plain(found: Prediction | Alternative, weights: bool) -> dict[str, Any]:
    plain = {name: value for name, value in vars(found).items() if name != "alignment"}
    for name in ("value", "repaired", "full"):
        if plain.get(name, ...) is None:
            del plain[name]
    return plain if found.alignment is None else {**plain, "alignment": found.alignment.as_dict(weights)}


def batches(fields: Sequence[Mapping[str, Tensor]], batch_tokens: int) -> list[Tensor]:
    """Indices of encoded items that go together: rows times the longest field stay within `batch_tokens`."""
    lengths = torch.tensor([max(1, *map(len, each.values())) for each in fields], dtype=torch.int64)
    return in_order(lengths, batch_tokens)


def predict(
    task: Task,
    items: Sequence[Item],
    settings: DecodingConfig,
    *,
    chooser: Chooser | None = None,
    alignments: bool = False,
) -> list[Prediction]:
    """The best output for each item, in order; several ranks share them, and each is given all outputs.

    Args:
        task: With codecs and weights.
        items: What to predict for.
        settings: How to search, and how to choose.
        chooser: Ranks what was found; None: as the settings say.
        alignments: Whether each hypothesis that is returned is aligned with its source.

    Raises:
        UsageError: the model cannot do what is asked.
    """
    chooser = task.chooser(settings) if chooser is None else chooser
    if alignments:
        refuse_without_attention(task)
    return ranks.shared(items, lambda own: _predict(task, own, settings, chooser, alignments))


def _predict(
    task: Task, items: Sequence[Item], settings: DecodingConfig, chooser: Chooser | None, alignments: bool
) -> list[Prediction]:
    """The best output for each item."""
    sources = [task.encode_source(item) for item in items]
    asked = [i for i, source in enumerate(sources) if not source.empty]
    fields = [sources[i].fields for i in asked]
    found: dict[int, list[Alternative]] = {}
    task.model.eval()
    for rows in batches(fields, settings.batch_tokens):
        chosen = [asked[row] for row in rows.tolist()]
        batch = task.batch([items[i] for i in chosen], [sources[i].fields for i in chosen])
        found.update(zip(chosen, _best(task, batch, settings, chooser, alignments), strict=True))
    nothing = [Alternative("", 0.0, 0.0, "end", alignment=Alignment((), (), ()) if alignments else None)]
    full = [len(each.values) if task.prompted and len(each.values) >= settings.max_length else None for each in sources]
    return [
        _prediction(item, found.get(i, nothing), source.cut, task.unknown(item), full[i])
        for i, (item, source) in enumerate(zip(items, sources, strict=True))
    ]


def _best(
    task: Task, batch: Batch, settings: DecodingConfig, chooser: Chooser | None, alignments: bool
) -> list[list[Alternative]]:
    """The hypotheses of each item of a batch that are returned, best first."""
    with torch.inference_mode():
        hypotheses = task.search(batch, settings if chooser is None else settings.all_found())
    best = alternatives_of(task, batch.items, hypotheses)
    places = [list(range(len(each))) for each in best]
    if chooser is not None:
        ranked = [each[: settings.n_best] for each in chooser.rank(batch.items, best, settings)]
        places = [[choice.place for choice in each] for each in ranked]
        best = [
            [replace(alternatives[choice.place], value=choice.value) for choice in each]
            for alternatives, each in zip(best, ranked, strict=True)
        ]
    if not alignments:
        return best
    aligned = align(task, batch, hypotheses, places)
    return [
        [replace(alternative, alignment=own) for alternative, own in zip(*each, strict=True)]
        for each in zip(best, aligned, strict=True)
    ]


def alternatives_of(task: Task, items: Sequence[Item], hypotheses: Hypotheses) -> list[list[Alternative]]:
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
                repaired=task.repaired(values[row, n, : lengths[row][n]], item),
            )
            for n in range(count)
        ]
        for row, (item, count) in enumerate(zip(items, hypotheses.count.tolist(), strict=True))
    ]


def _shown(raw: Any) -> str:
    """What was given, in a line: an array by its shape."""
    return raw if isinstance(raw, str) else f"{type(raw).__name__} {list(getattr(raw, 'shape', ()))}"


def _prediction(
    item: Item, alternatives: Sequence[Alternative], cut: bool, unknown: Unknown, full: int | None
) -> Prediction:
    return Prediction(
        _shown(item.raw.get("source", "")), n_best=alternatives, cut=cut, unknown=tuple(dict.fromkeys(unknown.parts)),
        unknown_share=unknown.share, full=full, **vars(alternatives[0]),
    )  # fmt: skip


def score_pairs(task: Task, items: Sequence[Item], settings: SearchConfig) -> list[Scored]:
    """Log-probability and score of each item's target given its source, in order; several ranks share the items."""
    return ranks.shared(items, lambda own: _score_pairs(task, own, settings))


def _score_pairs(task: Task, items: Sequence[Item], settings: SearchConfig) -> list[Scored]:
    """The same without the others."""
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
