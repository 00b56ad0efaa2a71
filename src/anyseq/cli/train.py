"""`anyseq train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anyseq.cli.options import Everywhere
from anyseq.errors import UsageError


def train(
    run: Everywhere,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="RECIPE|FILE.yaml [KEY=VALUE]...", help="What to train, and keys to change in it."),
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="DIR", help="The model folder to make.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in DIR.")] = False,
    start_from: Annotated[
        Path | None, typer.Option("--from", metavar="MODEL", help="Start from this model's weights.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Go on with the run in DIR.")] = None,
    more_steps: Annotated[int | None, typer.Option(min=1, metavar="N", help="With --resume: N steps more.")] = None,
) -> None:
    """Train a recipe: its own default data, or data.train.source=FILE data.train.target=FILE and so on.

    All settings are keys: training.max_minutes=30, model.dropout=0.2, codec=characters (short for codec.kind=...).
    """
    if resume is not None:
        _refuse({"--output": output, "--overwrite": overwrite, "--from": start_from}, "--resume goes on in its own folder")
        _resume(run, resume, words or [], more_steps)
        return
    _refuse({"--more-steps": more_steps}, "it belongs to --resume DIR")
    if not words or "=" in words[0]:
        raise UsageError("train needs a recipe first: anyseq train RECIPE --output DIR (all names: anyseq recipes)")
    if output is None:
        raise UsageError(f"train needs a folder for the model: anyseq train {words[0]} --output DIR")
    from anyseq import api
    from anyseq.config import load_recipe

    recipe = load_recipe(words[0], words[1:])
    api.train(recipe, output, overwrite=overwrite, start_from=start_from, **run.training)
    typer.echo(f"the model is in {output}; now: anyseq predict {output} --input FILE")


def _resume(run: Everywhere, folder: Path, overrides: list[str], more_steps: int | None) -> None:
    from anyseq import api

    api.resume(folder, more_steps=more_steps, device=run.device, threads=run.threads, overrides=overrides)
    typer.echo(f"the model is in {folder}; now: anyseq predict {folder} --input FILE")


def _refuse(options: dict[str, object], why: str) -> None:
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(f"{' and '.join(given)} cannot be used here: {why}")
