"""Emissions over vectors of numbers: each value has its own distribution, given what a decoder says."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, NoReturn, Self

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from anyseq.core import Choice, Emission, Noise
from anyseq.errors import UsageError
from anyseq.nn.emissions import Attention

LEAST_SCALE = 1e-3
"""A distribution narrower than this would make a density of any size of a single lucky value."""

Kind = Literal["place", "spread", "shape"]
"""What x * scale + shift, other units, make of a parameter: a place moves as x does, a spread is scaled, a shape stays.
"""


class Continuous(Emission):
    """What every distribution over vectors can do: values of a vector are independent, given the hidden vector.

    Args:
        parameters: As many numbers for each value as there are `kinds`: all the first ones, then the second.
        valid: Where the places are real, after `unroll`.
        attention: Weights over the source, on demand.

    Attributes:
        kinds: What each of the numbers is that make the distribution of one value.
    """

    kinds: Sequence[Kind]

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
        return self.parameters.chunk(len(self.kinds), -1)

    def moved(self, shift: Float[Tensor, "..."], scale: Float[Tensor, "..."]) -> Self:
        """The distribution of x * scale + shift, where this is that of x. Both fit the values; the scale is above 0."""
        moves = {"place": lambda x: x * scale + shift, "spread": lambda x: x * scale, "shape": lambda x: x}
        numbers = [moves[kind](x) for kind, x in zip(self.kinds, self.numbers, strict=True)]
        return self.like(torch.cat(numbers, -1), self.valid, self.attention)

    @abstractmethod
    def densities(self, x: Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """Log-density (or log-probability) of each value, in nats."""

    @abstractmethod
    def middle(self) -> Float[Tensor, "row *time value"]:
        """The one value to give where one is wanted: the mode, or where the density is in steps the median."""

    @abstractmethod
    def quantile(self, share: float | Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """The least value below or at which this share of the distribution lies: its inverse cumulative one."""

    def losses(self, x: Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """What training minimises, of each value; by default the negative log-density."""
        return -self.densities(x)

    def loss(self, x: Float[Tensor, "row *time value"]) -> Float[Tensor, ""]:
        """The losses of all valid places, summed."""
        found = self.losses(x).sum(-1)
        return (found if self.valid is None else found.masked_fill(~self.valid, 0.0)).sum()

    def log_prob(self, x: Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time"]:
        """Log-density of whole vectors, in nats; 0 where not valid."""
        found = self.densities(x).sum(-1)
        return found if self.valid is None else found.masked_fill(~self.valid, 0.0)

    def mode(self, allowed: Bool[Tensor, "row symbol"] | None = None) -> Choice:
        """The likeliest vector (of a density in steps its median)."""
        x = self.middle()
        return Choice(x, self.log_prob(x))

    def sample(self, noise: Noise, allowed: Bool[Tensor, "row symbol"] | None = None) -> Choice:
        """One vector a row, value by value."""
        x = self.drawn(noise, self.parameters.shape[-1] // len(self.kinds))
        return Choice(x, self.log_prob(x))

    def drawn(self, noise: Noise, count: int) -> Float[Tensor, "row value"]:
        """One draw of each of so many values, by the inverse of the cumulative distribution."""
        return self.quantile(uniforms(noise, range(count), self.parameters))

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
    """A normal distribution for each value: mean and standard deviation."""

    kinds: Sequence[Kind] = ("place", "spread")

    @classmethod
    def of(
        cls, said: Float[Tensor, "row *time parameter"], valid: Tensor | None = None, attention: Attention | None = None
    ) -> Self:
        """From any numbers: the softplus of the second ones is the deviation."""
        mean, raw = said.chunk(2, -1)
        return cls(torch.cat([mean, spread(raw)], -1), valid, attention)

    def densities(self, x: Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """Log-density of each value."""
        mean, scale = self.numbers
        return -0.5 * ((x - mean) / scale) ** 2 - scale.log() - 0.5 * math.log(2 * math.pi)

    def middle(self) -> Float[Tensor, "row *time value"]:
        """The mean."""
        return self.numbers[0]

    def quantile(self, share: float | Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """Mean + standard deviation * Φ⁻¹(share)."""
        mean, scale = self.numbers
        return mean + scale * torch.special.ndtri(torch.as_tensor(share).to(self.parameters))

    def sharpen(self, temperature: float) -> Self:
        """Divide the logarithm of the density by the temperature: the standard deviation by its root."""
        mean, scale = self.numbers
        return self.like(torch.cat([mean, scale * temperature**0.5], -1), self.valid, self.attention)


class SquaredError(Continuous):
    """The mean alone; its loss is the square of what it is off.

    As a distribution a normal one of fixed standard deviation, whose negative logarithm is that loss, halved and moved.

    Args:
        parameters, valid, attention: As of `Continuous`.
        deviation: The standard deviation; no loss depends on it.
    """

    kinds: Sequence[Kind] = ("place",)

    def __init__(
        self,
        parameters: Float[Tensor, "row *time parameter"],
        valid: Tensor | None = None,
        attention: Attention | None = None,
        deviation: float = 1.0,
    ) -> None:
        super().__init__(parameters, valid, attention)
        self.deviation = deviation

    def like(self, parameters: Tensor, valid: Tensor | None, attention: Attention | None) -> Self:
        """The same deviation around other means."""
        return type(self)(parameters, valid, attention, self.deviation)

    def losses(self, x: Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """Squares."""
        return (x - self.parameters) ** 2

    def densities(self, x: Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """Log-density of each value."""
        return -0.5 * self.losses(x) / self.deviation**2 - math.log(self.deviation) - 0.5 * math.log(2 * math.pi)

    def middle(self) -> Float[Tensor, "row *time value"]:
        """The mean."""
        return self.parameters

    def quantile(self, share: float | Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """Mean + standard deviation * Φ⁻¹(share)."""
        return self.parameters + self.deviation * torch.special.ndtri(torch.as_tensor(share).to(self.parameters))

    def sharpen(self, temperature: float) -> Self:
        """Divide the logarithm of the density by the temperature."""
        return type(self)(self.parameters, self.valid, self.attention, self.deviation * temperature**0.5)


def spread(raw: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """A number above 0 from any: softplus, and the least there may be."""
    return torch.nn.functional.softplus(raw) + LEAST_SCALE


def uniforms(noise: Noise, draws: Sequence[int], like: Tensor) -> Float[Tensor, "row draw"]:
    """One number inside (0, 1) for each row and draw, as far from both ends as float32 can tell."""
    return torch.stack([noise.uniform(draw) for draw in draws], -1).to(like).clamp(1e-7, 1 - 1e-7)


class Bernoulli(Continuous):
    """Each value is 1 or 0, whatever the others are: the logit of 1."""

    kinds = ("shape",)

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
