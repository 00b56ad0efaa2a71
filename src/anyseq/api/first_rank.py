"""What of a run is the first rank's alone: who is told, and who holds the folder."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from anyseq.api.watching import watched
from anyseq.core import ranks
from anyseq.tasks.settings import TaskConfig
from anyseq.training.disk import claimed
from anyseq.training.progress import Listener, Silent


def heard(listener: Listener | None) -> Listener:
    """Who is told how it goes: of several ranks the first one's listener."""
    return Silent() if listener is None or not ranks.first() else listener


def watched_by_first(listener: Listener, config: TaskConfig, folder: Path, step: int = 0) -> Listener:
    """What draws the curves besides, and writes events: of several ranks at the first."""
    return watched(listener, config, folder, step) if ranks.first() else listener


def held(folder: Path, listener: Listener) -> AbstractContextManager[None]:
    """The folder for this run alone: the first rank holds it."""
    return claimed(folder, listener.noted) if ranks.first() else nullcontext()
