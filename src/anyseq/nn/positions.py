"""Where in the sequence: sinusoidal, learned, rotary."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from anyseq.core.precision import doubled


def _angles(positions: Tensor, dim: int) -> Tensor:
    """position / 10000^(2i/dim) for i in 0 .. dim/2 - 1, in float64 so that far positions stay exact."""
    exact = doubled(positions)
    rates = 10000.0 ** (-torch.arange(0, dim, 2, dtype=torch.float64, device=exact.device) / dim)
    return exact[..., None] * rates


class Sinusoidal(nn.Module):
    """Fixed sines and cosines, added to the input.

    Args:
        dim: Width of the vectors, even.

    Source:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.5; the sines stand in the first half and the cosines in the
        second, which differs from the paper by a permutation of dimensions only.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        if dim % 2:
            raise ValueError(f"sinusoidal positions need an even model_dim, not {dim}")
        self.dim = dim

    def forward(
        self, x: Float[Tensor, "row time dim"], positions: Int[Tensor, "#row time"]
    ) -> Float[Tensor, "row time dim"]:
        """Add the vector of each position."""
        angles = _angles(positions, self.dim)
        return x + torch.cat([angles.sin(), angles.cos()], -1).to(x)


class Learned(nn.Module):
    """One learned vector a position, added to the input; positions past the last share the last vector.

    Args:
        dim: Width of the vectors.
        max_positions: How many are learned.
    """

    def __init__(self, dim: int, max_positions: int) -> None:
        super().__init__()
        self.table = nn.Embedding(max_positions, dim)
        nn.init.normal_(self.table.weight, std=0.1)

    def forward(
        self, x: Float[Tensor, "row time dim"], positions: Int[Tensor, "#row time"]
    ) -> Float[Tensor, "row time dim"]:
        """Add the vector of each position."""
        return x + self.table(positions.clamp(max=self.table.num_embeddings - 1))


@dataclass(frozen=True)
class Rotation:
    """A turn of each place by its position: made once, then used on the queries and keys of every layer.

    Attributes:
        sine: Of each place's angles.
        cosine: The same.
    """

    sine: Float[Tensor, "#row time 1 half"]
    cosine: Float[Tensor, "#row time 1 half"]

    def __call__(self, x: Float[Tensor, "row time head dim"]) -> Float[Tensor, "row time head dim"]:
        """Turn the vectors of each place."""
        sine, cosine = self.sine.to(x), self.cosine.to(x)  # of another type in lower precision only
        left, right = x.chunk(2, -1)
        return torch.cat([left * cosine - right * sine, right * cosine + left * sine], -1)


class Rotary(nn.Module):
    """Rotate pairs of dimensions of queries and keys by angles that grow with the position.

    Their product then depends on the distance alone. Pairs are (i, i + dim/2).

    Args:
        dim: Width of one head, even.

    Source:
        Su et al. 2021, arXiv:2104.09864, equation 34, with the pairing of GPT-NeoX.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        if dim % 2:
            raise ValueError(f"rotary positions need an even width of heads, not {dim}")
        self.dim = dim

    def forward(self, positions: Int[Tensor, "#row time"], like: Tensor) -> Rotation:
        """Make the rotation of some places, in the type of `like`."""
        angles = _angles(positions, self.dim)[:, :, None]
        return Rotation(angles.sin().to(like), angles.cos().to(like))
