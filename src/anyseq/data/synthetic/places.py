"""Names of territories and languages in many languages: whoever labels them knows the language by its letters."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of
from anyseq.errors import MissingExtraError

LANGUAGES = ("de", "es", "fi", "fr", "hu", "is", "it", "nl", "pl", "pt", "ro", "sv", "tr", "vi")
"""All written in Latin letters, so that no single letter tells."""


class PlacesConfig(SizedGeneratorConfig):
    """`Kamerun, Norwegen, Finnisch` gives `de`: three to five territories, or languages, named in one of 14 languages.

    The names are CLDR's. A name is drawn among those of its split, in every language: no name of a split is in another,
    unless it is the same in two languages.
    """

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; all sources are distinct.

        Raises:
            MissingExtraError: Babel is not installed.
            UsageError: there is no such split.
        """
        count, rng = self.size(split), Random(f"{self.seed} {split}")
        names = {language: self._names(language, split) for language in LANGUAGES}

        def draw() -> Mapping[str, str]:
            language = rng.choice(LANGUAGES)
            return {"source": ", ".join(rng.sample(names[language], rng.randint(3, 5))), "target": language}

        return collect(split, count, draw)

    def _names(self, language: str, split: str) -> list[str]:
        every = names_in(language)
        return sorted(name for key, name in every.items() if split_of(key, self.seed, 0.15) == split)


def names_in(language: str) -> dict[str, str]:
    """The names of territories and languages in a language, by their codes.

    Raises:
        MissingExtraError: Babel is not installed.
    """
    try:
        from babel import Locale
    except ImportError as error:
        raise MissingExtraError("babel", "examples") from error
    locale = Locale(language)
    return {key: name for key, name in {**locale.territories, **locale.languages}.items() if key.isalpha()}
