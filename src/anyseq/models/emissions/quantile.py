"""Quantiles of each value."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field, field_validator
from torch import Tensor

from anyseq.models.emissions.base import EmissionConfig
from anyseq.nn.emissions import Attention
from anyseq.nn.quantiles import Quantiles


class QuantileConfig(EmissionConfig):
    """Some quantiles of each value, each learnt by its pinball loss; no shape is taken for granted between them."""

    levels: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95), min_length=2, strict=False,
        description="the share of the distribution below each, rising",
    )  # fmt: skip

    @field_validator("levels")
    @classmethod
    def _rise(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        if any(one >= two for one, two in pairwise(levels)):
            raise ValueError(f"levels rise from each to the next: give {sorted(set(levels))}")
        return levels

    @property
    def per_value(self) -> int:
        """One a level."""
        return len(self.levels)

    def build(self, parameters: Tensor, valid: Tensor | None = None, attention: Attention | None = None) -> Quantiles:
        """The distribution."""
        return Quantiles.of(parameters, valid, attention, self.levels)
