"""Events for TensorBoard: what `metrics.jsonl` holds, as curves of that program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from anyseq.errors import MissingExtraError
from anyseq.training.progress import Report, Silent

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

FOLDER = "tensorboard"
_REPORTED = ("loss", "learning_rate", "tokens_per_second", "wait_share", "memory_mb")


def require_tensorboard() -> None:
    """Refuse to write events where that cannot be done.

    Raises:
        MissingExtraError: the package is not installed.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("tensorboard", "tensorboard") from error


class TensorBoard(Silent):
    """Writes events into a folder of a run, which is made with the first of them.

    Args:
        folder: The run's.
        resumed_at: The step that a run goes on from: what an earlier process wrote of later ones is to be forgotten.

    Raises:
        MissingExtraError: the package is not installed.
    """

    def __init__(self, folder: Path, resumed_at: int | None = None) -> None:
        require_tensorboard()
        self.folder, self.resumed_at = folder / FOLDER, resumed_at
        self._writer: SummaryWriter | None = None

    @property
    def writer(self) -> SummaryWriter:
        """The open file of events."""
        from torch.utils.tensorboard.writer import SummaryWriter

        if self._writer is None:
            purge = None if self.resumed_at is None else self.resumed_at + 1
            self._writer = SummaryWriter(str(self.folder), purge_step=purge)
        return self._writer

    def reported(self, report: Report) -> None:
        """Write a point of each of training's curves."""
        for name in _REPORTED:
            self._add(f"training/{name}", vars(report)[name], report.step)

    def validated(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        """Write a point of each metric's curve, and all of it to the disk."""
        for name, value in metrics.items():
            self._add(f"dev/{name}", value, step)
        self.writer.flush()

    def ended(self, reason: str) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def _add(self, name: str, value: float | None, step: int) -> None:
        if value is not None:
            self.writer.add_scalar(name, value, step)
