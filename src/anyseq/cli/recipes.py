"""`anyseq recipes`."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

import typer

from anyseq.cli.options import Everywhere
from anyseq.config import show
from anyseq.errors import UsageError
from anyseq.recipes import RECIPES


def recipes(
    run: Everywhere,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[show NAME]", help="Show the commented YAML of one.")
    ] = None,
) -> None:
    """List what can be trained, by shape, with the data each uses by default; `show NAME` prints one."""
    match words or []:
        case []:
            typer.echo(_table())
        case ["show", name]:
            typer.echo(show(name), nl=False)
        case _:
            raise UsageError(f"'recipes {' '.join(words or [])}' is not known: `recipes` or `recipes show NAME`")


def _table() -> str:
    lines = ["anyseq train NAME [KEY=VALUE]..., where NAME is one of these, by shape:"]
    shapes = list(dict.fromkeys(recipe.shape for recipe in RECIPES.values()))
    entries = sorted(RECIPES.items(), key=lambda entry: shapes.index(entry[1].shape))
    wide = max(map(len, RECIPES))
    for shape, own in groupby(entries, key=lambda entry: entry[1].shape):
        lines.append(shape)
        for name, recipe in own:
            lines.append(f"  {name:<{wide}}  {recipe.description}")
            lines.append(f"  {'':<{wide}}  default data: {recipe.data}")
    return "\n".join(lines)
