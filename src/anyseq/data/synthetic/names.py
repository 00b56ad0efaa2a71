"""Names of territories and languages, one by one: something to learn the sound of."""

from __future__ import annotations

from random import Random

from pydantic import Field

from anyseq.core import Item
from anyseq.data.synthetic.base import GeneratorConfig, split_of
from anyseq.data.synthetic.places import LANGUAGES, names_in
from anyseq.errors import UsageError

_SPLITS = ("train", "dev", "test")
_HELD_OUT = 0.1


class NamesConfig(GeneratorConfig):
    """`norwegen`, `finlandia`, `kroatisch`: names of one word, in 14 languages, in small letters; CLDR's.

    No name is in two splits. The order is random.
    """

    seed: int = Field(1, description="another seed gives other splits and another order")

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split: all there are.

        Raises:
            UsageError: there is no such split.
            MissingExtraError: babel is not installed.
        """
        if split not in _SPLITS:
            raise UsageError(f"there is no split {split!r}; the splits are {', '.join(_SPLITS)}")
        names = {name.lower() for language in LANGUAGES for name in names_in(language).values()}
        own = sorted(name for name in names if name.isalpha() and split_of(name, self.seed, _HELD_OUT) == split)
        Random(self.seed).shuffle(own)
        return [Item({"source": name, "target": name}, key) for key, name in enumerate(own)]
