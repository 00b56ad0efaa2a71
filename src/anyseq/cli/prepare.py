"""`anyseq prepare`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from anyseq.cli.options import Everywhere
from anyseq.errors import UsageError


def prepare(
    run: Everywhere,
    words: Annotated[
        list[str], typer.Argument(metavar="RECIPE|FILE.yaml KEY=VALUE...", help="As `anyseq train` takes them.")
    ],
    output: Annotated[Path, typer.Option(metavar="DIR", help="The folder to make, for data.train=DIR.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace prepared data in DIR.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes.", show_default="one a processor")
    ] = None,
) -> None:
    """Encode training data once, into a folder that is mapped into memory: for data that are larger than it.

    Reads the files of data.train in parallel, learns the codecs on up to data.learn_from pairs, leaves out what `train`
    would leave out, holds a dev part out where there is no data.dev, and looks for faults in a sample of 50,000.
    Stopped on the way, the same command goes on. Then: anyseq train RECIPE KEY=VALUE... data.train=DIR. For translate,
    transduce, tag, classify, autoencode and language_model, where items are texts.
    """
    from anyseq.config import recipe_tree

    if "=" in words[0]:
        raise UsageError("prepare needs a recipe first: anyseq prepare RECIPE data.train=FILE --output DIR")
    overrides = run.overrides(words[1:])
    recipe_tree(words[0])
    from anyseq import api
    from anyseq.training.progress import Lines

    made = api.prepare_data(
        words[0], output, overwrite=overwrite, workers=workers, tell=Lines().noted, overrides=overrides
    )
    others = [word for word in words[1:] if not word.startswith("data.train")]
    call = shlex.join(["anyseq", "train", words[0], *others, f"data.train={made.folder}"])
    typer.echo(
        f"{made.count:,} of {made.total:,} items are in {made.folder} ({made.left_out:,} left out, {made.held_out:,} "
        f"held out); to train on them: {call}"
    )
