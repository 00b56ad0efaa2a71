"""`anyseq inspect`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyseq.cli.options import Everywhere, find, load
from anyseq.data.lines import STANDARD_INPUT, opened
from anyseq.errors import OutputExistsError, UsageError

if TYPE_CHECKING:
    from anyseq.core import Item
    from anyseq.tasks.base import Task

VIEWS = "attention, gates, gradients, search, errors, about"


@dataclass(frozen=True)
class Inputs:
    """What the model works on. The fields are options (see `options.verb`)."""

    source: Annotated[
        str | None,
        typer.Option(
            "--input", "--source", metavar="FILE", help="Inputs, one a line (- is stdin); a language model reads them."
        ),
    ] = None
    target: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="The right answers to --input, for the view of errors; several: references."),
    ] = None
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Instead: both in one file, as the recipe's data.train.")
    ] = None

    def __post_init__(self) -> None:
        """Refuse what is given twice, or not at all.

        Raises:
            UsageError: so it is.
        """
        if (self.source is None) == (self.data is None) or (self.target and self.source is None):
            raise UsageError("inputs are needed: --input FILE (and --target FILE), or --data FILE alone")
        if self.target and self.source == STANDARD_INPUT:
            raise UsageError("--target belongs to a file of inputs, line by line: give --input FILE, not -")

    def find(self) -> None:
        """Refuse files that are not there, before torch is imported.

        Raises:
            DataError: the first that is not.
        """
        source = None if self.source in (None, STANDARD_INPUT) else Path(str(self.source))
        for path in (source, *(self.target or []), self.data):
            if path is not None and not path.is_dir() and not path.is_fifo():
                with opened(path):
                    pass

    @property
    def once(self) -> bool:
        """Whether the inputs can be read once alone: from a pipe."""
        return self.source is not None and (self.source == STANDARD_INPUT or Path(self.source).is_fifo())

    def read(self, task: Task) -> tuple[Sequence[Item], Sequence[Sequence[str]] | None]:
        """The items, and the right answers of each, where they are known."""
        from anyseq.cli.sources import source_windows

        if self.data is not None or self.target:
            items, references = task.read_judged(
                None if self.source is None else Path(self.source), self.target or [], self.data
            )
            return task.judged(items, references)
        assert self.source is not None
        lines = [line for window in source_windows(self.source, task) for line in window]
        return task.sources(lines), None


def inspect(
    run: Everywhere,
    search: dict[str, Any],
    models: Annotated[
        list[Path],
        typer.Argument(metavar="MODEL [MODEL]", help="Model folder; two are shown side by side.", show_default=False),
    ],
    inputs: Inputs,
    output: Annotated[Path, typer.Option(metavar="DIR", help="Folder for report.html, inspection.json and pictures.")],
    items: Annotated[int, typer.Option(min=1, metavar="N", help="Inputs shown place by place; all are counted.")] = 12,
    views: Annotated[
        str, typer.Option(metavar="NAMES", help=f"What to look at, with commas between: {VIEWS}.")
    ] = VIEWS.replace(" ", ""),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier report in DIR.")] = False,
) -> None:
    """Look inside a model while it works: a report to open in a browser, the numbers, and pictures.

    Attention, gates and cells, memory by gradient, the search, errors (with --target or --data), data and parts; each
    where it applies to the model. Inspecting changes no output.
    """
    if len(models) > 2:
        raise UsageError(f"{len(models)} models are given: inspect shows one, or two side by side")
    chosen = [view for view in (each.strip() for each in views.split(",")) if view]
    known = VIEWS.split(", ")
    for view in chosen:
        if view not in known:
            raise UsageError(f"--views {view}: there is no such view; choose among {VIEWS}")
    if output.exists() and not output.is_dir():
        raise UsageError(f"--output {output} is a file; name a folder")
    if not overwrite and (output / "report.html").exists():
        raise OutputExistsError(f"{output} holds a report and was left as it is: choose another, or add --overwrite")
    find(models)
    inputs.find()
    from anyseq import api
    from anyseq.inspection.report import write

    found = []
    read: tuple[Sequence[Item], Sequence[Sequence[str]] | None] | None = None
    for model in models:
        predictor = load(run, [model], search)
        if read is None or not inputs.once:
            read = inputs.read(predictor.task)
        found.append(
            api.inspect_items(predictor, *read, views=chosen, items=items, name=str(model), **search)
        )
    written = write(found, output)
    typer.echo("\n".join(map(str, written)))
