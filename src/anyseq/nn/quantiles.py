"""Quantiles of each value of a vector, and the distribution that runs through them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple, NoReturn, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from anyseq.errors import UsageError
from anyseq.nn.continuous import Continuous, Kind, spread
from anyseq.nn.emissions import Attention

_AT = 1e-4
"""So little below a quantile, by the distance to its neighbour, a value counts as at it."""


class Quantiles(Continuous):
    """Quantiles for each value; the loss is the pinball loss of all of them, by their number and twice.

    (So that of the median alone it is the absolute error.) As a distribution: between neighbouring quantiles all values
    are equally likely, outside the outermost ones the density falls exponentially from what it is just inside.

    Args:
        parameters, valid, attention: As of `Continuous`; a value's quantiles rise.
        levels: The share of the distribution below each, rising, inside (0, 1); at least two.

    Source:
        Pinball loss: Koenker and Bassett 1978; of networks: Wen et al. 2017, arXiv:1711.11053.
    """

    _KIND: tuple[Kind, ...] = ("place",)

    def __init__(
        self,
        parameters: Float[Tensor, "row *time parameter"],
        valid: Tensor | None,
        attention: Attention | None,
        levels: Sequence[float],
    ) -> None:
        super().__init__(parameters, valid, attention)
        self.levels = tuple(levels)
        self.kinds = self._KIND * len(self.levels)

    @classmethod
    def of(
        cls,
        said: Float[Tensor, "row *time parameter"],
        valid: Tensor | None,
        attention: Attention | None,
        levels: Sequence[float],
    ) -> Self:
        """From any numbers: one is the middle quantile, the others, by softplus, how far it is to the next."""
        raw = said.chunk(len(levels), -1)
        middle = len(levels) // 2
        up = list(accumulate(map(spread, raw[middle + 1 :]), initial=raw[middle]))
        down = list(accumulate((-spread(each) for each in raw[:middle][::-1]), initial=raw[middle]))
        return cls(torch.cat([*down[:0:-1], *up], -1), valid, attention, levels)

    def like(self, parameters: Tensor, valid: Tensor | None, attention: Attention | None) -> Self:
        """The same levels at other places."""
        return type(self)(parameters, valid, attention, self.levels)

    def losses(self, x: Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """Twice the mean pinball loss of the levels."""
        above = x[..., None] - self._places
        return 2 * torch.maximum(self._shares * above, (self._shares - 1) * above).mean(-1)

    def densities(self, x: Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """Log-density of each value."""
        places, pieces = self._places, self._pieces
        # The median may be a quantile itself, where rounding must not decide which side's density it has.
        steps = places.diff(dim=-1)
        reached = x[..., None] >= places - _AT * torch.cat([steps[..., :1], steps], -1)
        inside = pieces.density.log().gather(-1, _piece(reached.sum(-1), len(self.levels)))[..., 0]
        below, above = (places[..., 0] - x).clamp(min=0), (x - places[..., -1]).clamp(min=0)
        return inside - pieces.falls_left * below - pieces.falls_right * above

    def middle(self) -> Float[Tensor, "row *time value"]:
        """The median."""
        return self.quantile(0.5)

    def quantile(self, share: float | Float[Tensor, "row *time value"]) -> Float[Tensor, "row *time value"]:
        """On straight lines between the quantiles, on the exponential tails outside them."""
        places, shares, pieces = self._places, self._shares, self._pieces
        wanted = torch.as_tensor(share).to(places).expand(places.shape[:-1])
        place = _piece((wanted[..., None] >= shares).sum(-1), len(self.levels))
        within = torch.minimum(torch.maximum(wanted, shares[0]), shares[-1])
        steps = (within - shares[place[..., 0]]) / pieces.density.gather(-1, place)[..., 0]
        below, above = (wanted / shares[0]).clamp(max=1).log(), ((1 - wanted) / (1 - shares[-1])).clamp(max=1).log()
        return places.gather(-1, place)[..., 0] + steps + below / pieces.falls_left - above / pieces.falls_right

    def sharpen(self, temperature: float) -> NoReturn:
        """Refused."""
        raise UsageError("a model of quantiles has no temperature: leave search.temperature at 1")

    @property
    def _places(self) -> Float[Tensor, "row *time value level"]:
        return torch.stack(self.numbers, -1)

    @property
    def _shares(self) -> Float[Tensor, " level"]:
        return torch.tensor(self.levels).to(self.parameters)

    @property
    def _pieces(self) -> _Pieces:
        shares, density = self._shares, self._shares.diff() / self._places.diff(dim=-1)
        return _Pieces(density, density[..., 0] / shares[0], density[..., -1] / (1 - shares[-1]))


class _Pieces(NamedTuple):
    """The density between neighbouring quantiles, and how fast its logarithm falls outside them."""

    density: Float[Tensor, "row *time value piece"]
    falls_left: Float[Tensor, "row *time value"]
    falls_right: Float[Tensor, "row *time value"]


def _piece(passed: Int[Tensor, "*shape"], levels: int) -> Int[Tensor, "*shape 1"]:
    """The piece that counts, of so many quantiles passed; outside the outermost one."""
    return (passed - 1).clamp(0, levels - 2)[..., None]
