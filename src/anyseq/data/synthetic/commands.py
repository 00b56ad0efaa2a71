"""What people say to a machine: what they want, and the words that say of what."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of
from anyseq.data.synthetic.introductions import name_of

_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "alarm": (
        "wake me {at:time}", "set an alarm {at:time}", "i have to get up {at:time}", "alarm {at:time} please",
        "can you wake me {at:time} with {artist}",
    ),
    "music": (
        "play {title} by {artist}", "i want to hear {artist}", "put on something by {artist}", "play {title}",
        "wake the house up with {title}", "{title} by {artist} please",
    ),
    "weather": (
        "will it rain in {city} {day}", "what is the weather like in {city}", "do i need an umbrella {day}",
        "how warm is it in {city} {day}", "weather in {city} {day} please",
    ),
    "travel": (
        "a ticket from {from:city} to {to:city} {day}", "how do i get to {to:city} from {from:city}",
        "i want to be in {to:city} {day}", "trains to {to:city} {day} please",
        "when does the train from {from:city} leave",
    ),
    "shopping": (
        "buy {amount} {thing}", "put {thing} on the list", "we need {amount} {thing} {day}", "{amount} {thing} please",
    ),
}  # fmt: skip
_DAYS = ("today", "tomorrow", "on monday", "on tuesday evening", "next friday", "the day after tomorrow", "on sunday")
_HOURS = ("five", "six", "half past six", "seven", "quarter to eight", "eight", "nine", "ten")
_PARTS = ("", " tomorrow", " in the morning", " on sunday")
_AMOUNTS = ("two", "a pound of", "three bottles of", "some", "a dozen", "half a kilo of")
_THINGS = ("milk", "green apples", "eggs", "brown bread", "olive oil", "soap", "white onions", "coffee")


class CommandsConfig(SizedGeneratorConfig):
    """`wake me at half past six` gives `[alarm] O O B-time I-time I-time I-time`: a label, and a tag for each word.

    Titles, artists and cities are invented, other ones in each split; which of them it is, and whether a city is left
    or reached, is told by the words around.
    """

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; all sources are distinct."""
        count, draw = self.size(split), Random(f"{self.seed} {split}")
        return collect(split, count, lambda: self._command(draw, split))

    def _command(self, draw: Random, split: str) -> Mapping[str, str] | None:
        label = draw.choice(sorted(_TEMPLATES))
        words: list[str] = []
        tags: list[str] = []
        kinds: list[str] = []
        for piece in draw.choice(_TEMPLATES[label]).split():
            role, _, kind = piece.strip("{}").rpartition(":") if piece.startswith("{") else ("", "", "")
            kinds.append(kind)
            said = self._filled(draw, kind, split).split() if kind else [piece]
            slot = role if role and role != "at" else kind
            words += said
            tags += [f"B-{slot}", *[f"I-{slot}"] * (len(said) - 1)] if kind else ["O"]
        source = " ".join(words)
        invented = not {"city", "artist", "title"}.isdisjoint(kinds)
        if not invented and split_of(source, self.seed, 0.15) != split:
            return None  # another split might have it, too
        return {"source": source, "target": f"[{label}] {' '.join(tags)}"}

    def _filled(self, draw: Random, kind: str, split: str) -> str:
        if kind == "time":
            return f"at {draw.choice(_HOURS)}{draw.choice(_PARTS)}"
        fixed = {"day": _DAYS, "amount": _AMOUNTS, "thing": _THINGS}
        if kind in fixed:
            return draw.choice(fixed[kind])
        parts = 1 if kind == "city" else draw.randint(1, 3)
        return " ".join(name_of(split, self.seed, draw).lower() for _ in range(parts))
