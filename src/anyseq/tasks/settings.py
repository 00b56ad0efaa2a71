"""What every recipe has, whatever its task."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from anyseq.core import PartConfig
from anyseq.metrics.base import MetricConfig
from anyseq.tasks.choosing import DecodingConfig
from anyseq.training.objectives.base import ObjectiveConfig
from anyseq.training.settings import TrainingConfig

if TYPE_CHECKING:
    from anyseq.tasks.base import Task

AtFaults = Literal["stop", "tell", "off"]
"""What to do about errors in the data: not train; say so, and train; not look for any."""
MILDER: tuple[AtFaults, ...] = get_args(AtFaults)
"""The same, the strictest first."""


class TaskConfig(PartConfig):
    """A recipe: a task with everything it needs. The recipe's key `task` names its kind.

    Class attributes:
        carries: Its items follow each other, so that an objective may hand a state on.
    """

    section: ClassVar[str] = "tasks"
    carries: ClassVar[bool] = False

    description: str = Field("", description="one line for `anyseq recipes`")
    objective: ObjectiveConfig = Field(description="what training minimises")
    training: TrainingConfig = Field(description="how long and how hard to train")
    search: DecodingConfig = Field(default_factory=DecodingConfig, description="how outputs are searched for")
    metrics: tuple[MetricConfig, ...] = Field(description="how good an output is; the first decides")

    @model_validator(mode="after")
    def _carried_where_items_follow(self) -> Self:
        if getattr(self.objective, "carries", False) and not self.carries:  # a part from outside may not say
            raise ValueError("objective=carried is for one long text (language_model/text): choose cross_entropy")
        return self

    @abstractmethod
    def build(self) -> Task:
        """Make the task; its codecs and model come with data (`fit`) or from a folder (`load_codecs`)."""
