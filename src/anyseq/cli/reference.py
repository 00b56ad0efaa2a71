"""Writes the reference of verbs, options, recipes, parts and keys: `make docs`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from anyseq.catalogue import PARTS, resolve
from anyseq.cli.main import VERBS, build
from anyseq.cli.options import NOT_FLAGS
from anyseq.config import Row, describe, load_recipe
from anyseq.recipes import RECIPES
from anyseq.tasks.choosing import DecodingConfig

if TYPE_CHECKING:
    from anyseq.core import PartConfig

_SHARED = {"device", "threads", "precision", "seed", "debug", "trust"}


def reference() -> str:
    """The whole page, as Markdown."""
    return "\n".join(["# Reference", "", "Written by `make docs`.", "", *_verbs(), *_recipes(), *_parts()])


def _verbs() -> Iterator[str]:
    group: Any = typer.main.get_command(build(DecodingConfig))
    yield "## Verbs"
    for function in VERBS:
        command = group.commands[function.__name__]
        own = [param for param in command.params if param.name not in _SHARED]
        yield from ("", f"### anyseq {function.__name__}", "", *_paragraphs(function.__doc__ or ""), "")
        yield from _options(param for param in own if param.name not in DecodingConfig.model_fields)
        if any(param.name in DecodingConfig.model_fields for param in own):
            yield "- the search flags"
    yield from ("", "### Options of every verb", "")
    yield from _options(param for param in group.commands["train"].params if param.name in _SHARED)
    yield from ("", "### Search flags", "", "What is not given comes from the recipe.", "")
    flags = (row for row in describe(DecodingConfig) if row.key not in NOT_FLAGS)
    yield from (_row(row, "--" + row.key.replace("_", "-")) for row in flags)


def _options(params: Iterable[Any]) -> Iterator[str]:
    for param in params:
        name = ", ".join(param.opts) if param.param_type_name == "option" else param.metavar
        yield f"- `{name}`: {param.help}"


def _recipes() -> Iterator[str]:
    yield from ("", "## Recipes", "")
    for name, recipe in RECIPES.items():
        yield f"- `{name}` ({recipe.shape}): {recipe.description}; default data: {recipe.data}"
    first = load_recipe(next(iter(RECIPES)))
    rows = [row for row in describe(type(first)) if row.key != "description"]
    yield from ("", "## Keys of every recipe", "")
    yield from (_row(row, row.key) for row in rows)
    yield from ("", "## Keys of some recipes", "", "What recipes of a task have besides, or with another meaning.")
    everywhere = {(row.key, row.type) for row in rows}
    for kind in PARTS["tasks"]:
        own = [row for row in describe(resolve("tasks", kind)) if (row.key, row.type) not in everywhere]
        own = [row for row in own if row.key != "description"]
        if own:
            yield from ("", f"### task: {kind}", "", *(_row(row, row.key) for row in own))


def _parts() -> Iterator[str]:
    for section, entries in PARTS.items():
        if section == "tasks" or not entries:
            continue
        yield from ("", f"## {section.capitalize()}")
        for kind in entries:
            part: type[PartConfig] = resolve(section, kind)
            yield from ("", f"### {kind}", "", *_paragraphs(part.__doc__ or ""), "")
            yield from (_row(row, row.key) for row in describe(part))


def _row(row: Row, name: str) -> str:
    default = "" if row.default is None else f", default `{row.default}`"
    return f"- `{name}` ({row.type}{default}): {row.description}"


def _paragraphs(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


if __name__ == "__main__":
    print(reference())
