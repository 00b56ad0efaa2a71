"""Emissions over vectors of numbers: each value has its own distribution, given what a decoder says."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NoReturn, Self

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from anyseq.core import Choice, Emission, Noise
from anyseq.errors import UsageError
from anyseq.nn.emissions import Attention

LEAST_SCALE = 1e-3
"""A distribution narrower than this would make a density of any size of a single lucky value."""


class Continuous(Emission):
    """What every distribution over vectors can do: values of a vector are independent, given the hidden vector.

    Args:
        parameters: What the decoder says, `per_value` numbers for each value: all the first ones, then the second.
        valid: Where the places are real, after `unroll`.
        attention: Weights over the source, on demand.

    Class attributes:
        per_value: Numbers that make the distribution of one value.
    """

    per_value: int

    def __init__(
        self,
        parameters: Float[Tensor, "row *time parameter"],
        valid: Bool[Tensor, "row time"] | None = None,
        attention: Attention | None = None,
    ) -> None:
        self.parameters, self.valid, self.attention = parameters, valid, attention

    @property
    def numbers(self) -> tuple[Float[Tensor, "row *time value"], ...]:
        """The parameters by kind."""
        return self.parameters.chunk(self.per_value, -1)

    @abstractmethod
    def densities(self, x: Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """Log-density (or log-probability) of each value, in nats."""

    @abstractmethod
    def middle(self) -> Float[Tensor, "row *time value"]:
        """The one value to give where one is wanted: the mode."""

    @abstractmethod
    def quantile(self, share: float | Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """The least value below or at which this share of the distribution lies: its inverse cumulative one."""

    def log_prob(self, x: Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time"]:
        """Log-density of whole vectors, in nats; 0 where not valid."""
        found = self.densities(x).sum(-1)
        return found if self.valid is None else found.masked_fill(~self.valid, 0.0)

    def mode(self, allowed: Bool[Tensor, "row symbol"] | None = None) -> Choice:
        """The likeliest vector."""
        x = self.middle()
        return Choice(x, self.log_prob(x))

    def sample(self, noise: Noise, allowed: Bool[Tensor, "row symbol"] | None = None) -> Choice:
        """One vector a row, value by value by the inverse of the cumulative distribution."""
        count = self.parameters.shape[-1] // self.per_value
        uniform = torch.stack([noise.uniform(value) for value in range(count)], -1).to(self.parameters)
        x = self.quantile(uniform.clamp(1e-7, 1 - 1e-7))
        return Choice(x, self.log_prob(x))

    def at(self, places: Bool[Tensor, "row time"]) -> Self:
        """The distributions at these places."""
        attention, here = self.attention, places
        return self.like(self.parameters[places], None, None if attention is None else lambda: attention()[here])

    def like(self, parameters: Tensor, valid: Tensor | None, attention: Attention | None) -> Self:
        """The same kind of distribution with other parameters."""
        return type(self)(parameters, valid, attention)

    @classmethod
    def stack(cls, emissions: Sequence[Self], valid: Bool[Tensor, "row time"]) -> Self:
        """Steps side by side."""
        looks = [each.attention for each in emissions if each.attention is not None]
        attention = (lambda: torch.stack([look() for look in looks], 1)) if len(looks) == len(emissions) else None
        return emissions[0].like(torch.stack([each.parameters for each in emissions], 1), valid, attention)

    def smooth(self, label_smoothing: float) -> Self:
        """Refused: there are no symbols to spread a share over."""
        _refuse("label smoothing spreads probability over symbols: set objective.label_smoothing=0")

    def restrict(self, allowed: Any) -> Self:
        """Refused."""
        _refuse("no symbol can be forbidden")

    def candidates(self, k: int, allowed: Any = None) -> Choice:
        """Refused."""
        _refuse("they cannot be counted, so none is the k-th best: use beam_size=1, or sampling")

    def log_probs(self) -> Tensor:
        """Refused."""
        _refuse("there is no table of all of them")

    @classmethod
    def mix(cls, emissions: Sequence[Emission]) -> Emission:
        """Refused, so far."""
        _refuse("several models as one are for symbols: give one model")


class Normal(Continuous):
    """A normal distribution for each value: mean, and the softplus of its standard deviation's parameter."""

    per_value = 2

    @property
    def scale(self) -> Float[Tensor, "row *time value"]:
        """Standard deviations."""
        return torch.nn.functional.softplus(self.numbers[1]) + LEAST_SCALE

    def densities(self, x: Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """Log-density of each value."""
        scale = self.scale
        return -0.5 * ((x - self.numbers[0]) / scale) ** 2 - scale.log() - 0.5 * math.log(2 * math.pi)

    def middle(self) -> Float[Tensor, "row *time value"]:
        """The mean."""
        return self.numbers[0]

    def quantile(self, share: float | Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """Mean + standard deviation * Φ⁻¹(share)."""
        return self.numbers[0] + self.scale * torch.special.ndtri(torch.as_tensor(share).to(self.parameters))

    def sharpen(self, temperature: float) -> Normal:
        """Divide the logarithm of the density by the temperature: the standard deviation by its root."""
        wanted = (self.scale * temperature**0.5 - LEAST_SCALE).clamp(min=1e-6)
        raw = wanted + torch.log(-torch.expm1(-wanted))  # the inverse of softplus
        return Normal(torch.cat([self.numbers[0], raw], -1), self.valid, self.attention)


class Bernoulli(Continuous):
    """Each value is 1 or 0, whatever the others are: the logit of 1."""

    per_value = 1

    def densities(self, x: Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """Log-probability of each value."""
        return x * self.parameters - torch.nn.functional.softplus(self.parameters)

    def middle(self) -> Float[Tensor, "row *time value"]:
        """1 where that is likelier."""
        return (self.parameters > 0).to(self.parameters)

    def quantile(self, share: float | Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """0 up to the probability of 0, 1 above it."""
        return (torch.as_tensor(share).to(self.parameters) > torch.sigmoid(-self.parameters)).to(self.parameters)

    def sharpen(self, temperature: float) -> Bernoulli:
        """Divide the logits by the temperature."""
        return Bernoulli(self.parameters / temperature, self.valid, self.attention)


def _refuse(why: str) -> NoReturn:
    raise UsageError(f"this model gives vectors of numbers; {why}")
