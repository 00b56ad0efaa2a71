"""Opinions that negate and change their mind: no word alone tells what is meant."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of

_THINGS = (
    *("the film", "the book", "the soup", "the hotel", "the music", "the story", "the garden", "the journey"),
    *("the end", "the beginning", "the second part", "the acting", "the food", "the room", "the service", "the view"),
)
_GOOD = ("good", "funny", "moving", "clever", "fresh", "warm", "lovely", "quick", "brilliant", "charming")
_BAD = ("bad", "dull", "cold", "slow", "noisy", "tired", "empty", "awful", "clumsy", "bland")
# What stands before the word, and whether it turns it round.
_BEFORE = (
    ("was", False), ("was really", False), ("is", False), ("seemed", False), ("could hardly be more", False),
    ("was not", True), ("was never", True), ("is anything but", True), ("was far from", True),
)  # fmt: skip


class OpinionsConfig(SizedGeneratorConfig):
    """`the film was not dull , but the end was cold .` gives `negative`; both labels are equally frequent.

    A clause is positive or negative by its word and by what stands before it, which may turn it round; of two the one
    behind `but`, before `though` or not behind `although` counts. A keyed hash of the source decides on its split.
    """

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; all sources are distinct."""
        count, rng = self.size(split), Random(f"{self.seed} {split}")

        def clause() -> tuple[str, bool]:
            good, (before, turns) = rng.random() < 0.5, rng.choice(_BEFORE)
            word = rng.choice(_GOOD if good else _BAD)
            return f"{rng.choice(_THINGS)} {before} {word}", good != turns

        def draw() -> Mapping[str, str] | None:
            wanted = rng.random() < 0.5
            (one, first), (two, second) = clause(), clause()
            form = rng.choice(("alone", "but", "though", "although"))
            text, meant = {
                "alone": (one, first),
                "but": (f"{one} , but {two}", second),
                "though": (f"{one} , though {two}", first),
                "although": (f"although {one} , {two}", second),
            }[form]
            if meant != wanted or split_of(text, self.seed, 0.1) != split:
                return None
            return {"source": f"{text} .", "target": "positive" if meant else "negative"}

        return collect(split, count, draw)
