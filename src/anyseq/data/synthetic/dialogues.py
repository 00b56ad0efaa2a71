"""Small talk with somebody who listens: what they say depends on what was said before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from pydantic import Field

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of
from anyseq.data.synthetic.introductions import name_of
from anyseq.data.turns import join_turns

# What may be told of oneself: how, what is said to that, and what may be asked later, with the answer to it and what
# is said where nothing was told.
_TOLD = {
    "name": (
        ("My name is {}.", "I am {}.", "I am called {}.", "People call me {}."), "Nice to meet you, {}.",
        ("What is my name?", "Who am I?", "Do you know my name?"), "Your name is {}.", "You did not tell me your name.",
    ),
    "town": (
        ("I live in {}.", "I come from {}.", "My home is in {}."), "Then {} must be a good place.",
        ("Where do I live?", "Where do I come from?", "Where is my home?"), "You live in {}.",
        "You did not tell me where you live.",
    ),
    "pet": (
        ("I have a {}.", "There is a {} in my house.", "I live with a {}."), "A {} is good company.",
        ("What animal do I have?", "Which pet is mine?"), "You have a {}.", "You did not tell me of an animal.",
    ),
    "food": (
        ("I like {}.", "My favourite food is {}.", "I could eat {} all day."), "I have never tried {}.",
        ("What do I like?", "What is my favourite food?"), "You like {}.", "You did not tell me what you like.",
    ),
}  # fmt: skip
_PETS = ("dog", "cat", "horse", "parrot", "rabbit", "goat", "hamster", "turtle")
_FOODS = ("bread", "soup", "rice", "cheese", "noodles", "apples", "honey", "fish", "pancakes", "olives")
# What is asked back, and what is said to the answer, which tells of both.
_BOUGHT = ("hat", "coat", "bicycle", "lamp", "bag", "chair", "boat", "vase")
_COLOURS = ("red", "blue", "green", "yellow", "black", "white", "brown", "grey")
_LOOKS = ("It is {colour}.", "{colour}.", "My {thing} is {colour}.")
_TALK = (
    ("Hello!", "Hello, how are you?"), ("Good morning!", "Hello, how are you?"),
    ("I am fine.", "I am glad to hear that."),
    ("It is raining.", "Then let us stay inside."), ("The sun is shining.", "Then let us go out."),
    ("What can you do?", "I can listen and remember a little."), ("I am tired.", "Then you should sleep."),
    ("Tell me a joke.", "I do not know any."), ("That is nice.", "Yes, it is."),
)  # fmt: skip
_EXCHANGES = 8
_KINDS = ("tell", "tell", "ask", "ask", "buy", "talk")
_KNOWN = 0.7  # chance that a question is about something that was told, where anything was
_IN_HASTE = 0.3  # chance that somebody types without capitals and full stops


class DialoguesConfig(SizedGeneratorConfig):
    """`My name is Rutadol. | Nice to meet you, Rutadol. | ... | What is my name?` gives `Your name is Rutadol.`

    Somebody tells of themselves, asks about it later, is asked back what they bought looks like, and makes small talk;
    the replies follow from the last `turns` turns, in which what is asked about was told last, or from its never having
    been told. Names of people, towns and pets are invented; none of a split is in another.
    """

    turns: int = Field(7, ge=1, description="turns of a source at most, the last being the one that is replied to")

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; all sources are distinct, a keyed hash of the source decides on its split."""
        rng = Random(f"{self.seed} {split}")

        def name() -> str:
            return name_of(split, self.seed, rng)

        def draw() -> Mapping[str, str] | None:
            talk = _Talk(rng, name, self.turns)
            for _ in range(rng.randint(1, _EXCHANGES)):
                talk.go_on()
            place = rng.randrange(1, len(talk.turns), 2)
            source, reply = join_turns(talk.turns[:place], self.turns), talk.turns[place]
            return {"source": source, "target": reply} if split_of(source, self.seed, 0.1) == split else None

        return collect(split, self.size(split), draw)


class _Talk:
    """A conversation so far: turns of both parties, in turn.

    Args:
        rng: Draws what is said.
        name: Invents a name.
        remembered: Turns, the newest included, that are not forgotten.
    """

    def __init__(self, rng: Random, name: Callable[[], str], remembered: int) -> None:
        self.rng, self.name, self.remembered = rng, name, remembered
        self.in_haste = rng.random() < _IN_HASTE
        self.turns: list[str] = []
        self.told: dict[str, tuple[str, int]] = {}  # what, and in which turn

    def go_on(self) -> None:
        """Say something, and reply."""
        kind = self.rng.choice(_KINDS)
        known = [topic for topic, (_, when) in self.told.items() if self._is_remembered(when)]
        topic = self.rng.choice(known if kind == "ask" and known and self.rng.random() < _KNOWN else list(_TOLD))
        said, reply, questions, answer, nothing = _TOLD[topic]
        if kind == "tell":
            what = self._what(topic)
            self.told[topic] = what, len(self.turns)
            self._exchange(self.rng.choice(said).format(what), reply.format(what))
        elif kind == "ask":
            what, when = self.told.get(topic, ("", len(self.turns)))
            if self._is_remembered(when):  # what was forgotten nobody asks
                self._exchange(self.rng.choice(questions), answer.format(what) if what else nothing)
        elif kind == "buy":
            self._buy()
        if kind == "talk" or not self.turns:
            self._exchange(*self.rng.choice(_TALK))

    def _is_remembered(self, turn: int) -> bool:
        return len(self.turns) - turn < self.remembered

    def _what(self, topic: str) -> str:
        known: Mapping[str, Sequence[str]] = {"pet": _PETS, "food": _FOODS}
        what = self.rng.choice(known[topic]) if topic in known else self.name()
        return what.lower() if self.in_haste else what

    def _buy(self) -> None:
        thing, colour = self.rng.choice(_BOUGHT), self.rng.choice(_COLOURS)
        self._exchange(f"I bought a {thing}.", f"What colour is your {thing}?")
        if self.remembered > 2:
            looks = self.rng.choice(_LOOKS).format(colour=colour, thing=thing)
            self._exchange(looks[0].upper() + looks[1:], f"A {colour} {thing}, how nice.")

    def _exchange(self, said: str, reply: str) -> None:
        self.turns += [said.lower().rstrip(".?!") if self.in_haste else said, reply]
