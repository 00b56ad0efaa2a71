"""What people's typing does to a line: case, punctuation, spaces, accents. Numbers stay apart and keep their order."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from random import Random

_LOOSE_MARK = re.compile(r"(?<!\d)[.,،]|[.,،](?!\d)")
_SPACE_BEHIND_MARK = re.compile(r"(?<=[.,،]) ")
_TURKIC = ("tr", "az")
_TURKIC_UPPER = str.maketrans("iı", "İI")
_TURKIC_LOWER = str.maketrans("İI", "iı")


def mistype(text: str, language: str, chance: float, rng: Random) -> str:
    """Let each kind of carelessness happen with the given chance, 0 to 1.

    Everything in lower or in upper case; without points and commas (but for those between digits); without the space
    behind them, or with one space too many; without accents (Latin and Greek letters).
    """
    if rng.random() < chance:
        text = drop_marks(text)
    if rng.random() < chance:
        text = _disturb_spaces(text, rng)
    if rng.random() < chance:
        text = drop_accents(text)
    if rng.random() < chance:
        text = _upper(text, language) if rng.random() < 0.5 else lower(text, language)
    return text


def drop_marks(text: str) -> str:
    """Leave out points and commas that do not stand between digits."""
    return _LOOSE_MARK.sub("", text)


def drop_accents(text: str) -> str:
    """Leave out the accents of Latin and Greek letters; in other scripts such marks are letters of their own."""
    return "".join(map(_plain, text))


def lower(text: str, language: str) -> str:
    """Lower case, with the dotless i where the language has it."""
    return (text.translate(_TURKIC_LOWER) if language in _TURKIC else text).lower()


def _upper(text: str, language: str) -> str:
    return (text.translate(_TURKIC_UPPER) if language in _TURKIC else text).upper()


def _disturb_spaces(text: str, rng: Random) -> str:
    if rng.random() < 0.5:
        return _SPACE_BEHIND_MARK.sub("", text)
    spaces = [place for place, character in enumerate(text) if character == " "]
    if not spaces:
        return text
    place = rng.choice(spaces)
    return f"{text[:place]} {text[place:]}"


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    base = unicodedata.normalize("NFD", character)[0]
    return base if unicodedata.name(base, "").startswith(("LATIN", "GREEK")) else character
