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
class TreeSymbols(Symbols):
    """A stream that writes a tree over the source's elements, from left to right: its brackets, and its leaves.

    Attributes:
        closed_by: Of each symbol that opens a bracket the one that closes it; 0 of all others.
        takes: Whether a symbol stands for the next element of the source.
    """

    closed_by: tuple[int, ...] = ()
    takes: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Vectors:
    """A stream of real vectors.

    Attributes:
        dim: Width of each.
        shape: Height, width and channels, where each is a picture, row by row.
        length: How many there are in every sequence, where all are as long.
    """

    dim: int
    shape: tuple[int, int, int] | None = None
    length: int | None = None


@dataclass(frozen=True)
class Spelt:
    """A stream of words with their characters: a place holds the word's symbol, then those of its characters.

    The end is symbol 0 without characters. A word has as many as `longest` (a longer one its first and last), then
    zeros.

    Attributes:
        vocab_size: Number of words, the end (0) and unknown (1) included.
        alphabet_size: Number of characters, nothing (0) and unknown (1) included.
        longest: Characters of a word.
    """

    vocab_size: int
    alphabet_size: int
    longest: int


@dataclass(frozen=True)
class Grouped:
    """A stream of groups of symbols, such as the words of a sentence: a place holds a group, then zeros.

    The end is a place of zeros.

    Attributes:
        vocab_size: Number of symbols, the end (0) and unknown (1) included.
        longest: Symbols of a place.
    """

    vocab_size: int
    longest: int


@dataclass(frozen=True)
class Factored:
    """A stream of tokens with factors: a place holds the columns of the token, then one a factor, side by side.

    Attributes:
        streams: Of the token, then of each factor.
    """

    streams: tuple[Symbols | Spelt, ...]

    @property
    def widths(self) -> list[int]:
        """Columns of each."""
        return [1 + stream.longest if isinstance(stream, Spelt) else 1 for stream in self.streams]


@dataclass(frozen=True)
class Pointers:
    """A stream of elements of the source: symbol 0 is the end, 1 + i the source's element i.

    So the number of symbols differs by source: 1 and its elements. In a batch there are as many as the longest source
    needs, of which a shorter one has the first.
    """

    end: int = 0


Stream = Symbols | Vectors | Spelt | Grouped | Factored | Pointers
