"""What training writes to: a folder that one run holds for itself, on a disk that may be full."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from anyseq.errors import FolderInUseError, NotSavedError, UsageError

try:
    import fcntl
except ImportError:  # not on every system
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""Held by the run that is at work; it says by whom. The lock is the system's, and ends with its process."""
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def claimed(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """A folder, made where there is none, for one run alone; an empty one that was made is removed again.

    Args:
        folder: To be written to.
        tell: Is told where locks cannot be had.

    Raises:
        FolderInUseError: another run is at work there.
        UsageError: it cannot be written to.
    """
    made: list[Path] = []
    lock = None
    try:
        try:
            for each in reversed([folder, *folder.parents]):
                if not each.exists():
                    each.mkdir(exist_ok=True)
                    made.append(each)
            lock = _lock(folder / LOCK, tell)
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            why = (error.strerror or str(error)).lower()
            raise UsageError(
                f"{folder} cannot be written to ({why}): choose another folder, or change who may write there"
            ) from error
        yield
    finally:
        if lock is not None:
            (folder / LOCK).unlink(missing_ok=True)  # before it is let go: whoever waits sees that this one is gone
            os.close(lock)
        for each in reversed(made):
            with contextlib.suppress(OSError):  # it is not empty
                each.rmdir()


def _lock(file: Path, tell: Callable[[str], None]) -> int | None:
    """Lock a file and return its handle; None where locks cannot be had."""
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if fcntl is None:
                raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise FolderInUseError(
                f"another run is at work in {file.parent} ({_holder(file)}); wait for its end, stop it "
                "(it saves first), or choose another folder"
            ) from None
        except OSError as error:
            os.close(handle)
            file.unlink(missing_ok=True)
            tell(f"{file.parent} cannot be locked ({error.strerror}): that no second run is started there is up to you")
            return None
        if _is(file, handle):
            _sign(handle)
            return handle
        os.close(handle)  # whoever held it removed it meanwhile


def _is(file: Path, handle: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _sign(handle: int) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    with contextlib.suppress(OSError):  # it is said for people only
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}).encode())


def _holder(file: Path) -> str:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return f"process {found['pid']} on {found['host']}, since {found['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"which has locked {file}"


@contextmanager
def told_if_unsaved(folder: Path, what: str, size: int) -> Iterator[None]:
    """Around writing: a failure is told with the space there is, and how to go on.

    Args:
        folder: Of the model.
        what: Is being written.
        size: Of it, in bytes.

    Raises:
        NotSavedError: it could not be written.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        why = "the disk is full" if "no space left" in why.lower() else why
        with contextlib.suppress(OSError):
            why += f"; it needs {size / 1e6:,.1f} MB, {shutil.disk_usage(folder).free / 1e6:,.1f} MB are free"
        raise NotSavedError(
            f"{what} could not be written to {folder} ({why}). What was saved before is whole: make room, or whatever "
            f"it takes, then go on with: anyseq train --resume {folder}"
        ) from error
