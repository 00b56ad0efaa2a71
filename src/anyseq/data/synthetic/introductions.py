"""Sentences with names nobody has heard of: in German and in English. Whoever translates them must copy."""

from __future__ import annotations

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
_CONSONANTS, _VOWELS = "bdfgklmnprstvwz", "aeiou"


class IntroductionsConfig(SizedGeneratorConfig):
    """Sentences about people and towns with invented names, German to English; no name of a split is in another."""

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; all sources are distinct."""
        rng = Random(f"{self.seed} {split}")

        def name() -> str:
            while True:
                text = _name(rng)
                if split_of(text, self.seed, 0.1) == split:
                    return text

        def draw() -> Mapping[str, str]:
            source, target = rng.choice(_SENTENCES)
            day, what = rng.choice(_DAYS), rng.choice(_THINGS)
            names = {"a": name(), "b": name(), "t": name()}
            there = source.format(day=day[0], what=what[0], whom=what[1], **names)
            return {"source": there[0].upper() + there[1:], "target": target.format(day=day[1], what=what[2], **names)}

        return collect(split, self.size(split), draw)


def _name(rng: Random) -> str:
    """Two or three syllables: `Rutadol`."""
    syllables = [rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(rng.randint(2, 3))]
    return "".join([*syllables, rng.choice(_CONSONANTS)]).capitalize()
