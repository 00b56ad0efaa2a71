"""Which characters make words that white space and punctuation set apart."""

from __future__ import annotations

import unicodedata
from enum import IntEnum
from functools import cache

# Letters of these scripts stand side by side without spaces between words (by how Unicode names them).
_UNSPACED = (
    *("CJK ", "IDEOGRAPHIC ", "HIRAGANA ", "HENTAIGANA ", "KATAKANA", "HALFWIDTH KATAKANA", "BOPOMOFO ", "YI "),
    *("TANGUT ", "NUSHU ", "KHITAN ", "THAI ", "LAO ", "KHMER ", "MYANMAR ", "TIBETAN ", "TAI ", "NEW TAI LUE "),
    *("AHOM ", "JAVANESE ", "BALINESE ", "VERTICAL IDEOGRAPHIC "),
)
# All other planes hold no letters, digits or marks.
_ASSIGNED = (range(0x40000), range(0xE0000, 0xE0200))
_CHARACTERS = (range(0xD800), range(0xE000, 0x110000))
_LEAST = (0, 0x80, 0x800, 0x10000)  # the least character written in 1, 2, 3, 4 bytes


class Kind(IntEnum):
    """What a character does to a word."""

    LETTER = 0
    """It is part of a word: a letter or digit of a script written with spaces, or _."""
    MARK = 1
    """It belongs to the character before (accents, vowel signs)."""
    BREAK = 2
    """It is part of no word, or (Chinese, Japanese, Thai ...) nothing tells where its word ends."""


@cache
def kind(character: str) -> Kind:
    """What a character does to a word."""
    if unicodedata.category(character)[0] == "M":
        return Kind.MARK
    if character == "_" or (character.isalnum() and not unicodedata.name(character, "").startswith(_UNSPACED)):
        return Kind.LETTER
    return Kind.BREAK


def length_of(lead: int) -> int:
    """Bytes of a character in UTF-8 by its first byte; 0 where no character begins so."""
    if lead < 0x80:
        return 1
    if lead < 0xE0:
        return 2 if lead >= 0xC2 else 0
    return 3 if lead < 0xF0 else 4 if lead < 0xF5 else 0


@cache
def can_go_on(beginning: bytes, *, in_word: bool) -> bool:
    """Whether some character (of a word: some letter or mark) begins with these bytes, the first of several."""
    length = length_of(beginning[0])
    point = beginning[0] & (0x7F >> length)
    for byte in beginning[1:]:
        point = point << 6 | byte & 0x3F
    rest = 6 * (length - len(beginning))
    first, end = max(point << rest, _LEAST[length - 1]), (point + 1) << rest
    if not in_word:
        return any(max(first, valid.start) < min(end, valid.stop) for valid in _CHARACTERS)
    points = (range(max(first, known.start), min(end, known.stop)) for known in _ASSIGNED)
    return any(kind(chr(each)) is not Kind.BREAK for part in points for each in part)
