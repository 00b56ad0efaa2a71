"""Sentences with several subjects, and the pronoun that goes on: `he` or `she`, as the last subject was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of

_PEOPLE = {
    "she": (
        *("Anna", "Maria", "Clara", "Ruth", "Emma", "Lucy", "Alice", "Helen", "Rosa", "Ida"),
        *("the queen", "the aunt", "the nun", "the widow", "the actress", "the waitress", "the duchess", "the bride"),
    ),
    "he": (
        *("Peter", "Tom", "David", "Paul", "Henry", "Otto", "Jack", "Frank", "Hugo", "Karl"),
        *("the king", "the uncle", "the monk", "the widower", "the actor", "the waiter", "the duke", "the groom"),
    ),
}
_BEING = ("slept", "sang", "laughed", "waited", "worked", "rested", "danced", "wept", "whistled", "listened", "smiled")
_DOING = ("met", "saw", "helped", "thanked", "painted", "followed", "called", "taught", "visited", "warned", "forgot")
_BESIDE = ("with", "near", "behind", "beside", "like", "for")
_WHERE = ("in the garden", "at noon", "on the bridge", "in the rain", "at the station", "in the old town")
_JOINTS = (".", ", then", ", but", "while", ", and")
_GENDERS = {person.split()[-1].lower(): gender for gender, people in _PEOPLE.items() for person in people}
_BEFORE_OBJECTS = {*_DOING, *_BESIDE}


class SubjectsConfig(SizedGeneratorConfig):
    """`the king slept near Anna , but Ruth met Paul . then` gives `she`: Ruth is the last subject, not Paul.

    Two to four clauses, each with a subject that is a woman or a man, equally often; many name somebody else, before or
    behind the subject, who is none. Both labels are equally frequent. No clause of one split has a subject and a verb
    that stand together in another (a keyed hash of the pair decides), so that what is tested are new combinations.

    Source:
        The example of what a forget gate is for: Olah 2015, "Understanding LSTM Networks".
    """

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; all sources are distinct."""
        rng = Random(f"{self.seed} {split}")

        def clause() -> tuple[str, str]:
            while True:
                gender = rng.choice(("she", "he"))
                subject, verb = rng.choice(_PEOPLE[gender]), rng.choice(_BEING + _DOING)
                if split_of(f"{subject} {verb}", self.seed, 0.1) == split:
                    other = rng.choice(_PEOPLE[rng.choice(("she", "he"))])
                    return _clause(subject, verb, other, rng), gender

        def draw() -> Mapping[str, str]:
            (text, gender) = clause()
            for _ in range(rng.randint(1, 3)):
                more, gender = clause()
                text = f"{text} {rng.choice(_JOINTS)} {more}"
            return {"source": f"{text} . then", "target": gender}

        return collect(split, self.size(split), draw)

    def properties(self, text: str) -> Mapping[str, Sequence[str]]:
        """At each word, once it is read, the gender of the last subject, and whether it is a new one."""
        genders, new, last, before = [], [], "-", ""
        for word in text.lower().split():
            gender = gender_of(word)
            subject = bool(gender) and before not in _BEFORE_OBJECTS
            last = gender if subject else last
            genders.append(last)
            new.append(str(int(subject)))
            before = before if word == "the" else word
        return {"gender of the last subject": genders, "a new subject": new}


def gender_of(word: str) -> str:
    """`she`, `he`, or nothing for what is no person's name or noun."""
    return _GENDERS.get(word.lower(), "")


def _clause(subject: str, verb: str, other: str, rng: Random) -> str:
    """One clause about a subject; the other, where there is one, stands behind a verb or a preposition."""
    said, beside, where = f"{subject} {verb}", f"{rng.choice(_BESIDE)} {other}", rng.choice(_WHERE)
    if verb in _DOING:
        return rng.choice((f"{said} {other}", f"{where} {said} {other}", f"{said} {other} {where}"))
    inserted = f"{subject} , who {rng.choice(_DOING)} {other} , {verb}"
    return rng.choice((said, f"{said} {where}", f"{said} {beside}", f"{beside} {said}", inserted))
