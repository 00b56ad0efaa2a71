"""`predict --plot`: a picture of predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anyseq.cli.options import refuse_homeless, refuse_to_replace
from anyseq.errors import UsageError

if TYPE_CHECKING:
    from anyseq.api import Prediction
    from anyseq.core import Item
    from anyseq.tasks.base import Task

KINDS = (".png", ".svg", ".pdf")

PlotFile = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help=f"Draw the predictions, too ({', '.join(KINDS)})."),
]


class Plot:
    """Keeps what was predicted until it is drawn.

    Args:
        path: The file to write; None: nothing is kept, and nothing drawn.
        overwrite: It may be there already.

    Raises:
        UsageError: it cannot be written, or is of no kind that there is.
        OutputExistsError: it is there already.
    """

    def __init__(self, path: Path | None, overwrite: bool) -> None:
        self._path = path
        self._items: list[Item] = []
        self._predictions: list[Prediction] = []
        if path is None:
            return
        if path.suffix.lower() not in KINDS:
            raise UsageError(f"--plot {path}: a picture ends in {', '.join(KINDS)}; choose one of these")
        refuse_homeless(path)
        refuse_to_replace(path, overwrite)

    def refuse(self, task: Task) -> None:
        """Refuse a model whose use has no picture, before anything is predicted.

        Raises:
            UsageError: so it is.
        """
        if self._path is not None and not task.plots:
            raise UsageError("this model's use has no picture of its predictions: leave out --plot")

    def seen(self, items: Sequence[Item], predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        """Hand predictions on, and keep them where they are to be drawn."""
        for item, prediction in zip(items, predictions, strict=True):
            if self._path is not None:
                self._items.append(item)
                self._predictions.append(prediction)
            yield prediction

    def draw(self, task: Task) -> None:
        """Draw what was kept; of nothing there is no picture."""
        if self._path is not None and self._items:
            task.plot(self._items, self._predictions, self._path)
