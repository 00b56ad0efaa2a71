"""`anyseq score`."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from typing import Annotated, Any, Literal

import typer

from anyseq.cli.notices import Notices
from anyseq.cli.options import Everywhere, ModelFolders, find, load
from anyseq.cli.pairs import Pairs
from anyseq.cli.several import in_ranks


@in_ranks
def score(
    run: Everywhere,
    search: dict[str, Any],
    models: ModelFolders,
    pairs: Pairs,
    form: Annotated[
        Literal["text", "jsonl"], typer.Option("--format", help="log_prob and score with a tab between, or JSON.")
    ] = "text",
) -> None:
    """Score given pairs: the log_prob (nats) and the score that search would report for them, a line each.

    Where a line has several targets, each is scored, and the number of its line stands before it.

    A target is taken in its codec's own segmentation; where search spelt the same text otherwise (subwords can), it
    reported the numbers of that spelling.
    """
    find(models)
    pairs.find()
    predictor = load(run, models, search)
    items, references = pairs.read(predictor.task)
    numbered = [
        (number, item if len(targets) == 1 else replace(item, raw={**item.raw, "target": target}))
        for number, (item, targets) in enumerate(zip(items, references, strict=True), 1)
        for target in targets
    ]
    several = len(numbered) > len(items)
    found = predictor.score([item for _, item in numbered], **search)
    never = [item.place for (_, item), scored in zip(numbered, found, strict=True) if scored.log_prob == -math.inf]
    Notices(predictor.task.source_limit).impossible(never, len(numbered))
    for (number, _), scored in zip(numbered, found, strict=True):
        if form == "jsonl":
            typer.echo(json.dumps({**({"line": number} if several else {}), **asdict(scored)}))
        else:
            typer.echo(f"{number}\t" * several + f"{scored.log_prob:.6f}\t{scored.score:.6f}")
