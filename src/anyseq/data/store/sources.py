"""The text files that data are prepared from: whether they are the same, how many lines they have, parts of them."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from anyseq.data.files import csv_rows, names_columns, require_equal
from anyseq.data.lines import Excerpt, nearest, opened, read_numbered
from anyseq.data.permutation import Permutation
from anyseq.errors import DataError

SHARD_LINES = 200_000

_END = 1 << 16
_BLOCK = 1 << 20
_TABLES = (".tsv", ".csv", ".txt")

Files = str | Mapping[str, str]
"""One file that holds all fields, or one a field."""


@dataclass(frozen=True)
class Source:
    """A file as it was found.

    Attributes:
        path: Where.
        size: Bytes.
        changed_ns: When it was last changed.
        ends: A hash of its first and last 64 KiB.
    """

    path: str
    size: int
    changed_ns: int
    ends: str

    @classmethod
    def of(cls, path: str) -> Source:
        """Of a file.

        Raises:
            DataError: it is missing, or cannot be read.
        """
        try:
            with Path(path).open("rb") as stream:
                status = os.fstat(stream.fileno())
                digest = hashlib.blake2b(stream.read(_END), digest_size=16)
                stream.seek(max(0, status.st_size - _END))
                digest.update(stream.read(_END))
            return cls(path, status.st_size, status.st_mtime_ns, digest.hexdigest())
        except FileNotFoundError:
            raise DataError(f"there is no such file; {nearest(Path(path))}", path) from None
        except OSError as fault:
            raise DataError(f"cannot be read ({fault.strerror}); give a readable file", path) from None


@dataclass(frozen=True)
class Excerpts:
    """Some lines of the files that belong together.

    Attributes:
        files: As `Task.read_pairs` takes them.
        shift: What makes a key of the number of a line.
    """

    files: Files
    shift: int


@dataclass(frozen=True)
class Part:
    """Files that belong together, of one corpus.

    Attributes:
        files: One that holds all fields, or one a field.
        corpus: Its number.
        header: Whether the first line names columns.
        lines: Without the header.
        first: Lines in the parts before it.
        items: That is lines, or of sentences with empty lines between as many as these.
        sentences: Whether it holds such.
    """

    files: Files
    corpus: int
    header: bool
    lines: int
    first: int
    items: int
    sentences: bool

    @classmethod
    def of(cls, files: Files, corpus: int, columns: Sequence[str], first: int, sentences: bool = False) -> Part:
        """Count the lines.

        Raises:
            DataError: a file cannot be read or is empty, or they differ in length.
        """
        counts = {path: count_lines(path) for path in _paths(files)}
        require_equal(counts)
        header = isinstance(files, str) and not sentences and _has_header(files, columns)
        lines = next(iter(counts.values())) - header
        items = sum(count_sentences(path) for path in counts) if sentences else lines
        if not items:
            raise DataError("the file is empty; give one with at least one item", next(iter(counts)))
        return cls(files, corpus, header, lines, first, items, sentences)

    @property
    def _quoted(self) -> bool:
        """Whether an item may have line ends in quotes."""
        return isinstance(self.files, str) and _kind(self.files) == ".csv"

    @property
    def _skips_empty(self) -> bool:
        """Whether an empty line is no item."""
        return self.sentences or self._quoted or (isinstance(self.files, str) and _kind(self.files) == ".jsonl")

    @property
    def name(self) -> str:
        """How items call the file they are from."""
        return _paths(self.files)[0]

    def chunks(self, lines: int | None = None) -> Iterator[Excerpts]:
        """All lines, some at a time; as many as make a shard unless told otherwise."""
        columns = {path: self._cut(path, lines or SHARD_LINES) for path in _paths(self.files)}
        at = 1 + self.header
        for blocks in zip(*columns.values(), strict=True):
            numbers = range(at, at + len(blocks[0]))
            if not self._skips_empty or any(line.strip() for line in blocks[0]):
                yield self._excerpts({path: (block, numbers) for path, block in zip(columns, blocks, strict=True)})
            at = numbers.stop

    def _cut(self, path: str, lines: int) -> Iterator[list[bytes]]:
        """A file's lines, some at a time; no item is cut."""
        with opened(path) as stream:
            if self.header:
                stream.readline()
            yield from (_csv_blocks if self._quoted else _sentence_blocks if self.sentences else _blocks)(stream, lines)

    def sample(self, most: int) -> Excerpts:
        """Some lines drawn at random, in order; where items may have several lines, the first."""
        if self.sentences or self._quoted or most >= self.lines:
            return next(self.chunks(min(most, self.lines)))
        places = Permutation(self.lines, (most, self.first))
        numbers = (np.sort(places(np.arange(most))) + 1 + self.header).tolist()
        return self._excerpts({path: (list(_picked(path, numbers)), numbers) for path in _paths(self.files)})

    def _excerpts(self, taken: Mapping[str, tuple[Sequence[bytes], Sequence[int]]]) -> Excerpts:
        made = {path: self._excerpt(path, *lines) for path, lines in taken.items()}
        shift = self.first - 1 - self.header
        if isinstance(self.files, str):
            return Excerpts(made[self.files], shift)
        return Excerpts({name: made[path] for name, path in self.files.items()}, shift)

    def _excerpt(self, path: str, lines: Sequence[bytes], numbers: Sequence[int]) -> Excerpt:
        if not self.header:
            return Excerpt(path, lines, numbers)
        with opened(path) as stream:
            return Excerpt(path, [stream.readline(), *lines], [1, *numbers])


def _paths(files: Files) -> list[str]:
    return [files] if isinstance(files, str) else list(files.values())


def _kind(path: str) -> str:
    return Path(path.removesuffix(".gz")).suffix


def _has_header(path: str, columns: Sequence[str]) -> bool:
    if _kind(path) not in _TABLES:
        return False
    if _kind(path) == ".csv":
        return names_columns(next(csv_rows(path), (0, []))[1], columns)
    return names_columns(next(read_numbered(path), (0, ""))[1].split("\t"), columns)


def count_lines(path: str) -> int:
    """The lines of a file (plain or .gz).

    Raises:
        DataError: it is missing or damaged.
    """
    count, last = 0, b"\n"
    with opened(path) as stream:
        while block := stream.read(_BLOCK):
            count, last = count + block.count(b"\n"), block
    return count + (not last.endswith(b"\n"))


def count_sentences(path: str) -> int:
    """The sentences of a file (plain or .gz) that has empty lines between them."""
    count, within = 0, False
    with opened(path) as stream:
        for line in stream:
            count, within = count + (not within and bool(line.strip())), bool(line.strip())
    return count


def _blocks(stream: Iterable[bytes], lines: int) -> Iterator[list[bytes]]:
    """So many lines at a time."""
    rest = iter(stream)
    while block := list(islice(rest, lines)):
        yield block


def _sentence_blocks(stream: Iterable[bytes], lines: int) -> Iterator[list[bytes]]:
    """So many lines at a time, and on to the next empty one."""
    rest = iter(stream)
    while block := list(islice(rest, lines)):
        while block[-1].strip() and (more := next(rest, None)):
            block.append(more)
        yield block


def _csv_blocks(stream: Iterable[bytes], lines: int) -> Iterator[list[bytes]]:
    """So many lines at a time, and on to the end of the row."""
    block: list[bytes] = []

    def taken() -> Iterator[str]:
        for line in stream:
            block.append(line)
            yield line.decode("latin-1")  # where quotes, commas and line ends are the bytes that they are in UTF-8

    rows = csv.reader(taken())
    with suppress(csv.Error):  # told, with its place, by whoever reads the block
        for _ in rows:
            if len(block) >= lines:
                yield block.copy()
                block.clear()
    if block:
        yield block


def _picked(path: str, numbers: Sequence[int]) -> Iterator[bytes]:
    """Lines of these numbers, which rise."""
    with opened(path) as stream:
        before = 0
        for number in numbers:
            yield next(islice(stream, number - before - 1, None))
            before = number
