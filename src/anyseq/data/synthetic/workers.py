"""Processes that draw while the model trains: one that dies or hangs ends in an error, never in waiting for it."""

from __future__ import annotations

import multiprocessing
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Generic, TypeVar

from anyseq.errors import RunError, UsageError

T = TypeVar("T")
_REMEDY = (
    "what was saved is whole: go on with anyseq train --resume DIR (where it comes again with "
    "data.generator.workers=0: the same is drawn)"
)


class Workers(Generic[T]):
    """Some processes, each of which does a part of a work.

    They end with this object, and with the process that made it, however it ends: what they have begun and nobody waits
    for is given up.

    Args:
        count: How many.
        wait_minutes: So long without any part done, they count as hanging.
    """

    def __init__(self, count: int, wait_minutes: float) -> None:
        self.wait_minutes, self._worked = wait_minutes, False
        self._pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), end_with_parent)
        weakref.finalize(self, _end, self._pool)
        # What concurrent.futures does at the interpreter's end is to wait for all that a pool was given, and it does so
        # before any function of `atexit` is called.
        threading._register_atexit(_end_if_there, weakref.ref(self._pool))  # type: ignore[attr-defined]

    def begin(self, work: Callable[..., T], parts: Iterable[tuple[Any, ...]]) -> list[Future[T]]:
        """Have the parts of a work begun, in order; each is the arguments of a call.

        Raises:
            RunError: a process has died meanwhile.
        """
        try:
            return [self._pool.submit(work, *part) for part in parts]
        except BrokenProcessPool as error:
            raise self._died() from error

    def results(self, begun: Iterable[Future[T]]) -> Iterator[T]:
        """Wait for what was begun, in order.

        Raises:
            RunError: a process died, or hangs.
            UsageError: none could be started.
        """
        for future in begun:
            try:
                yield future.result(60 * self.wait_minutes)
            except BrokenProcessPool as error:
                raise self._died() from error
            except TimeoutError as error:
                _end(self._pool)
                raise RunError(
                    f"the processes that draw (data.generator.workers) have given nothing for {self.wait_minutes:g} "
                    f"minutes (data.generator.wait_minutes) and were ended; {_REMEDY}"
                ) from error
            self._worked = True

    def _died(self) -> Exception:
        if self._worked:
            return RunError(
                "a process that draws (data.generator.workers) has died: something has ended it, or memory ran out; "
                + _REMEDY
            )
        return UsageError(
            "data.generator.workers: no process was started; a script needs `if __name__ == '__main__':` around"
            " what it does, or set workers=0"
        )


def _end(pool: ProcessPoolExecutor) -> None:
    """End the processes of a pool, also those that work or hang: otherwise this one would wait for them when it ends.
    """
    for process in list((pool._processes or {}).values()):
        process.kill()
    pool.shutdown(wait=False, cancel_futures=True)


def _end_if_there(pool: weakref.ref[ProcessPoolExecutor]) -> None:
    if (own := pool()) is not None:
        _end(own)


def end_with_parent() -> None:
    """Watch, in a process of the pool, for the end of the one that started it: a killed one tells nobody."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
