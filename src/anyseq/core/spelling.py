"""How symbols spell a text, and what of a text has no symbol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain


@dataclass(frozen=True)
class Spelling:
    """How the symbols of a codec spell a text, for those who care about the text and not about its segmentation.

    Law: `canonical` of what some symbols spell, one after the other, is `canonical` of what `decode` makes of them.

    Attributes:
        surfaces: What each symbol adds to the text: characters in canonical form (none for the end), or one byte of a
            character written in UTF-8. Bytes that make no character are shown as U+FFFD each.
        fold: The canonical form of a text but for its white space; each character by itself, then composed.
        squeeze: A run of white space is one space, and at the edges of the text it is none.
        first_space: Whether a space that the text begins with is shown; one that is a byte always is.
    """

    surfaces: Sequence[str | bytes]
    fold: Callable[[str], str]
    squeeze: bool
    first_space: bool = True

    def canonical(self, text: str) -> str:
        """The canonical form of a text."""
        text = self.fold(text)
        return " ".join(text.split()) if self.squeeze else text


@dataclass(frozen=True)
class Unknown:
    """What of a text has no symbol.

    Attributes:
        parts: The characters or words, each as often and in the order they stand.
        characters: Characters of the whole text, white space not counted.
    """

    parts: Sequence[str] = ()
    characters: int = 0

    @classmethod
    def of(cls, text: str, parts: Iterable[str]) -> Unknown:
        """Those of a text's parts that are unknown; an empty one is none."""
        return cls(tuple(part for part in parts if part), _visible(text))

    @classmethod
    def together(cls, several: Iterable[Unknown]) -> Unknown:
        """What of several texts has no symbol."""
        several = list(several)
        parts = tuple(chain.from_iterable(each.parts for each in several))
        return cls(parts, sum(each.characters for each in several))

    @property
    def share(self) -> float:
        """How much of the text is unknown, in characters, from 0 to 1."""
        return sum(map(_visible, self.parts)) / self.characters if self.characters else 0.0

    def named(self, most: int = 5) -> str:
        """The unknown parts for a message, each once, the most frequent first: `'Ж', '漢' and 3 more`."""
        parts = [part for part, _ in Counter(self.parts).most_common()]
        rest = f" and {len(parts) - most} more" if len(parts) > most else ""
        return ", ".join(f"{part!r:.40}" for part in parts[:most]) + rest


def _visible(text: str) -> int:
    return len("".join(text.split()))
