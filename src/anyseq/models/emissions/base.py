"""What every emission's configuration offers, and the layer that makes its parameters."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, cast

from jaxtyping import Float
from torch import Tensor, nn

from anyseq.core import PartConfig
from anyseq.nn.continuous import Continuous
from anyseq.nn.dropout import Dropout
from anyseq.nn.emissions import Attention


class EmissionConfig(PartConfig):
    """Settings of an emission of vectors."""

    section: ClassVar[str] = "emissions"

    @property
    @abstractmethod
    def per_value(self) -> int:
        """Numbers that make the distribution of one value."""

    @abstractmethod
    def build(
        self, parameters: Tensor, valid: Tensor | None = None, attention: Attention | None = None
    ) -> Continuous:
        """The distribution that these numbers say, any `per_value` for each value in the last dimension."""


class VectorHead(nn.Module):
    """Dropout, and a linear map to the parameters of a distribution over vectors.

    Args:
        config: The distribution.
        input_dim: Width of what is read.
        dim: Width of the vectors emitted.
        dropout: Share of the input dropped in training.
    """

    def __init__(self, config: EmissionConfig, input_dim: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.config, self.dropout = config, Dropout(dropout)
        self.output = nn.Linear(input_dim, config.per_value * dim)

    def forward(
        self, hidden: Float[Tensor, "row *time dim"], valid: Tensor | None = None, attention: Attention | None = None
    ) -> Continuous:
        """The emission of these vectors."""
        return self.config.build(cast(Tensor, self.output(self.dropout(hidden))), valid, attention)
