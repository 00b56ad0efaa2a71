"""Student's t for each value."""

from __future__ import annotations

from torch import Tensor

from anyseq.models.emissions.base import EmissionConfig
from anyseq.nn.emissions import Attention
from anyseq.nn.student import StudentT


class StudentTConfig(EmissionConfig):
    """Place, scale and degrees of freedom of Student's t of each value: values far off are no surprise."""

    @property
    def per_value(self) -> int:
        """All three."""
        return len(StudentT.kinds)

    def build(self, parameters: Tensor, valid: Tensor | None = None, attention: Attention | None = None) -> StudentT:
        """The distribution."""
        return StudentT.of(parameters, valid, attention)
