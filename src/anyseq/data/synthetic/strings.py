"""Strings to copy, to reverse, to expand: small data on which a model must get everything right."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from random import Random

from pydantic import Field, model_validator

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of


class StringsConfig(SizedGeneratorConfig):
    """Settings the string generators share."""

    alphabet: str = Field("abcdefghijklmnopqrstuvwxyz", description="the letters, each once", min_length=1)
    min_length: int = Field(1, description="shortest source", ge=1)
    max_length: int = Field(12, description="longest source", ge=1)

    @model_validator(mode="after")
    def _agree(self) -> StringsConfig:
        if self.max_length < self.min_length:
            raise ValueError(f"max_length {self.max_length} is below min_length {self.min_length}")
        if len(set(self.alphabet)) < len(self.alphabet) or any(map(str.isspace, self.alphabet)):
            raise ValueError(f"alphabet {self.alphabet!r} may name a letter only once, and no white space")
        return self

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; all sources are distinct, a keyed hash of the source decides on its split."""
        rng = Random(f"{self.seed} {split}")

        def draw() -> Mapping[str, str] | None:
            source, target = self.draw(rng)
            return {"source": source, "target": target} if split_of(source, self.seed, 0.1) == split else None

        return collect(split, self.size(split), draw)

    @abstractmethod
    def draw(self, rng: Random) -> tuple[str, str]:
        """One source and its target."""

    def letters(self, rng: Random) -> list[str]:
        """Letters of the alphabet, as many as the lengths allow, each number equally often."""
        return rng.choices(self.alphabet, k=rng.randint(self.min_length, self.max_length))


class CopyConfig(StringsConfig):
    """Strings and themselves."""

    def draw(self, rng: Random) -> tuple[str, str]:
        """One string, twice."""
        text = "".join(self.letters(rng))
        return text, text

    def alignment(self, source: Sequence[str], target: Sequence[str]) -> Sequence[tuple[int, int]] | None:
        """Each place comes from the same."""
        return [(place, place) for place in range(len(source))] if list(source) == list(target) else None


class ReverseConfig(StringsConfig):
    """Strings and their reverse."""

    def draw(self, rng: Random) -> tuple[str, str]:
        """One string, forwards and backwards."""
        text = "".join(self.letters(rng))
        return text, text[::-1]

    def alignment(self, source: Sequence[str], target: Sequence[str]) -> Sequence[tuple[int, int]] | None:
        """The first comes from the last."""
        last = len(source) - 1
        return [(last - place, place) for place in range(last + 1)] if list(source) == list(target)[::-1] else None


class ExpandConfig(StringsConfig):
    """Run-length codes and what they stand for: `a3b2` gives `aaabb`. Targets are up to ten times their sources.

    Neighbouring runs have different letters, as in any run-length code.
    """

    max_length: int = Field(4, description="most runs in a source (min_length: fewest)", ge=1)
    max_count: int = Field(30, description="longest run", ge=1)

    @model_validator(mode="after")
    def _no_digits(self) -> ExpandConfig:
        if any(map(str.isdigit, self.alphabet)) or len(self.alphabet) < 2:
            raise ValueError(f"alphabet {self.alphabet!r} must hold two letters and no digit: digits are the counts")
        return self

    def draw(self, rng: Random) -> tuple[str, str]:
        """One code and its string."""
        letters = self.letters(rng)
        for at in range(1, len(letters)):
            letters[at] = rng.choice(self.alphabet.replace(letters[at - 1], ""))
        runs = [(letter, rng.randint(1, self.max_count)) for letter in letters]
        return "".join(f"{letter}{count}" for letter, count in runs), "".join(letter * n for letter, n in runs)
