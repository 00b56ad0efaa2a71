"""Lines in, for a filter: in windows, and at once when somebody waits."""

from __future__ import annotations

import fcntl
import os
import select
import stat
import sys
import termios
import zlib
from collections.abc import Iterator

from anyseq.data.lines import STANDARD_INPUT, decoded, opened
from anyseq.errors import DataError

WINDOW = 1024
# A program that writes to our stdin and waits for the answer gets it when it has been silent so long.
_SILENCE_S = 0.2


def windows(path: str, size: int = WINDOW) -> Iterator[list[str]]:
    """Read the lines of a file (plain or .gz), or of stdin where the path is `-`.

    Args:
        path: The file.
        size: Lines of a window. A window of stdin is given earlier: at once when it is a terminal, after a short
            silence when it is a pipe.

    Raises:
        DataError: the file is missing or damaged, or a line is no UTF-8; the lines before it were given first.
    """
    number = 0
    for window in _from_stdin(size) if path == STANDARD_INPUT else _from_file(path, size):
        texts: list[str] = []
        for line in window:
            number += 1
            try:
                texts.append(decoded(line, path, number))
            except DataError:
                if texts:
                    yield texts
                raise
        yield texts


def waiting() -> bool:
    """Whether something stands in a pipe that is standard input; nothing is taken out of it."""
    try:
        descriptor = sys.stdin.fileno()
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return False
        select.select([descriptor], [], [], _SILENCE_S)
        return bool(int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4), sys.byteorder))
    except (OSError, ValueError, AttributeError):  # there is none, or it is none of the system's
        return False


def _from_file(path: str, size: int) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    with opened(path) as stream:
        try:
            for line in stream:
                lines.append(line)
                if len(lines) == size:
                    yield lines
                    lines = []
        except (OSError, EOFError, zlib.error):  # what `opened` makes DataErrors of
            if lines:
                yield lines
            raise
    if lines:
        yield lines


def _from_stdin(size: int) -> Iterator[list[bytes]]:
    """Windows of what arrives; read from the descriptor itself, so that no buffer hides what is already here."""
    descriptor = sys.stdin.fileno()
    mode = os.fstat(descriptor).st_mode
    patience_s = None if stat.S_ISREG(mode) else 0.0 if os.isatty(descriptor) else _SILENCE_S
    lines: list[bytes] = []
    pieces: list[bytes] = []
    while True:
        if lines and patience_s is not None and not select.select([descriptor], [], [], patience_s)[0]:
            yield lines
            lines = []
        chunk = os.read(descriptor, 1 << 16)
        if not chunk:
            break
        *whole, rest = chunk.split(b"\n")
        if whole:
            lines += [b"".join([*pieces, whole[0]]), *whole[1:]]
            pieces = []
        pieces.append(rest)
        while len(lines) >= size:
            yield lines[:size]
            lines = lines[size:]
    if last := b"".join(pieces):
        lines.append(last)
    if lines:
        yield lines
