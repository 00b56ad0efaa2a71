"""A normal distribution for each value."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from anyseq.models.emissions.base import EmissionConfig
from anyseq.nn.continuous import Normal, SquaredError
from anyseq.nn.emissions import Attention


class NormalConfig(EmissionConfig):
    """Mean and standard deviation of each value."""

    @property
    def per_value(self) -> int:
        """Both."""
        return len(Normal.kinds)

    def build(self, parameters: Tensor, valid: Tensor | None = None, attention: Attention | None = None) -> Normal:
        """The distribution."""
        return Normal.of(parameters, valid, attention)


class SquaredErrorConfig(EmissionConfig):
    """The mean of each value alone: the loss is the squared error."""

    deviation: float = Field(
        1.0, gt=0, description="standard deviation taken for granted, in those of train, where one is asked for: of "
        "intervals, samples and log_prob; the loss does not depend on it"
    )  # fmt: skip

    @property
    def per_value(self) -> int:
        """The mean."""
        return len(SquaredError.kinds)

    def build(
        self, parameters: Tensor, valid: Tensor | None = None, attention: Attention | None = None
    ) -> SquaredError:
        """The distribution."""
        return SquaredError(parameters, valid, attention, self.deviation)
