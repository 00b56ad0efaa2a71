"""`predict --plot`, `evaluate --plot`: a picture of predictions."""

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

    @property
    def wanted(self) -> bool:
        """Whether there is to be a picture."""
        return self._path is not None

    def refuse(self, task: Task, judged: bool = False) -> None:
        """Refuse a model whose use has no such picture, before anything is predicted.

        Args:
            task: Whose predictions they will be.
            judged: They have targets.

        Raises:
            UsageError: so it is.
        """
        wanted, other = ("judged", "predict") if judged else ("predictions", "evaluate")
        if self._path is None or wanted in task.plots:
            return
        elsewhere = f" (anyseq {other} --plot draws one)" if task.plots else ""
        raise UsageError(f"this model's use has no picture of its predictions here: leave out --plot{elsewhere}")

    def see(self, items: Sequence[Item], predictions: Sequence[Prediction]) -> None:
        """Keep what was predicted, where it is to be drawn."""
        if self._path is not None:
            self._items += items
            self._predictions += predictions

    def seen(self, items: Sequence[Item], predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        """Hand predictions on, and keep them where they are to be drawn."""
        for item, prediction in zip(items, predictions, strict=True):
            self.see([item], [prediction])
            yield prediction

    def draw(self, task: Task) -> None:
        """Draw what was kept; of nothing there is no picture."""
        if self._path is not None and self._items:
            task.plot(self._items, self._predictions, self._path)
