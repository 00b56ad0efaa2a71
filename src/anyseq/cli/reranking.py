"""The other models that help `predict` and `evaluate` to choose among the hypotheses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from anyseq.errors import UsageError

_PANEL = "Choosing with the help of other models"


@dataclass(frozen=True)
class Reranking:
    """Whose scores count, and how much. The fields are options (see `options.verb`)."""

    rerank_with: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="MODEL",
            help="Add this model's score of each hypothesis when one is chosen (several: the mean of their scores).",
            rich_help_panel=_PANEL,
        ),
    ] = None
    rerank_weight: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="W", help="Share of that score, the rest is the own (0.5).", rich_help_panel=_PANEL
        ),
    ] = None
    rerank_backwards: Annotated[
        bool,
        typer.Option(
            "--rerank-backwards",
            help="Those models go from target to source, and score that (a noisy channel).",
            rich_help_panel=_PANEL,
        ),
    ] = False

    def __post_init__(self) -> None:
        """Refuse what is said of models that are not given.

        Raises:
            UsageError: so it is.
        """
        if not self.rerank_with and (self.rerank_weight is not None or self.rerank_backwards):
            raise UsageError("--rerank-weight and --rerank-backwards are about other models: add --rerank-with MODEL")

    @property
    def loading(self) -> dict[str, Any]:
        """The arguments of `anyseq.load`."""
        return {name: value for name, value in vars(self).items() if value not in (None, [], False)}
