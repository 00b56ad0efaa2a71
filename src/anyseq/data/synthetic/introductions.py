"""Sentences with names nobody has heard of: in German and in English. Whoever translates them must copy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of

# {a} and {b} are people, {t} is a town, {day}, {what} (who does) and {whom} (to whom it is done) are words to be
# translated.
_SENTENCES = (
    ("Ich heiße {a} und komme aus {t}.", "My name is {a} and I come from {t}."),
    ("Am {day} hat {a} in {t} {b} getroffen.", "{a} met {b} in {t} on {day}."),
    ("Kennst du {a} aus {t}?", "Do you know {a} from {t}?"),
    ("{a} und {b} wohnen in {t}.", "{a} and {b} live in {t}."),
    ("Hat {b} schon mit {a} gesprochen?", "Has {b} spoken with {a} yet?"),
    ("{a} hat {whom} von {b} verloren.", "{a} has lost {b}'s {what}."),
    ("Am {day} fährt {a} mit {b} nach {t}.", "On {day} {a} goes to {t} with {b}."),
    ("Wo ist {what}, {a}?", "Where is the {what}, {a}?"),
    ("{a} gab {b} {whom}.", "{a} gave the {what} to {b}."),
    ("In {t} gibt es am {day} einen Markt, sagt {a}.", "There is a market in {t} on {day}, says {a}."),
    ("{b} wartet seit {day} auf {a}.", "{b} has been waiting for {a} since {day}."),
    ("{what} für {a} kam aus {t}.", "The {what} for {a} came from {t}."),
)
_DAYS = (
    ("Montag", "Monday"), ("Dienstag", "Tuesday"), ("Mittwoch", "Wednesday"), ("Donnerstag", "Thursday"),
    ("Freitag", "Friday"), ("Samstag", "Saturday"), ("Sonntag", "Sunday"),
)  # fmt: skip
_THINGS = (
    ("das Buch", "das Buch", "book"), ("der Brief", "den Brief", "letter"), ("der Schlüssel", "den Schlüssel", "key"),
    ("die Uhr", "die Uhr", "watch"), ("das Bild", "das Bild", "picture"), ("die Karte", "die Karte", "map"),
    ("der Hut", "den Hut", "hat"), ("das Messer", "das Messer", "knife"),
)  # fmt: skip
_BEFORE_TOWNS = ("Bad", "Neu", "Alt", "Groß", "Sankt")
_PARTS = re.compile(r"\{\w+\}|\w+|[^\w\s]")
_CONSONANTS, _VOWELS = "bdfgklmnprstvwz", "aeiou"


class IntroductionsConfig(SizedGeneratorConfig):
    """Sentences about people and towns with invented names, German to English; no name of a split is in another."""

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; all sources are distinct."""
        rng = Random(f"{self.seed} {split}")

        def name() -> str:
            return name_of(split, self.seed, rng)

        def draw() -> Mapping[str, str]:
            source, target = rng.choice(_SENTENCES)
            day, what = rng.choice(_DAYS), rng.choice(_THINGS)
            names = {"a": name(), "b": name(), "t": name()}
            there = source.format(day=day[0], what=what[0], whom=what[1], **names)
            return {"source": there[0].upper() + there[1:], "target": target.format(day=day[1], what=what[2], **names)}

        return collect(split, self.size(split), draw)


class EntitiesConfig(SizedGeneratorConfig):
    """The German sentences, tokenised, with a tag for each token: people (PER), towns (LOC), days (DAY), else O.

    A person has a first name or two names, a town one or two parts (`Bad Rutadol`), so that spans are of unequal
    length; no name of a split is in another.
    """

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; all sources are distinct."""
        rng = Random(f"{self.seed} {split} entities")

        def name() -> str:
            return name_of(split, self.seed, rng)

        def person() -> str:
            return f"{name()} {name()}" if rng.random() < 0.5 else name()

        def draw() -> Mapping[str, str]:
            sentence, _ = rng.choice(_SENTENCES)
            what, whom, _ = rng.choice(_THINGS)
            town = f"{rng.choice(_BEFORE_TOWNS)} {name()}" if rng.random() < 0.3 else name()
            filled = {"a": (person(), "PER"), "b": (person(), "PER"), "t": (town, "LOC"),
                      "day": (rng.choice(_DAYS)[0], "DAY"), "what": (what, ""), "whom": (whom, "")}  # fmt: skip
            tokens: list[str] = []
            tags: list[str] = []
            for part in _PARTS.findall(sentence):
                text, kind = filled[part[1:-1]] if part.startswith("{") else (part, "")
                words = text.split()
                tokens += words
                tags += [f"{'I' if place else 'B'}-{kind}" if kind else "O" for place in range(len(words))]
            tokens[0] = tokens[0][0].upper() + tokens[0][1:]
            return {"source": " ".join(tokens), "target": " ".join(tags)}

        return collect(split, self.size(split), draw)


def name_of(split: str, seed: int, rng: Random) -> str:
    """A name that this split has, and no other."""
    while True:
        text = _name(rng)
        if split_of(text, seed, 0.1) == split:
            return text


def _name(rng: Random) -> str:
    """Two or three syllables: `Rutadol`."""
    syllables = [rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(rng.randint(2, 3))]
    return "".join([*syllables, rng.choice(_CONSONANTS)]).capitalize()
