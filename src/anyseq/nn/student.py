"""Student's t distribution over vectors of real numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from anyseq.core import Noise
from anyseq.core.precision import doubled
from anyseq.nn.continuous import Continuous, Kind, spread, uniforms
from anyseq.nn.emissions import Attention

LEAST_FREEDOM = 2.0
"""With more degrees of freedom than two there is a variance."""

_MOST_STEPS, _LEAST_STEP = 40, 1e-8  # each step about squares what is left
_LARGE = 40.0  # degrees of freedom
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_ROWS = 1024  # of a table of quantiles


class StudentT(Continuous):
    """Student's t for each value: place, scale, and degrees of freedom, more than two: tails heavier than a normal's.

    Source:
        As an output: Salinas et al. 2017, arXiv:1704.04110 (theirs negative binomial or normal), and its descendants.
    """

    kinds: Sequence[Kind] = ("place", "spread", "shape")

    @classmethod
    def of(
        cls, said: Float[Tensor, "row *time parameter"], valid: Tensor | None = None, attention: Attention | None = None
    ) -> Self:
        """From any numbers, by softplus."""
        place, scale, freedom = said.chunk(3, -1)
        return cls(torch.cat([place, spread(scale), LEAST_FREEDOM + spread(freedom)], -1), valid, attention)

    def densities(self, x: Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """Log-density of each value."""
        place, scale, freedom = self.numbers
        tails = (freedom + 1) / 2 * torch.log1p(((x - place) / scale) ** 2 / freedom)
        return _constant(freedom) - 0.5 * freedom.log() - scale.log() - tails

    def middle(self) -> Float[Tensor, "row *time value"]:
        """The place: mode, median and mean."""
        return self.numbers[0]

    def quantile(self, share: float | Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """Place + scale * the quantile of the standard distribution."""
        place, scale, freedom = self.numbers
        if isinstance(share, float) and 0 < share < 1 and bool((freedom >= LEAST_FREEDOM).all()):
            return place + scale * _tabled(share, freedom)
        return place + scale * standard_quantile(torch.as_tensor(share).to(freedom), freedom)

    def drawn(self, noise: Noise, count: int) -> Float[Tensor, "row value"]:
        """One draw of each value, of two uniform numbers: t = sqrt(ν (u^(-2/ν) - 1)) cos(2πv).

        Source:
            Bailey 1994, "Polar generation of random variates with the t-distribution".
        """
        place, scale, freedom = self.numbers
        u, v = (uniforms(noise, range(first, 2 * count, 2), place) for first in (0, 1))
        radius = (freedom * torch.expm1(-2 / freedom * u.log())).sqrt()
        return place + scale * radius * torch.cos(2 * math.pi * v)

    def sharpen(self, temperature: float) -> Self:
        """Divide the logarithm of the density by the temperature, which is a t of other freedom and scale.

        Above the temperature at which no such distribution is left its freedom is a tenth.
        """
        place, scale, freedom = self.numbers
        other = ((freedom + 1) / temperature - 1).clamp(min=0.1)
        return self.like(torch.cat([place, scale * (freedom / other).sqrt(), other], -1), self.valid, self.attention)


def _constant(freedom: Tensor) -> Tensor:
    """log Γ((ν+1)/2) - log Γ(ν/2) - log sqrt(π); of many degrees of freedom, where all digits of that difference would
    cancel, by Stirling's series."""
    x = (freedom / 2).clamp(min=_LARGE / 2)
    series = 0.5 * x.log() - (1 - (1 / 24 - 1 / (80 * x**2)) / x**2) / (8 * x)
    few = freedom.clamp(max=_LARGE)
    exact = torch.lgamma((few + 1) / 2) - torch.lgamma(few / 2)
    return torch.where(freedom < _LARGE, exact, series) - 0.5 * math.log(math.pi)


def _tabled(share: float, freedom: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The standard quantile of one share at many degrees of freedom ν, none below two.

    It is a smooth function of 1 / ν, of which a table is kept; between neighbours it is the cubic through four of them.
    """
    table = _table(share).to(doubled(freedom))
    at = 2 * _ROWS / doubled(freedom)
    first = (at.long() - 1).clamp(0, _ROWS - 3)
    x = at - first
    weights = [
        -(x - 1) * (x - 2) * (x - 3) / 6, x * (x - 2) * (x - 3) / 2, -x * (x - 1) * (x - 3) / 2,
        x * (x - 1) * (x - 2) / 6,
    ]  # fmt: skip
    between = torch.stack([weight * table[first + place] for place, weight in enumerate(weights)]).sum(0)
    return between.to(freedom)


@lru_cache(maxsize=32)
def _table(share: float) -> Float[Tensor, " row"]:
    """The quantiles of this share at 1 / ν = 0, ..., 1 / 2."""
    inverse, wanted = torch.linspace(0, 0.5, _ROWS + 1, dtype=torch.float64), torch.tensor(share, dtype=torch.float64)
    return torch.cat([torch.special.ndtri(wanted)[None], standard_quantile(wanted, 1 / inverse[1:])])


def standard_quantile(share: Float[Tensor, "*#shape"], freedom: Float[Tensor, "*#shape"]) -> Float[Tensor, "*#shape"]:
    """The inverse of the cumulative distribution with place 0 and scale 1.

    With t = sqrt(ν) tan θ, P(0 < t < x) = c ∫_0^θ cos^(ν-1), by Gauss and Legendre's rule. That bends down as θ grows,
    so that Newton's steps rise to the solution from below; they begin with two terms of Cornish and Fisher's expansion.
    """
    share, freedom = torch.broadcast_tensors(share, freedom)
    share64, freedom64 = doubled(share), doubled(freedom)
    nodes, weights = (torch.from_numpy(each).to(share64) for each in (_NODES, _WEIGHTS))
    wanted, constant = (share64 - 0.5).abs(), _constant(freedom64).exp()

    def slope(angle: Tensor, freedom: Tensor) -> Tensor:
        return torch.exp((freedom - 1) / 2 * torch.log1p(-(torch.sin(angle) ** 2)))

    z = torch.special.ndtri(0.5 + wanted)
    angle = torch.atan((z + (z**3 + z) / (4 * freedom64)) / freedom64.sqrt())
    for _ in range(_MOST_STEPS):
        at = angle[..., None] * (nodes + 1) / 2
        mass = angle / 2 * (weights * slope(at, freedom64[..., None])).sum(-1)
        step = (wanted / constant - mass) / slope(angle, freedom64)
        following = torch.minimum((angle + step).clamp(min=0), (angle + math.pi / 2) / 2)
        done = not bool(((following - angle).abs() > _LEAST_STEP * angle).any())
        angle = following
        if done:
            break
    found = torch.where(wanted < 0.5, freedom64.sqrt() * torch.tan(angle), math.inf)
    return (torch.sign(share64 - 0.5) * found).to(freedom)
