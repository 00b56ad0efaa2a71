"""What a task is: everything a user does goes through one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Batch, Codec, Hypotheses, Item, Model, Padded, PartConfig
from anyseq.metrics.base import Metric, MetricConfig
from anyseq.search.settings import SearchConfig
from anyseq.tasks.choosing import DecodingConfig
from anyseq.training.objectives.base import ObjectiveConfig
from anyseq.training.settings import TrainingConfig


class TaskConfig(PartConfig):
    """A recipe: a task with everything it needs. The recipe's key `task` names its kind."""

    section: ClassVar[str] = "tasks"

    description: str = Field("", description="one line for `anyseq recipes`")
    objective: ObjectiveConfig = Field(description="what training minimises")
    training: TrainingConfig = Field(description="how long and how hard to train")
    search: DecodingConfig = Field(default_factory=DecodingConfig, description="how outputs are searched for")
    metrics: tuple[MetricConfig, ...] = Field(min_length=1, description="how good an output is; the first decides")

    @abstractmethod
    def build(self) -> Task:
        """Make the task; its codecs and model come with data (`fit`) or from a folder (`load_codecs`)."""


@dataclass(frozen=True)
class Splits:
    """The data of a run.

    Attributes:
        train: What is learnt from.
        dev: What decides which checkpoint is best, and when to stop.
        notes: What a person should know about how they came to be (lines left out, a dev part held out of train).
        left_out: Place and reason of every training item that is not used.
    """

    train: Sequence[Item]
    dev: Sequence[Item]
    notes: Sequence[str] = field(default=())
    left_out: Sequence[tuple[str, str]] = field(default=())


@dataclass(frozen=True)
class EncodedSource:
    """A source as the model reads it.

    Attributes:
        values: At least one element, at most the limit.
        empty: There is nothing to be transformed: the output is empty too, and the model is not asked.
        cut: It was longer than the limit.
    """

    values: Tensor
    empty: bool
    cut: bool


class Task(ABC):
    """Binds codecs, a model and metrics; says how a person gives input and sees output.

    Attributes:
        codecs: By name, once `fit` or `load_codecs` was called.
        model: Once `build_model` was called.
        metrics: As configured.
    """

    codecs: dict[str, Codec]
    model: Model
    metrics: list[Metric]

    @property
    @abstractmethod
    def config(self) -> TaskConfig:
        """The recipe."""

    @abstractmethod
    def read(self) -> Splits:
        """Read the data the recipe names, or make its embedded default.

        Raises:
            DataError: a file, or a line of it, cannot be used.
        """

    @abstractmethod
    def read_test(self) -> Sequence[Item] | None:
        """Read the test items, None where the recipe has none."""

    @abstractmethod
    def fit_codecs(self, items: Sequence[Item]) -> None:
        """Learn the codecs from training items."""

    @abstractmethod
    def save_codecs(self, folder: Path) -> None:
        """Write the codecs into a folder."""

    @abstractmethod
    def load_codecs(self, folder: Path) -> None:
        """Read what `save_codecs` wrote."""

    @abstractmethod
    def build_model(self) -> None:
        """Make the model for the codecs, with fresh weights from torch's random generator."""

    @abstractmethod
    def select(self, splits: Splits) -> Splits:
        """Leave out what cannot be trained on, and say so in the notes."""

    @abstractmethod
    def encode_source(self, item: Item) -> EncodedSource:
        """The item's source as the model reads it."""

    @abstractmethod
    def encode(self, item: Item, seed: int | None = None) -> Mapping[str, Tensor]:
        """All fields of an item that has a target; with a seed as training sees them, where codecs vary."""

    @abstractmethod
    def search(self, batch: Batch, settings: SearchConfig) -> Hypotheses:
        """Search outputs for a batch, which has no target."""

    @abstractmethod
    def output(self, values: Tensor, item: Item) -> str:
        """What a person sees of one hypothesis."""

    @property
    @abstractmethod
    def augments(self) -> bool:
        """Whether training sees an item encoded in another way each time."""

    def batch(self, items: Sequence[Item], fields: Sequence[Mapping[str, Tensor]]) -> Batch:
        """Put encoded items below each other, on the model's device."""
        return Batch({name: Padded.stack([each[name] for each in fields]) for name in fields[0]}, items).to(self.device)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(iter(nn.Module.parameters(self.model))).device

    def reference(self, item: Item) -> str:
        """The target of an item, as outputs are compared with it."""
        target: Any = item.raw["target"]
        return str(target)
