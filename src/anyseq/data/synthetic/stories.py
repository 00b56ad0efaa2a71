"""Little stories and a question about each: where somebody, or something, is or was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from pydantic import Field, model_validator

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of

PERSONS = ("Lena", "Omar", "Yuki", "Pavel", "Nora", "Tariq", "Greta", "Hugo")
PLACES = ("harbour", "library", "market", "stable", "tower", "mill", "orchard", "chapel")
THINGS = ("lantern", "map", "basket", "key", "kettle", "fiddle")
_GOES = ("walked to", "went to", "hurried to", "rode to", "came back to", "strolled over to")
_TAKES = ("took", "picked up", "grabbed", "fetched")
_DROPS = ("put down", "left", "let go of")
_SENTENCES_PER_FACT = 10
_BETWEEN = 0.35  # chance that somebody who may take or drop something does, instead of going away

Fact = int
"""The number of a sentence, from 0."""


class StoriesConfig(SizedGeneratorConfig):
    """`Lena walked to the mill. Omar rode to the tower. ... Where is Lena?` gives `mill`.

    One fact settles where a person is; two, where a thing is: who took it (or put it down), and where they last went
    before; three, where a thing was before it was somewhere: who took it, and two places they went to. A person takes
    what is where they are. The rest of a story is about others, or out of date. The raw fields of an item are
    source, target and facts (the numbers of the sentences that settle it, from 1).

    Source:
        After tasks 1 to 3 of Weston et al. 2015, arXiv:1502.05698, in words of our own.
    """

    facts: Literal[1, 2, 3] = Field(1, description="sentences that settle an answer: 1, 2 or 3")
    min_sentences: int = Field(2, ge=2, description="shortest story; longer where no question can be asked yet")
    max_sentences: int | None = Field(
        None, ge=2, description=f"longest story; null: {_SENTENCES_PER_FACT} for each of the facts"
    )
    persons: int = Field(4, ge=1, le=len(PERSONS), description="people a story may tell of")
    places: int = Field(6, ge=2, le=len(PLACES), description="places there are: the possible answers")
    things: int = Field(3, ge=1, le=len(THINGS), description="things a story may tell of")

    @property
    def longest(self) -> int:
        """Most sentences of a story."""
        return self.max_sentences or _SENTENCES_PER_FACT * self.facts

    @model_validator(mode="after")
    def _agree(self) -> StoriesConfig:
        if self.longest < max(self.min_sentences, self.facts):
            raise ValueError(
                f"max_sentences {self.longest} is below min_sentences {self.min_sentences}, or less than {self.facts}"
            )
        return self

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split; all sources are distinct, a keyed hash of the source decides on its split."""
        count, rng = self.size(split), Random(f"{self.seed} {split} {self.facts}")

        def draw() -> Mapping[str, str] | None:
            world, length = self._world(rng), rng.randint(self.min_sentences, self.longest)
            questions: list[tuple[str, str, list[Fact]]] = []
            while len(world.told) < self.longest and (len(world.told) < length or not questions):
                world.go_on()
                questions = world.questions(self.facts)
            if not questions:
                return None
            question, answer, facts = rng.choice(questions)
            source = " ".join([*world.told, question])
            if split_of(source, self.seed, 0.1) != split:
                return None
            settled = " ".join(str(fact + 1) for fact in sorted(facts))
            return {"source": source, "target": answer, "facts": settled}

        return collect(split, count, draw)

    def _world(self, rng: Random) -> _World:
        persons = rng.sample(PERSONS, self.persons)
        things = rng.sample(THINGS, self.things) if self.facts > 1 else []
        return _World(rng, persons, PLACES[: self.places], things)


@dataclass
class _World:
    """Who is where and has what, and the sentences that said so.

    Attributes:
        told: The sentences so far.
        at: Of a person, where they are and the sentence that brought them there.
        held: Of a thing, who has it, and the sentence that says they took it.
        been: Of a thing that was ever taken, the places it was brought to, each with the facts that settle it.
        carried: Of a thing, for each place but the first, the facts that settle where it was before.
    """

    rng: Random
    persons: list[str]
    places: tuple[str, ...]
    things: list[str]
    told: list[str] = field(default_factory=list)
    at: dict[str, tuple[str, Fact]] = field(default_factory=dict)
    held: dict[str, tuple[str, Fact]] = field(default_factory=dict)
    been: dict[str, list[tuple[str, list[Fact]]]] = field(default_factory=dict)
    carried: dict[str, list[list[Fact]]] = field(default_factory=dict)

    def go_on(self) -> None:
        """Tell one sentence more."""
        person = self.rng.choice(self.persons)
        here = self.at.get(person, ("", 0))[0]
        having = [thing for thing, (holder, _) in self.held.items() if holder == person]
        lying = [thing for thing in self.things if thing not in self.held and self._may_lie(thing, here)]
        if here and (having or lying) and self.rng.random() < _BETWEEN:
            thing = self.rng.choice([*having, *lying])
            (self._drop if thing in having else self._take)(person, thing)
        else:
            self._go(person, here, having)

    def _may_lie(self, thing: str, here: str) -> bool:
        """Whether a thing that nobody has may be here: where it was put down or, untouched so far, anywhere."""
        return thing not in self.been or self.been[thing][-1][0] == here

    def _go(self, person: str, here: str, having: list[str]) -> None:
        there = self.rng.choice([place for place in self.places if place != here])
        fact = len(self.told)
        self.told.append(f"{person} {self.rng.choice(_GOES)} the {there}.")
        for thing in having:
            took = self.held[thing][1]
            self.carried[thing].append([took, self.at[person][1], fact])
            self.been[thing].append((there, [took, fact]))
        self.at[person] = (there, fact)

    def _take(self, person: str, thing: str) -> None:
        here, came = self.at[person]
        fact = len(self.told)
        self.told.append(f"{person} {self.rng.choice(_TAKES)} the {thing}.")
        self.held[thing] = (person, fact)
        self._settle(thing, here, [fact, came])

    def _drop(self, person: str, thing: str) -> None:
        here, came = self.at[person]
        self._settle(thing, here, [len(self.told), came])
        self.told.append(f"{person} {self.rng.choice(_DROPS)} the {thing}.")
        del self.held[thing]

    def _settle(self, thing: str, here: str, facts: list[Fact]) -> None:
        """Say anew why a thing is where it is."""
        self.carried.setdefault(thing, [])
        self.been[thing] = [*self.been.get(thing, [])[:-1], (here, facts)]

    def questions(self, facts: int) -> list[tuple[str, str, list[Fact]]]:
        """What may be asked now, each with its answer and the facts that settle it."""
        if facts == 1:
            return [(f"Where is {person}?", place, [fact]) for person, (place, fact) in self.at.items()]
        if facts == 2:
            return [(f"Where is the {thing}?", *trail[-1]) for thing, trail in self.been.items()]
        found = []
        for thing, trail in self.been.items():
            places = [place for place, _ in trail]
            for number, settled in enumerate(self.carried[thing], 1):
                if places.count(places[number]) == 1:  # `before the mill` says which time is meant
                    question = f"Where was the {thing} before the {places[number]}?"
                    found.append((question, places[number - 1], settled))
        return found
