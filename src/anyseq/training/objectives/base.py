"""What every objective's configuration offers."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from anyseq.core import Objective, PartConfig


class ObjectiveConfig(PartConfig):
    """Settings of an objective."""

    section: ClassVar[str] = "objectives"

    @abstractmethod
    def build(self) -> Objective:
        """Make the objective."""
