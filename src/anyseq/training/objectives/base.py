"""What every objective's configuration offers."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from anyseq.core import Objective, PartConfig


class ObjectiveConfig(PartConfig):
    """Settings of an objective.

    Class attributes:
        carries: It hands a state on from each batch to the next, whose items must follow each other.
    """

    section: ClassVar[str] = "objectives"
    carries: ClassVar[bool] = False

    @abstractmethod
    def build(self) -> Objective:
        """Make the objective."""
