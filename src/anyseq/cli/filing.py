"""`predict --files`: each output as a file of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anyseq.errors import OutputExistsError, UsageError

if TYPE_CHECKING:
    from anyseq.api import Prediction
    from anyseq.tasks.base import Task

FilesFolder = Annotated[
    Path | None,
    typer.Option("--files", metavar="DIR", help="Write each output into this folder, too, as a file (music: MIDI)."),
]


class Files:
    """A folder that outputs are written into.

    Args:
        folder: It is made where it is not there; None: nothing is written.
        overwrite: There may be files in it already; those that this command wrote before are removed.

    Raises:
        UsageError: it is a file.
        OutputExistsError: there is something in it.
    """

    def __init__(self, folder: Path | None, overwrite: bool) -> None:
        self._folder, self._stale = folder, overwrite
        if folder is None:
            return
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"--files {folder} is a file; name a folder")
        if not overwrite and folder.is_dir() and any(folder.iterdir()):
            raise OutputExistsError(f"{folder} holds files and was left as it is: choose another, or add --overwrite")

    def refuse(self, task: Task) -> None:
        """Refuse a model whose outputs are texts alone, or cannot be written here, before anything is predicted.

        Raises:
            UsageError: so it is.
            MissingExtraError: a library is not installed.
        """
        if self._folder is not None:
            task.refuse_to_write()

    def write(self, task: Task, number: int, prediction: Prediction) -> None:
        """Write the outputs for a line."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._stale:
            self._remove_older(self._folder, task.writes)
        several = len(prediction.n_best) > 1
        for rank, found in enumerate(prediction.n_best, 1):
            if found.output:
                name = f"{number}-{rank}" if several else str(number)
                task.write(found.output, self._folder / f"{name}{task.writes}")

    def _remove_older(self, folder: Path, ending: str) -> None:
        """Remove what an earlier call wrote, which may have been more; whatever else is there is left alone."""
        self._stale = False
        for file in folder.iterdir():
            if re.fullmatch(rf"\d+(-\d+)?{re.escape(ending)}", file.name) and file.is_file():
                file.unlink()
