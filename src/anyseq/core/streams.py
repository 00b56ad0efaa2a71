"""What a codec promises a model about one of its sides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Symbols:
    """A stream of whole numbers from a vocabulary.

    Symbol 0 is the end, everywhere: `encode` puts it last, a decoder may emit it. There is no symbol for padding
    (`valid` says that) and none for the start (a decoder has a start vector).

    Attributes:
        vocab_size: Number of symbols, the end included.
        end: The end symbol.
        unknown: What stands for all that has no symbol, in a codec that does not know everything.
    """

    vocab_size: int
    end: int = 0
    unknown: int = 1


@dataclass(frozen=True)
class Vectors:
    """A stream of real vectors, each `dim` wide."""

    dim: int


Stream = Symbols | Vectors
