"""A text as it is read: its beginnings, after each word or each sentence."""

from __future__ import annotations

import re
from typing import Literal

Step = Literal["words", "sentences", "frames"]
"""What a source is read by; frames are the words of music written as text."""

_MARKS = ".!?…。！？"
# Behind a mark and white space, unless a lone mark follows; behind 。 and its like nothing need stand between.
_SENTENCE_END = re.compile(rf"(?<=[.!?…])\s+(?![{_MARKS}]+(?:\s|$))|(?<=[。！？])(?![{_MARKS}])\s*")


def prefixes(text: str, by: Step) -> list[str]:
    """Every beginning of a text that ends with a word, or a sentence; the last is all of it, without outer white space.

    A sentence ends with `.`, `!`, `?` or their like before white space; a lone mark, as tokenised text has it, is no
    sentence but the end of the one before.
    """
    ends = [found.end() for found in re.finditer(r"\S+", text)]
    if by == "sentences":
        pieces = [found.start() for found in _SENTENCE_END.finditer(text)]
        ends = [end for end in pieces if text[:end].strip(f" {_MARKS}")] + ends[-1:]
    return list(dict.fromkeys(text[:end].strip() for end in ends))
