"""The pairs that `evaluate` and `score` are given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anyseq.data.lines import opened
from anyseq.errors import UsageError

if TYPE_CHECKING:
    from anyseq.core import Item
    from anyseq.tasks.base import Task


@dataclass(frozen=True)
class Pairs:
    """Sources and their targets, in several files or in one; texts alone for a model that has no source. The fields are
    options (see `options.verb`)."""

    source: Annotated[Path | None, typer.Option(metavar="FILE", help="Sources, one a line (plain or .gz).")] = None
    target: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Targets; several files, or a .tsv, are several references a line."),
    ] = None
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Both in one file, as the recipe's data.train (plain or .gz).")
    ] = None

    def __post_init__(self) -> None:
        """Refuse half a pair, and pairs given twice.

        Raises:
            UsageError: so it is.
        """
        some = self.source is not None or bool(self.target)
        if some == (self.data is not None) or (self.source is not None and not self.target):
            without = "--data FILE alone, also where a model has no source"
            raise UsageError(f"pairs are needed: --source FILE and --target FILE, or {without}")

    def find(self) -> None:
        """Refuse files that are not there, before torch is imported.

        Raises:
            DataError: the first that is not.
        """
        for path in (self.source, *(self.target or []), self.data):
            folder = path is not None and path is self.data and path.is_dir()
            if path is not None and not folder and not path.is_fifo():  # who writes into one would take it for its end
                with opened(path):
                    pass

    def read(self, task: Task) -> tuple[list[Item], list[list[str]]]:
        """Items, each with its first reference as target, and all the references of each.

        Args:
            task: Knows what one file of both looks like.

        Raises:
            DataError: a file cannot be used.
        """
        return task.read_judged(self.source, self.target or [], self.data)
