"""Where somebody grew up, any number of words of small talk, and the language they speak: a test of memory."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from random import Random

from pydantic import Field, model_validator

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of
from anyseq.errors import MissingExtraError

NAMES = (
    *("Ada", "Ali", "Amir", "Ana", "Ben", "Bo", "Carl", "Chen", "Dora", "Elif", "Emil", "Eva", "Finn", "Hana", "Hugo"),
    *("Ines", "Ivan", "Jan", "Joy", "Kim", "Lea", "Leo", "Lin", "Luis", "Mai", "Mia", "Nia", "Noor", "Olga", "Omar"),
    *("Pia", "Ravi", "Rosa", "Sam", "Sara", "Tara", "Theo", "Uma", "Vera", "Yuki"),
)
# Words that name no territory and no language.
SMALL_TALK = (
    *("then", "we", "often", "went", "out", "to", "see", "the", "old", "house", "near", "a", "river", "with", "our"),
    *("friends", "while", "my", "sister", "read", "long", "letters", "about", "summer", "bread", "music", "rain"),
    *("because", "that", "was", "what", "they", "liked", "most", "during", "those", "quiet", "years", "before"),
    *("school", "work", "began", "again", "some", "people", "still", "ask", "me", "how", "it", "felt", "but", "I"),
    *("only", "remember", "light", "on", "water"),
)


class OriginsConfig(SizedGeneratorConfig):
    """`My name is Ada and I grew up in Peru . <small talk> . I speak` gives `Spanish`.

    Territories and what is spoken there are CLDR's: of the official languages of a territory (where it has none, of
    all) the one most people speak. The only word that tells the language is the territory; between it and the end
    stand `min_words` to `max_words` words of small talk, each number equally often. Territories are drawn equally
    often, and all splits show all of them: what differs is the person and the talk. The raw fields of an item are
    source, target, territory and distance (words of small talk).
    """

    min_words: int = Field(0, ge=0, description="fewest words between the territory and the question")
    max_words: int = Field(200, ge=0, description="most words between the territory and the question")

    @model_validator(mode="after")
    def _agree(self) -> OriginsConfig:
        if self.max_words < self.min_words:
            raise ValueError(f"max_words {self.max_words} is below min_words {self.min_words}")
        return self

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; a keyed hash of the source decides on its split.

        Raises:
            MissingExtraError: Babel is not installed.
            UsageError: there is no such split, or the numbers of words do not allow as many items.
        """
        count = self.size(split)
        rng = Random(f"{self.seed} {split}")
        spoken = sorted(languages_by_territory().items())

        def draw() -> Mapping[str, str] | None:
            territory, language = rng.choice(spoken)
            distance = rng.randint(self.min_words, self.max_words)
            talk = " ".join([*rng.choices(SMALL_TALK, k=distance), ". "]) if distance else ""
            source = f"My name is {rng.choice(NAMES)} and I grew up in {territory} . {talk}I speak"
            if split_of(source, self.seed, 0.1) != split:
                return None
            return {"source": source, "target": language, "territory": territory, "distance": str(distance)}

        return collect(split, count, draw)


@cache
def languages_by_territory() -> dict[str, str]:
    """English names of the territories, and of the language most people speak officially in each.

    Raises:
        MissingExtraError: Babel is not installed.
    """
    try:
        from babel import Locale
        from babel.core import get_global
    except ImportError as error:
        raise MissingExtraError("babel", "examples") from error
    english = Locale("en")
    found = {}
    for code, spoken in get_global("territory_languages").items():
        named = {tag: facts for tag, facts in spoken.items() if tag in english.languages}
        official = {tag: facts for tag, facts in named.items() if facts["official_status"] == "official"} or named
        if official and code in english.territories:
            most = max(sorted(official), key=lambda tag: official[tag]["population_percent"])
            found[english.territories[code]] = english.languages[most]
    return found
