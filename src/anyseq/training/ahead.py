"""Reading ahead: a thread that makes the next batches while the model learns from the present one."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor

from anyseq.core import Batch
from anyseq.data.batching import Batches, Position
from anyseq.errors import RunError

AHEAD = 4
STALLED_SECONDS = 600.0
_LOOK_SECONDS = 0.5

Read = tuple[Batch, Position]


class ReadAhead:
    """The batches of a run in order, made before they are asked for; each with the position after it.

    What was read and not asked for is lost at the end, and counts nowhere.

    Args:
        batches: Which examples meet.
        make_batch: Builds the batch of some examples in an epoch; called in the thread alone.
        start: Where to begin.

    Attributes:
        waited: Seconds the caller has waited, since `waited` was last set to 0.
    """

    def __init__(self, batches: Batches, make_batch: Callable[[Tensor, int], Batch], start: Position) -> None:
        self._batches, self._make_batch, self._start = batches, make_batch, start
        self._ready: queue.Queue[Read | BaseException] = queue.Queue(AHEAD)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="anyseq-reading", daemon=True)
        self.waited = 0.0

    @contextmanager
    def reading(self) -> Iterator[ReadAhead]:
        """Read while the `with` lasts."""
        self._thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            self._thread.join(_LOOK_SECONDS * 4)

    def next(self) -> Read:
        """The next batch, waited for if need be.

        Raises:
            RunError: the thread is gone, or gives nothing for ten minutes.
            Exception: as making the batch raised it.
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
                if time.monotonic() - began > STALLED_SECONDS:
                    raise RunError(
                        f"no batch could be read for {STALLED_SECONDS:.0f} seconds: does the disk that holds the data "
                        "still answer? Go on with --resume"
                    ) from None
        self.waited += time.monotonic() - began
        if isinstance(found, BaseException):
            raise found
        return found

    def _read(self) -> None:
        try:
            epoch = self._start.epoch
            for rows, after in self._batches.batches(self._start):
                if not self._give((self._make_batch(rows, epoch), after)):
                    return
                epoch = after.epoch
        except BaseException as fault:  # told where it is asked for
            self._give(fault)

    def _give(self, found: Read | BaseException) -> bool:
        """Hand one over; False: nobody wants any more."""
        while not self._ended.is_set():
            try:
                self._ready.put(found, timeout=_LOOK_SECONDS)
            except queue.Full:
                continue
            return True
        return False
