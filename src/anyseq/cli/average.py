"""`anyseq average`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anyseq.cli.options import Everywhere
from anyseq.errors import UsageError


def average(
    run: Everywhere,
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A run with several checkpoints.", show_default=False)],
    output: Annotated[Path, typer.Option(metavar="DIR", help="The model folder to make.")],
    last: Annotated[int | None, typer.Option(min=2, metavar="N", help="The last N checkpoints.")] = None,
    step: Annotated[
        list[int] | None, typer.Option(metavar="N", help="The checkpoint of this step (give it several times).")
    ] = None,
) -> None:
    """Average the weights of checkpoints of one run into a new model."""
    if (last is None) == (not step):
        raise UsageError("average needs --last N, or --step N twice or more")
    from anyseq import api

    api.average(model, step or last, output)
    typer.echo(f"the averaged model is in {output}")
