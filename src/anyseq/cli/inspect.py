"""`anyseq inspect`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyseq.cli.options import Everywhere, find, load
from anyseq.data.lines import STANDARD_INPUT, opened
from anyseq.errors import OutputExistsError, UsageError

if TYPE_CHECKING:
    from anyseq.core import Item
    from anyseq.data.annotations import Links
    from anyseq.inspection.result import Inspection
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

    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--property", metavar="NAME=FILE",
            help="Labels of each line's words (or symbols) with spaces between, - for none: finds the cells that "
            "follow them, and their gates where they change. May be repeated.",
        ),
    ] = None
    alignments: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Which word of the right answer comes from which of the input, 0-0 2-1 a line (source first, from 0): "
            "attention is compared with it. Needs --target or --data.",
        ),
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
        if self.alignments is not None and not self.target and self.data is None:
            raise UsageError("--alignments are of inputs and right answers: give --target FILE, or --data FILE")
        for each in self.properties or []:
            name, found, path = each.partition("=")
            if not (name.strip() and found and path):
                raise UsageError(f"--property {each}: give a name and a file, as in --property 'gender=labels.txt'")

    def find(self) -> None:
        """Refuse files that are not there, before torch is imported.

        Raises:
            DataError: the first that is not.
        """
        source = None if self.source in (None, STANDARD_INPUT) else Path(str(self.source))
        for path in (source, *(self.target or []), self.data, *self._labels.values(), self.alignments):
            if path is not None and not path.is_dir() and not path.is_fifo():
                with opened(path):
                    pass

    @property
    def _labels(self) -> dict[str, Path]:
        """The files of labels, by the property's name."""
        pairs = (each.partition("=") for each in self.properties or [])
        return {name.strip(): Path(path) for name, _, path in pairs}

    def beside(self) -> tuple[dict[str, list[list[str]]], Sequence[Links] | None]:
        """Properties and alignments, line by line."""
        from anyseq.data.annotations import read_alignments, read_labels

        alignments = None if self.alignments is None else read_alignments(self.alignments)
        return {name: read_labels(path) for name, path in self._labels.items()}, alignments

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
        if task.tables:
            return task.sources(self.source), None
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
    where it applies to the model. Inspecting changes no output. Cells are searched for that follow a property of the
    text (brackets, digits, position), one of yours (--property), or of the generator that the model learnt from.
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

    found, (properties, alignments) = [], inputs.beside()
    read: tuple[Sequence[Item], Sequence[Sequence[str]] | None] | None = None
    for model in models:
        predictor = load(run, [model], search)
        if read is None or not inputs.once:
            read = inputs.read(predictor.task)
        found.append(
            api.inspect_items(
                predictor, *read, views=chosen, items=items, name=str(model), properties=properties,
                alignments=alignments, **search,
            )
        )
        _tell_lost(found[-1], properties)
    written = write(found, output)
    typer.echo("\n".join(map(str, written)))


def _tell_lost(seen: Inspection, properties: Iterable[str]) -> None:
    """Say which of the user's properties no cell follows, for the report is silent of them."""
    from anyseq.inspection.gates import LEAST_PLACES, LEAST_SCORE

    followed = {each.property.partition(" (")[0] for each in seen.gates.found} if seen.gates is not None else None
    for name in properties:
        if followed is not None and name not in followed:
            print(
                f"anyseq: note: {seen.model}: no cell follows the property {name!r} (a label and the rest need "
                f"{LEAST_PLACES} places in every second input; a cell needs an area under the curve of {LEAST_SCORE})",
                file=sys.stderr,
            )
