"""Each value is 1 or 0, by itself."""

from __future__ import annotations

from torch import Tensor

from anyseq.models.emissions.base import EmissionConfig
from anyseq.nn.continuous import Bernoulli
from anyseq.nn.emissions import Attention


class BernoulliConfig(EmissionConfig):
    """The probability that a value is 1, else it is 0; values of a vector are independent of each other."""

    @property
    def per_value(self) -> int:
        """The logit."""
        return len(Bernoulli.kinds)

    def build(self, parameters: Tensor, valid: Tensor | None = None, attention: Attention | None = None) -> Bernoulli:
        """The distribution."""
        return Bernoulli(parameters, valid, attention)
