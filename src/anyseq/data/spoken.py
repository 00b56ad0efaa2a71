"""When a word was said in a recording: spans of time, as text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from anyseq.errors import DataError

_SPAN = re.compile(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)(?:=(\S+))?")


@dataclass(frozen=True)
class Spoken:
    """A word was said.

    Attributes:
        begin_s, end_s: From when to when, in seconds from the recording's beginning.
        name: Of the recording it comes from, where a stream was put together; no white space.
    """

    begin_s: float
    end_s: float
    name: str = ""


def written(spoken: Iterable[Spoken]) -> str:
    """Spans as text: `1.25-1.75 7.1-7.5=a.wav`."""
    return " ".join(
        f"{each.begin_s:.4f}-{each.end_s:.4f}" + (f"={each.name}" if each.name else "") for each in spoken
    )


def holds_spans(text: str) -> bool:
    """Whether a text is meant as spans: a word of it is one."""
    return any(_SPAN.fullmatch(word) for word in text.split())


def says_none(text: str) -> bool:
    """Whether a text says that there are no spans."""
    return text.strip() in ("", "-")


def read_spoken(text: str) -> list[Spoken]:
    """Spans from text, in order; `-` or nothing where there are none.

    Raises:
        DataError: it is none, or a span ends before it begins.
    """
    found = []
    for word in () if says_none(text) else text.split():
        match = _SPAN.fullmatch(word)
        if match is None or float(match[2]) <= float(match[1]):
            raise DataError(f"{word!r:.40} is no span of time; in seconds, from its beginning to its end: 1.25-1.75")
        found.append(Spoken(float(match[1]), float(match[2]), match[3] or ""))
    return sorted(found, key=lambda each: each.begin_s)
