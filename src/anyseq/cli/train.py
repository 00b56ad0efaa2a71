"""`anyseq train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyseq.cli.options import Everywhere
from anyseq.errors import UsageError

if TYPE_CHECKING:
    from anyseq.api import Trained


def train(
    run: Everywhere,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="RECIPE|FILE.yaml [KEY=VALUE]...", help="What to train, and keys to change in it."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The model folder to make.", show_default="runs/RECIPE")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in DIR.")] = False,
    start_from: Annotated[
        Path | None, typer.Option("--from", metavar="MODEL", help="Start from this model's codecs and weights.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="Go on with the run in DIR.")] = None,
    more_steps: Annotated[int | None, typer.Option(min=1, metavar="N", help="With --resume: N steps more.")] = None,
) -> None:
    """Train a recipe, on data of your own or on its embedded default.

    All settings are keys: data.train.source=FILE data.train.target=FILE, training.max_minutes=30, codec.joint=false;
    model.encoder=rnn is short for model.encoder.kind=rnn. All keys and their meaning: anyseq recipes show RECIPE.
    """
    from anyseq import api
    from anyseq.training.progress import listener

    settings: dict[str, Any] = {"device": run.device, "threads": run.threads, "precision": run.precision}
    if resume is not None:
        _refuse({"--output": output, "--overwrite": overwrite, "--from": start_from}, "--resume goes on in its folder")
        trained = api.resume(
            resume,
            more_steps=more_steps,
            overrides=words or [],
            trust=tuple(run.trust or ()),
            listener=listener(),
            **settings,
        )
    else:
        _refuse({"--more-steps": more_steps}, "it belongs to --resume DIR")
        if not words or "=" in words[0]:
            raise UsageError("train needs a recipe first: anyseq train RECIPE --output DIR (all names: anyseq recipes)")
        trained = api.train(
            words[0],
            output,
            overwrite=overwrite,
            start_from=start_from,
            overrides=run.overrides(words[1:]),
            listener=listener(),
            **settings,
        )
    typer.echo(_summary(trained))


def _summary(trained: Trained) -> str:
    lines = [f"note: {note}" for note in trained.notes]
    for split, found in (("dev", trained.dev), ("test", trained.test)):
        if found is not None:
            figures = "  ".join(f"{name} {value:.4g}" for name, value in found.metrics.items())
            lines.append(f"{split}: {figures}  ({found.count} items)")
    lines.append(f"the model is in {trained.folder}; to use it: anyseq predict {trained.folder} --input FILE")
    return "\n".join(lines)


def _refuse(options: dict[str, object], why: str) -> None:
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(f"{' and '.join(given)} cannot be used here: {why}")
