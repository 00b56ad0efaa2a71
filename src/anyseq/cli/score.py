"""`anyseq score`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from anyseq.cli.options import Everywhere, ModelFolders, load


def score(
    run: Everywhere,
    search: dict[str, Any],
    models: ModelFolders,
    source: Annotated[Path, typer.Option(metavar="FILE", help="Sources, one a line (plain or .gz).")],
    target: Annotated[Path, typer.Option(metavar="FILE", help="Targets, one a line.")],
    form: Annotated[
        Literal["text", "jsonl"], typer.Option("--format", help="log_prob and score with a tab between, or JSON.")
    ] = "text",
) -> None:
    """Score given pairs: the log_prob (nats) and the score that search would report for them, a line each.

    A target is taken in its codec's own segmentation; where search spelt the same text otherwise (subwords can), it
    reported the numbers of that spelling.
    """
    from anyseq import api

    items, _ = api.pairs(source, target)
    for scored in load(run, models, search).score(items, **search):
        typer.echo(json.dumps(asdict(scored)) if form == "jsonl" else f"{scored.log_prob:.6f}\t{scored.score:.6f}")
