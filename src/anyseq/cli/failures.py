"""From exceptions to one clear line and an exit code."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from anyseq.errors import AnyseqError, NotSavedError

_FULL = (errno.ENOSPC, errno.EDQUOT)
# How native libraries put the same thing into their own exceptions' text.
_FULL_TEXT = ("no space left on device", "disk quota exceeded")
_MEMORY_TEXT = ("out of memory", "not enough memory", "can't allocate memory")
# A closed pipe ends a filter as the signal would have.
CLOSED_PIPE = 141
INTERRUPTED = 130


def explain(error: BaseException) -> tuple[str, int]:
    """Say in one line what went wrong, and give the exit code.

    2 is mendable before the first step (use, configuration, data), 1 a run that failed, 128 + n a signal.
    """
    if isinstance(error, NotSavedError):  # it says more than what is said here of a full disk
        return str(error), error.exit_code
    if any(_is_full(cause) for cause in _chain(error)):
        place = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
        return (
            f"the disk is full{place}; what was saved before is whole. Make room, then go on:"
            " `anyseq train --resume DIR` for a training run"
        ), 1
    if isinstance(error, AnyseqError):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", INTERRUPTED
    if isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)):
        return f"{error.filename2 or error.filename}: {(error.strerror or 'cannot be used').lower()}", 2
    text = str(error).lower()
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in text for words in _MEMORY_TEXT)
    ):
        return (
            "out of memory; lower training.batch_tokens or set it to auto (train), or lower --batch-tokens (predict, "
            "evaluate, score)"
        ), 1
    if isinstance(error, OSError):
        return f"{error.filename or 'input or output'}: {(error.strerror or str(error)).lower()}", 1
    brief = " ".join(str(error).split())[:200]
    return f"a fault of anyseq, not yours: {type(error).__name__}: {brief} (the traceback: --debug)", 1


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _is_full(error: BaseException) -> bool:
    if isinstance(error, AnyseqError):
        return False
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return any(words in str(error).lower() for words in _FULL_TEXT)
