"""Symbols that spell signs, one each: every sequence of symbols is a text of its own, found wherever it stands."""

from __future__ import annotations

from collections.abc import Sequence

from anyseq.core import Spelling
from anyseq.search import ForbiddenTexts


def spelling(symbols: int) -> Spelling:
    """Symbol 0 is the end, the others are parts of boxes."""
    return Spelling(("", *(chr(0x2500 + symbol) for symbol in range(1, symbols))), str, squeeze=False)


def forbidden(sequences: Sequence[Sequence[int]], symbols: int) -> ForbiddenTexts:
    """Forbids sequences of symbols (without end): none of them occurs anywhere in an output."""
    spelt = spelling(symbols)
    return ForbiddenTexts(["".join(str(spelt.surfaces[symbol]) for symbol in each) for each in sequences], spelt)
