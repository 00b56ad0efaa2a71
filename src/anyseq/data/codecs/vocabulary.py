"""A vocabulary brought along: a file with one entry a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from anyseq.data.lines import read_numbered
from anyseq.data.text import Normalise
from anyseq.errors import DataError


def read_characters(path: str, normalise: Normalise, parts_of: Callable[[str], Iterable[str]]) -> list[str]:
    """The characters of a file, each once, in its order.

    Args:
        path: One a line (plain or .gz); a line may hold a space, or several characters that are one symbol.
        normalise: Gives an entry its canonical form (but for white space).
        parts_of: What cuts a text into symbols.

    Raises:
        DataError: the file cannot be read or is empty, or a line is no one symbol.
    """
    entries: dict[str, None] = {}
    for number, line in read_numbered(path):
        parts = list(parts_of(normalise.fold(line)))
        if len(parts) != 1:
            found = "nothing" if not parts else f"{line!r:.40}"
            raise DataError(f"one character a line is expected, here is {found}; mend the line", path, number)
        entries[parts[0]] = None
    return _some(entries, path)


def read_words(path: str, normalise: Normalise, tokenise: Callable[[str], list[str]]) -> list[str]:
    """The words and punctuation marks of a file, without spaces, each once, in its order.

    Args:
        path: One a line (plain or .gz). What is cut into several (`don't`) gives each of them.
        normalise: Gives an entry its canonical form.
        tokenise: Cuts a text into words, the first space with each.

    Raises:
        DataError: the file cannot be read or is empty, or a line holds nothing, or white space between two things.
    """
    entries: dict[str, None] = {}
    for number, line in read_numbered(path):
        words = normalise.fold(line).split()
        if len(words) != 1:
            found = "nothing" if not words else f"{line!r:.40}"
            raise DataError(
                f"one word a line is expected, without counts, here is {found}; mend the line", path, number
            )
        entries.update(dict.fromkeys(token.removeprefix(" ") for token in tokenise(words[0])))
    return _some(entries, path)


def _some(entries: dict[str, None], path: str) -> list[str]:
    if not entries:
        raise DataError("the file is empty; give one entry a line", path)
    return list(entries)
