"""Invented words in an orthography whose rules are English's most regular ones, and how they are said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product
from random import Random

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of

_ONSETS = (
    *("", "b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z"),
    *("bl", "br", "cl", "cr", "dr", "fl", "fr", "gl", "gr", "pl", "pr", "sc", "sl", "sm", "sn", "sp", "st", "tr"),
    *("ch", "sh", "th", "ph", "wh", "qu"),
)
_FIRST_ONSETS = (*_ONSETS, "kn", "wr")
_VOWELS = (*"aeiou" * 4, "ee", "ea", "oo", "ai", "oa", "ou", "oi", "ow")
_CODAS = ("", "", "", "b", "d", "g", "l", "m", "n", "p", "r", "s", "t", "x", "ck", "ng", "nd", "nt", "st", "mp", "sh")
_LAST_CODAS = (*_CODAS, "th", "ch", "ll", "ss", "tt", "lt")

_V = "[aeiou]"
# Before a single consonant (no x) and a final e, which is silent, a vowel is long.
_LONG = "(?=[bcdfgklmnprstvz]e$)"
# The first that matches at a place is used; where there are several ways to say it, all are right.
_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("^kn", ("N",)), ("^wr", ("R",)), ("tion$", ("SH AH N",)), ("qu", ("K W",)), ("ck", ("K",)), ("ch", ("CH",)),
    ("sh", ("SH",)), ("th", ("TH",)), ("ph", ("F",)), ("wh", ("W",)), (f"ng(?!{_V})", ("NG",)), ("n(?=g)", ("NG",)),
    ("c(?=[ei])", ("S",)), ("sc(?=[ei])", ("S",)), ("c", ("K",)), ("g(?=[ei])", ("JH",)), ("x", ("K S",)),
    (f"(?<={_V})s(?={_V})", ("Z",)), ("(?<=[bdglmnr])s$", ("Z",)),
    ("([bdfglmnprstz])\\1", ("\\1",)),
    ("ee", ("IY",)), ("ea", ("IY", "EH")), ("oo", ("UW",)), ("ai", ("EY",)), ("oa", ("OW",)), ("ou", ("AW",)),
    ("oi", ("OY",)), ("ow", ("OW", "AW")),
    (f"ar(?!{_V})", ("AA R",)), (f"or(?!{_V})", ("AO R",)), (f"[eiu]r(?!{_V})", ("ER",)),
    (f"(?<={_V}[bcdfgklmnprstvz])e$", ("",)),
    (f"a{_LONG}", ("EY",)), (f"e{_LONG}", ("IY",)), (f"i{_LONG}", ("AY",)), (f"o{_LONG}", ("OW",)),
    (f"u{_LONG}", ("UW",)), ("[ei]$", ("IY",)), ("a$", ("AH",)), ("o$", ("OW",)), ("u$", ("UW",)),
    ("a", ("AE",)), ("e", ("EH",)), ("i", ("IH",)), ("o", ("AA",)), ("u", ("AH",)),
    ("j", ("JH",)), ("h", ("HH",)), ("[bdfgklmnprstvwz]", ("\\g<0>",)),
)  # fmt: skip
_COMPILED = tuple((re.compile(pattern), sounds) for pattern, sounds in _RULES)


class SpellingsConfig(SizedGeneratorConfig):
    """`cramise` gives `K R AE M AY Z`: words nobody knows, and their sounds by rule. The sizes count words.

    c and g are soft before e and i, a silent e makes the vowel before it long, two letters may be one sound. Some may
    be said in two ways (ea, ow); such a word has as many items. A keyed hash of the word decides on its split.
    """

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; all words are distinct."""
        count, rng = self.size(split), Random(f"{self.seed} {split}")

        def draw() -> Mapping[str, str] | None:
            word = _word(rng)
            return {"source": word, "target": ""} if split_of(word, self.seed, 0.1) == split else None

        words = [item.raw["source"] for item in collect(split, count, draw)]
        pairs = [(word, said) for word in words for said in pronunciations(word)]
        return [Item({"source": word, "target": said}, key) for key, (word, said) in enumerate(pairs)]


def _word(rng: Random) -> str:
    count = rng.choice((1, 2, 2, 3, 3, 4))
    word = ""
    for place in range(count):
        last = place == count - 1
        onset = rng.choice(_ONSETS if place else _FIRST_ONSETS)
        word += onset + rng.choice("aeio" if onset == "qu" else _VOWELS) + rng.choice(_LAST_CODAS if last else _CODAS)
    ending = rng.random()
    if ending < 0.06:
        return word + "tion"
    return word + "e" if ending < 0.4 and re.search("[^aeiou][aeiou][bcdgklmnprstvz]$", word) else word


def pronunciations(word: str) -> list[str]:
    """All ways to say a word of small letters, sounds with a space between; the usual one first."""
    place, parts = 0, []
    while place < len(word):
        found, sounds = next((found, sounds) for rule, sounds in _COMPILED if (found := rule.match(word, place)))
        parts.append([found.expand(sound).upper() for sound in sounds])
        place = found.end()
    return list(dict.fromkeys(" ".join(filter(None, each)) for each in product(*parts)))
