"""A normal distribution for each value."""

from __future__ import annotations

from torch import Tensor

from anyseq.models.emissions.base import EmissionConfig
from anyseq.nn.continuous import Normal
from anyseq.nn.emissions import Attention


class NormalConfig(EmissionConfig):
    """Mean and standard deviation of each value."""

    @property
    def per_value(self) -> int:
        """Both."""
        return Normal.per_value

    def build(self, parameters: Tensor, valid: Tensor | None = None, attention: Attention | None = None) -> Normal:
        """The distribution."""
        return Normal(parameters, valid, attention)
