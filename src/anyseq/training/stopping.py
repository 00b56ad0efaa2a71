"""Signals that end training: they wait for the end of the update."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from anyseq.errors import Interrupted

DOUBLE_SECONDS = 1.0
"""A signal that comes again so soon is the same one: keys bounce, and process groups are told twice."""


class Stopping:
    """Hears Ctrl-C and SIGTERM.

    Args:
        folder: Of the run, to say how to go on.

    Attributes:
        signal: The number of the one that came here; 0: none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.signal, self.heard = folder, 0, time.monotonic()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Signals wait for the end of the update; a second Ctrl-C does not. Only the main thread may listen.

        Raises:
            Interrupted: it came.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        again = self.signal and time.monotonic() - self.heard > DOUBLE_SECONDS
        if again and number == signal.SIGINT:
            raise Interrupted(
                f"stopped at once by a second {signal.Signals(number).name}; what came after the last checkpoint "
                f"is lost; go on with: anyseq train --resume {self.folder}",
                number,
            )
        self.signal, self.heard = number, time.monotonic()
