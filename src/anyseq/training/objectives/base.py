"""What every objective's configuration offers."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from anyseq.core import Objective, PartConfig
from anyseq.metrics.base import MetricConfig
from anyseq.training.rollouts import Rollouts


class ObjectiveConfig(PartConfig):
    """Settings of an objective.

    Class attributes:
        carries: It hands a state on from each batch to the next, whose items must follow each other.
    """

    section: ClassVar[str] = "objectives"
    carries: ClassVar[bool] = False

    @property
    def rewarded_by(self) -> MetricConfig | None:
        """The metric that the model's own outputs are to be good by; None: it learns from targets alone."""
        return None

    @abstractmethod
    def build(self, rollouts: Rollouts | None = None) -> Objective:
        """Make the objective.

        Args:
            rollouts: The model's own outputs and their rewards, where `rewarded_by` names a metric.
        """
