"""Nouns and verbs of an invented language with vowel harmony and consonant gradation, as Finnish has them."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of

_CONSONANTS = "hjklmnprstv"
_VOWELS = {"back": "aaoouuei", "front": "ääööyyei"}
# The strong grade, and the weak one, which stands where an ending closes the syllable.
_GRADES = (
    *(("kk", "k"), ("pp", "p"), ("tt", "t"), ("nk", "ng"), ("nt", "nn"), ("mp", "mm"), ("lt", "ll"), ("rt", "rr")),
    *(("k", ""), ("p", "v"), ("t", "d")),
)
_FIXED = ("h", "j", "l", "m", "n", "r", "s", "v", "ll", "ss", "rj", "sk", "st", "ht", "lm")  # no gradation
# Ending (A is a or ä, = the vowel before once more), and whether it takes the weak grade.
_CASES: dict[str, tuple[str, bool]] = {
    "NOM": ("", False), "GEN": ("n", True), "PRT": ("tA", False), "INE": ("ssA", True), "ELA": ("stA", True),
    "ILL": ("=n", False), "ADE": ("llA", True), "ALL": ("lle", True), "ESS": ("nA", False), "TRANS": ("ksi", True),
}  # fmt: skip
_PERSONS: dict[str, tuple[str, bool, str]] = {
    "1;SG": ("n", True, "en"), "2;SG": ("t", True, "et"), "3;SG": ("=", False, "ei"), "1;PL": ("mme", True, "emme"),
    "2;PL": ("tte", True, "ette"), "3;PL": ("vAt", False, "eivät"),
}  # fmt: skip
_NOUNS = [f"N;{case};{number}" for case in _CASES for number in ("SG", "PL")]
_VERBS = [f"V;{tense};{sign};{who}" for tense in ("PRS", "PST") for sign in ("POS", "NEG") for who in _PERSONS]


class InflectionsConfig(SizedGeneratorConfig):
    """`takka N;INE;SG` gives `takassa`: a lemma and its features to the form they ask for.

    Endings follow the vowels of the word (a or ä), closed syllables weaken the consonants before them, a plural or a
    past tense changes the last vowel, negation has a word of its own. A keyed hash of the lemma decides on its split,
    so that no lemma is in two.
    """

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; all pairs of lemma and features are distinct."""
        count, rng = self.size(split), Random(f"{self.seed} {split}")

        def draw() -> Mapping[str, str] | None:
            stem, strong, weak, last, harmony = _stem(rng)
            features = rng.choice(rng.choice((_NOUNS, _VERBS)))
            lemma = stem + strong + last + ("" if features[0] == "N" else "a" if harmony == "back" else "ä")
            if split_of(lemma, self.seed, 0.1) != split:
                return None
            inflect = _noun if features[0] == "N" else _verb
            return {"source": f"{lemma} {features}", "target": inflect(stem, strong, weak, last, harmony, features)}

        return collect(split, count, draw)


def _stem(rng: Random) -> tuple[str, str, str, str, str]:
    """What stands before the last consonants, these in the strong and the weak grade, the last vowel, the harmony."""
    harmony = rng.choice(("back", "front"))
    vowels = _VOWELS[harmony]
    stem = rng.choice(_CONSONANTS) + rng.choice(vowels[:6])
    for _ in range(rng.choice((0, 1, 1, 2))):
        stem += rng.choice(_CONSONANTS) + rng.choice(vowels)
    strong, weak = rng.choice(_GRADES) if rng.random() < 0.6 else (rng.choice(_FIXED),) * 2
    return stem, strong, weak, rng.choice((*vowels[:6], "e")), harmony


def _noun(stem: str, strong: str, weak: str, last: str, harmony: str, features: str) -> str:
    _, case, number = features.split(";")
    ending, weakens = _CASES[case]
    if number == "PL":
        ending, weakens = ("t", True) if case == "NOM" else ("jA" if case == "PRT" else ending, weakens)
        last = last if case == "NOM" else _before_i(last)
    return _joined(stem + (weak if weakens else strong) + last, ending, harmony)


def _verb(stem: str, strong: str, weak: str, last: str, harmony: str, features: str) -> str:
    _, tense, sign, person = features.split(";", 3)
    ending, weakens, negation = _PERSONS[person]
    if sign == "NEG":
        if tense == "PRS":
            return f"{negation} {stem}{weak}{last}"
        participle = "nUt" if person.endswith("SG") else "neet"
        return f"{negation} {_joined(stem + strong + last, participle, harmony)}"
    if tense == "PST":
        last, ending = _before_i(last), "" if ending == "=" else ending
    return _joined(stem + (weak if weakens else strong) + last, ending, harmony)


def _before_i(last: str) -> str:
    """The last vowel and the i of the plural or the past: a becomes o, ä and e are lost."""
    return {"a": "oi", "ä": "i", "e": "i"}.get(last, last + "i")


def _joined(stem: str, ending: str, harmony: str) -> str:
    a, u = ("a", "u") if harmony == "back" else ("ä", "y")
    return stem + ending.replace("A", a).replace("U", u).replace("=", stem[-1])
