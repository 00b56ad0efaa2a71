"""A task of small parts, of every form a field can have, that the tests put into the catalogue."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Literal, Self
from unittest import mock

from pydantic import Field, model_validator

from anyseq import catalogue
from anyseq.core import PartConfig
from anyseq.tasks.settings import TaskConfig


class Body(PartConfig):
    section: ClassVar[str] = "bodies"

    @abstractmethod
    def build(self) -> object: ...


class Round(Body):
    radius: float = Field(1.0, gt=0, description="How far out it goes.")
    colour: str = Field("red", description="Its colour.")

    def build(self) -> object:
        return self


class Square(Body):
    side: int = Field(2, ge=1, description="Length of a side.")
    colour: str = Field("blue", description="Its colour.")
    inner: Body | None = Field(None, description="What is inside.")

    def build(self) -> object:
        return self


class Mood(Enum):
    CALM = "calm"
    WILD = "wild"


class ToyTraining(PartConfig):
    max_steps: int = Field(100, ge=1, description="Steps.")
    warmup_steps: int = Field(10, ge=0, description="Steps of warm-up.")
    learning_rate: float = Field(1e-3, gt=0, description="Learning rate.")
    schedule: Literal["constant", "cosine"] = Field("constant", description="Course of the learning rate.")
    mood: Mood = Field(Mood.CALM, description="Mood.")
    shuffle: bool = Field(True, description="Whether the order changes.")

    @model_validator(mode="after")
    def _warmup_fits(self) -> Self:
        if self.warmup_steps > self.max_steps:
            raise ValueError(f"warmup_steps {self.warmup_steps} is more than max_steps {self.max_steps}")
        return self


class ToyData(PartConfig):
    train: Any = Field(None, description="Training data.")
    generator: Body | None = Field(None, description="Embedded data.")
    cache: Path | None = Field(None, description="Where to keep it.")


class ToyPair(PartConfig):
    named: ClassVar[tuple[str, ...]] = ("left", "right")

    left: Body = Field(Round(), description="One side.")
    right: Body | None = Field(None, description="The other; none: as the one.")
    apart: int = Field(1, description="How far.")


class ToyTask(TaskConfig):
    description: str = Field(description="One line.")
    data: ToyData = Field(ToyData(), description="Data.")
    codec: Body = Field(Round(radius=3.0), description="Codec.")
    model: Body = Field(description="Model.")
    objective: Body = Field(Round(), description="Objective.")
    training: ToyTraining = Field(ToyTraining(max_steps=500), description="Training.")
    search: ToyTraining = Field(ToyTraining(), description="Search.")
    metrics: tuple[Body, ...] = Field((Round(),), description="Metrics.")
    heads: dict[str, Body] = Field({}, description="Named parts.")
    pair: ToyPair = Field(ToyPair(), description="Two parts.")
    words: tuple[str, ...] = Field((), description="Words.")


# Whatever else the real base class wants built is not under test here.
ToyTask.__abstractmethods__ = frozenset()

PARTS = {
    "bodies": {"round": "toy_task:Round", "square": "toy_task:Square"},
    "tasks": {"toy": "toy_task:ToyTask"},
}


@contextmanager
def installed() -> Iterator[None]:
    """Put the toy parts into the catalogue for the time of a test."""
    with mock.patch.dict(catalogue.PARTS, PARTS):
        yield
