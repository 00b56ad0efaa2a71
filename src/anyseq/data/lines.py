"""Lines of text from a file or from standard input: the one place that opens and decodes them.

Only "\\n" (or "\\r\\n") ends a line: U+2028, a form feed and their like are text. A byte order mark is dropped.
"""

from __future__ import annotations

import difflib
import gzip
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

from anyseq.errors import DataError

STANDARD_INPUT = "-"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Excerpt(str):
    """A file of which some lines are at hand already: it is read as the file is, and messages name the file's lines.

    Attributes:
        lines: As they stand in the file, their ends included.
        numbers: Of each, from 1.
    """

    lines: Sequence[bytes]
    numbers: Sequence[int]

    def __new__(cls, name: str, lines: Sequence[bytes] = (), numbers: Sequence[int] = ()) -> Self:
        """Of the file that a name stands for."""
        excerpt = super().__new__(cls, name)
        excerpt.lines, excerpt.numbers = lines, numbers
        return excerpt


def display_name(path: str | Path) -> str:
    """How messages and items call a file."""
    return "standard input" if str(path) == STANDARD_INPUT else str(path)


def read_bytes(path: Path) -> bytes:
    """Read a whole file.

    Raises:
        DataError: it is missing or cannot be read.
    """
    with opened(path) as stream:
        return stream.read()


def read_text(path: str | Path) -> str:
    """Read a whole file as one text, line ends included.

    Raises:
        DataError: the file is missing, empty or damaged, or a line is no UTF-8.
    """
    with opened(path) as stream:
        lines = [(line.endswith(b"\n"), decoded(line, path, number)) for number, line in enumerate(stream, 1)]
    if not lines:
        raise DataError("the file is empty; give one with some text", str(path))
    return "".join(text + "\n" * ended for ended, text in lines)


def read_numbered(path: str | Path) -> Iterator[tuple[int, str]]:
    """Read a file's lines (`-`: those of standard input), without their ends, with their numbers from 1.

    Raises:
        DataError: the file is missing or damaged, or a line is no UTF-8.
    """
    if isinstance(path, Excerpt):
        for number, line in zip(path.numbers, path.lines, strict=True):
            yield number, decoded(line, path, number)
        return
    with opened(path) as stream:
        for number, line in enumerate(stream, 1):
            yield number, decoded(line, path, number)


def decoded(line: bytes, path: str | Path, number: int) -> str:
    """Return the text of a line, without its end.

    Args:
        line: As it was read.
        path: Of its file, for messages.
        number: Its number in the file, from 1.

    Raises:
        DataError: it is no UTF-8.
    """
    if number == 1:
        line = line.removeprefix(_BYTE_ORDER_MARK)
    try:
        return line.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError as fault:
        utf_16 = number == 1 and line.startswith(_UTF_16_MARKS)
        encoding, like = ("UTF-16", "UTF-16") if utf_16 else ("its encoding, such as LATIN1,", "LATIN1")
        remedy = f"convert the file from {encoding} with iconv (iconv -f {like} -t UTF-8 FILE > NEW)"
        message = f"byte {fault.start + 1} of the line is no UTF-8; {remedy}"
        raise DataError(message, display_name(path), number) from None


@contextmanager
def opened(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file (.gz or plain) or standard input for reading bytes.

    Raises:
        DataError: it is missing, or what is read of it inside the `with` is damaged.
    """
    if str(path) == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    path = Path(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            yield stream  # type: ignore[misc]  # a GzipFile reads as a BinaryIO does
    except DataError:  # a fault of a line, found while the file is open
        raise
    except FileNotFoundError:
        raise DataError(f"there is no such file; {nearest(path)}", str(path)) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as fault:
        raise DataError(f"the .gz is damaged or cut short ({fault}); copy it again", str(path)) from None
    except (OSError, ValueError) as fault:
        raise DataError(f"cannot be read ({fault}); give a readable file", str(path)) from None


def nearest(path: Path) -> str:
    """Say what a path that does not exist may be meant for, or where to look."""
    if not os.access(path.parent, os.R_OK):
        return f"the folder {path.parent} does not exist either, or cannot be read"
    names = [entry.name for entry in path.parent.iterdir()]
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {path.parent / near[0]}?" if near else f"look into {path.parent}"
