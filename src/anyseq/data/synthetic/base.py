"""What every generator of embedded data offers, and how splits are kept apart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import ClassVar

from pydantic import Field

from anyseq.core import Item, PartConfig
from anyseq.errors import UsageError

# Draws in a row without a new item after which there are taken to be no more.
_PATIENCE = 5000


class Epochs(ABC):
    """Items to train on that are drawn anew for every epoch, from the seed and the epoch's number alone.

    In each there are as many as in the first, and item n is as long in each.
    """

    @abstractmethod
    def items(self, split: str = "train", epoch: int = 0) -> list[Item]:
        """Those of a split, in an epoch."""


class GeneratorConfig(PartConfig):
    """Settings of a generator: the data a recipe trains on when no files are given."""

    section: ClassVar[str] = "generators"

    @abstractmethod
    def generate(self, split: str) -> list[Item]:
        """Make the items of `train`, `dev` or `test`; the same settings give the same items, splits do not overlap.

        Raises:
            UsageError: there is no such split, or it cannot be filled with these settings.
        """

    def epochs(self) -> Epochs | None:
        """Gives other items of train for each epoch; None: they are always the same."""
        return None

    def properties(self, text: str) -> Mapping[str, Sequence[str]]:
        """What is so at each word of a source once it is read, by name: labels that a model's cells may follow.

        Two labels, or numbers; `-` where nothing can be said. None at all, where nothing is known of sources.
        """
        return {}

    def alignment(self, source: Sequence[str], target: Sequence[str]) -> Sequence[tuple[int, int]] | None:
        """Which place of a target comes from which of its source, as (source, target) from 0; None: it is not known.

        Args:
            source, target: What stands at each place: characters or words, as a model's codecs cut them.
        """
        return None


class SizedGeneratorConfig(GeneratorConfig):
    """Settings of a generator that makes as many items as asked for."""

    train: int = Field(10_000, description="items to train on", ge=1)
    dev: int = Field(500, description="items to validate on", ge=1)
    test: int = Field(1000, description="items to test on", ge=1)
    seed: int = Field(1, description="of the draws; another seed gives other items and other splits")

    def size(self, split: str) -> int:
        """How many items a split has.

        Raises:
            UsageError: there is no such split.
        """
        sizes = {"train": self.train, "dev": self.dev, "test": self.test}
        if split not in sizes:
            raise UsageError(f"there is no split {split!r}; the splits are {', '.join(sizes)}")
        return sizes[split]


def split_of(key: str, seed: int, held_out: float) -> str:
    """The split a key belongs to, whoever asks: `dev` and `test` get the share `held_out` of all keys each.

    A keyed hash decides, so that splits made apart from each other, in any order and of any size, never overlap.
    """
    place = keyed_fraction(key, seed)
    return "dev" if place < held_out else "test" if place < 2 * held_out else "train"


def keyed_fraction(key: str, seed: int) -> float:
    """A number in [0, 1) that depends on the key and the seed alone."""
    return int.from_bytes(blake2b(key.encode(), key=str(seed).encode()[:64], digest_size=6).digest()) / 2**48


def collect(split: str, count: int, draw: Callable[[], Mapping[str, str] | None]) -> list[Item]:
    """Draw until there are `count` items, no two with the same source (so no source has two targets).

    Args:
        split: Its name, for the message.
        count: Items wanted.
        draw: Gives an item's fields, `source` among them, or None where the draw belongs to another split.

    Raises:
        UsageError: the settings do not allow that many.
    """
    items: list[Item] = []
    seen: set[str] = set()
    misses = 0
    while len(items) < count:
        raw = draw()
        if raw is None or raw["source"] in seen:
            misses += 1
            if misses == _PATIENCE:
                raise UsageError(
                    f"only {len(items)} of {count} distinct items were found for the split {split!r}; "
                    "ask for fewer, or let the settings allow more (lengths, alphabet, years, kinds)"
                )
            continue
        misses = 0
        seen.add(raw["source"])
        items.append(Item(raw, key=len(items)))
    return items
