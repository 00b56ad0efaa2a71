"""`anyseq average`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anyseq.cli.options import Everywhere, ModelFolder, find


def average(
    run: Everywhere,
    model: ModelFolder,
    output: Annotated[Path, typer.Option(metavar="DIR", help="The model folder to make.")],
    last: Annotated[int, typer.Option(min=2, metavar="N", help="How many of the newest checkpoints.")] = 5,
) -> None:
    """Average the weights of the newest checkpoints of a run into a new model."""
    find([model])
    from anyseq import api

    steps = api.average(model, output, last, threads=run.threads, trust=tuple(run.trust or ()))
    typer.echo(f"the mean of steps {', '.join(map(str, steps))} is in {output}")
