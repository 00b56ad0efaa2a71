"""The pairs that `evaluate` and `score` are given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anyseq.errors import UsageError

if TYPE_CHECKING:
    from anyseq.core import Item
    from anyseq.tasks.base import Task


@dataclass(frozen=True)
class Pairs:
    """Sources and their targets, in several files or in one. The fields are options (see `options.verb`)."""

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
        both, some = self.source is not None and bool(self.target), self.source is not None or bool(self.target)
        if not both if self.data is None else some:
            raise UsageError("pairs are needed: --source FILE and --target FILE, or --data FILE alone")

    def read(self, task: Task) -> tuple[list[Item], list[list[str]]]:
        """Items, each with its first reference as target, and all the references of each.

        Args:
            task: Knows what one file of both looks like.

        Raises:
            DataError: a file cannot be used.
        """
        from anyseq.data.pairs import pairs

        return pairs(self.source, self.target or [], data=self.data, read=task.read_pairs)
