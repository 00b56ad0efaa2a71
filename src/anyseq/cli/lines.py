"""Lines in, for a filter: in windows, and at once when somebody waits."""

from __future__ import annotations

import gzip
import itertools
import os
import select
import stat
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from anyseq.errors import DataError

WINDOW = 1024
# A program that writes to our stdin and waits for the answer gets it when it has been silent so long.
_SILENCE_S = 0.2


def windows(path: str, size: int = WINDOW) -> Iterator[list[str]]:
    """Read the lines of a file (plain or .gz), or of stdin where the path is `-`.

    A line ends with a line feed (and nothing else: no other character that Unicode calls a line end), its carriage
    return is dropped.

    Args:
        path: The file.
        size: Lines of a window. A window of stdin is given earlier: at once when it is a terminal, after a short
            silence when it is a pipe.

    Raises:
        DataError: a line is no UTF-8; the lines before it were given first.
    """
    name = "stdin" if path == "-" else path
    number = 0
    for window in _from_stdin(size) if path == "-" else _from_file(Path(path), size):
        texts: list[str] = []
        for line in window:
            number += 1
            try:
                texts.append(line.decode("utf-8-sig" if number == 1 else "utf-8").removesuffix("\r"))
            except UnicodeDecodeError as error:
                if texts:
                    yield texts
                raise DataError("this line is no UTF-8: convert the file (iconv -t UTF-8)", name, number) from error
        yield texts


def _from_file(path: Path, size: int) -> Iterator[list[bytes]]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        try:
            while window := list(itertools.islice(stream, size)):
                yield [line.removesuffix(b"\n") for line in window]
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"the compressed file is damaged ({error})", str(path)) from error


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
