"""`anyseq score`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from anyseq.cli.options import Everywhere, Models


def score(
    run: Everywhere,
    search: dict[str, Any],
    models: Models,
    source: Annotated[Path, typer.Option(metavar="FILE", help="Sources, one a line (plain or .gz).")],
    target: Annotated[Path, typer.Option(metavar="FILE", help="Targets, one a line.")],
    form: Annotated[
        Literal["text", "jsonl"], typer.Option("--format", help="log_prob and score with a tab between, or JSON.")
    ] = "text",
) -> None:
    """Score given pairs: the log_prob (nats) and the score that search would report for them, a line each."""
    from anyseq import api

    predictor = api.load(*models, **run.loading)
    for scored in predictor.score(source, target, **search):
        if form == "jsonl":
            typer.echo(json.dumps(scored.as_dict(), ensure_ascii=False))
        else:
            typer.echo(f"{scored.log_prob:.6f}\t{scored.score:.6f}")
