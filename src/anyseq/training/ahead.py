"""Reading ahead: a thread that makes the next batches while the model learns from the present one."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Generic, Self, TypeVar

from torch import Tensor

from anyseq.data.batching import Batches, Position
from anyseq.errors import RunError

AHEAD = 4
STALLED_SECONDS = 600.0
_LOOK_SECONDS = 0.5

Made = TypeVar("Made")


class ReadAhead(Generic[Made]):
    """What a run works on in order, made before it is asked for; each with the position after it.

    What was read and not asked for is lost at the end, and counts nowhere.

    Args:
        batches: Which examples meet.
        make: Makes something of some examples in an epoch; called in the thread alone, in the order of the batches.
        start: Where to begin.
        patience: Seconds after which nothing made is an error.
    """

    def __init__(
        self,
        batches: Batches,
        make: Callable[[Tensor, int], Made],
        start: Position,
        patience: float = STALLED_SECONDS,
    ) -> None:
        self._batches, self._make, self._start, self._patience = batches, make, start, patience
        self._ready: queue.Queue[tuple[Made, Position] | BaseException] = queue.Queue(AHEAD)
        self._ended = threading.Event()
        # In a copy of the context, for what is settled in it now (the other ranks) is to hold there to the end.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._read,), name="anyseq-reading", daemon=True
        )

    @contextmanager
    def reading(self) -> Iterator[Self]:
        """Read while the `with` lasts."""
        self._thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            self._thread.join(_LOOK_SECONDS * 4)

    def next(self) -> tuple[Made, Position]:
        """The next one, waited for if need be.

        Raises:
            RunError: the thread is gone, or gives nothing for too long.
            Exception: as making it raised it.
        """
        began = time.monotonic()
        while True:
            try:
                found = self._ready.get(timeout=_LOOK_SECONDS)
                break
            except queue.Empty:
                if not self._thread.is_alive() and self._ready.empty():
                    raise RunError("the thread that reads the data ended before training did; go on with --resume") \
                        from None  # fmt: skip
                if time.monotonic() - began > self._patience:
                    raise RunError(
                        f"no batch could be read for {self._patience:.0f} seconds: does the disk that holds the data "
                        "still answer? Go on with --resume"
                    ) from None
        if isinstance(found, BaseException):
            raise found
        return found

    def _read(self) -> None:
        try:
            epoch = self._start.epoch
            for rows, after in self._batches.batches(self._start):
                if self._ended.is_set() or not self._give((self._make(rows, epoch), after)):
                    return
                epoch = after.epoch
        except BaseException as fault:  # told where it is asked for
            self._give(fault)

    def _give(self, found: tuple[Made, Position] | BaseException) -> bool:
        """Hand one over; False: nobody wants any more."""
        while not self._ended.is_set():
            try:
                self._ready.put(found, timeout=_LOOK_SECONDS)
            except queue.Full:
                continue
            return True
        return False
