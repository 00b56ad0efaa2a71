"""Dense layers at each place of the source by itself: of a picture that is one place, all of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn

from anyseq.core import Encoder, Memory, Padded, Stream, Tree, Vectors
from anyseq.errors import ConfigError
from anyseq.models.encoders.base import EncoderConfig
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import input_layer


class PlacewiseEncoder(Encoder):
    """A network that transforms each place by itself; no place knows of another.

    `memory.summary` is the mean over the source; `memory.carry` its sum and count so far, for a fold in pieces.

    Args:
        embed: The input layer.
        network: From what that gives to `dim`.
        dim: Width of the vectors.
    """

    def __init__(self, embed: nn.Module, network: nn.Module, dim: int) -> None:
        super().__init__()
        self.embed, self.network = embed, network
        self.output_dim = self.summary_dim = dim

    def forward(self, source: Padded, carry: Any = None) -> Memory:
        """Fold a source, or its next piece."""
        vectors = self.network(self.embed(source.values))
        real = source.valid[:, :, None].to(vectors.dtype)
        total, count = (vectors * real).sum(1), real.sum(1)
        if carry is not None:
            total, count = total + carry.total, count + carry.count
        return Memory(
            item=torch.arange(source.rows, device=source.valid.device),
            vectors=vectors,
            valid=source.valid,
            summary=total / count.clamp(min=1),
            carry=Tree(total=total, count=count),
        )


class DenseEncoderConfig(EncoderConfig):
    """Dense layers with ReLU at each place by itself; none is the input itself."""

    num_layers: int = Field(2, ge=0, description="layers; 0: the vectors as they come")
    hidden_dim: int = Field(256, ge=1, description="width of a layer")
    dropout: float = Field(0.2, ge=0, lt=1, description="share dropped of each layer's output")

    def build(self, source: Stream) -> PlacewiseEncoder:
        """Make an encoder that reads this stream.

        Raises:
            ConfigError: no layer, and symbols to read.
        """
        if not self.num_layers:
            if not isinstance(source, Vectors):
                raise ConfigError("model.encoder.num_layers=0 leaves vectors as they come, and these are symbols")
            return PlacewiseEncoder(nn.Identity(), nn.Identity(), source.dim)
        parts: list[nn.Module] = [nn.ReLU(), Dropout(self.dropout)]
        for _ in range(self.num_layers - 1):
            parts += [_linear(self.hidden_dim, self.hidden_dim), nn.ReLU(), Dropout(self.dropout)]
        return PlacewiseEncoder(input_layer(source, self.hidden_dim), nn.Sequential(*parts), self.hidden_dim)


def _linear(from_dim: int, to_dim: int) -> nn.Linear:
    layer = nn.Linear(from_dim, to_dim)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


class PictureEncoderConfig(EncoderConfig):
    """Convolutions over each place, which is a picture: pairs of 3×3 convolutions, each pair halving its size."""

    channels: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (32, 64), min_length=1, strict=False, description="channels of each pair of convolutions"
    )
    hidden_dim: int = Field(128, ge=1, description="width of the dense layer on top")
    dropout: float = Field(0.3, ge=0, lt=1, description="share dropped after each pair and after the dense layer")

    def build(self, source: Stream) -> PlacewiseEncoder:
        """Make an encoder that reads a stream of pictures.

        Raises:
            ConfigError: its places are no pictures, or too small to be halved so often.
        """
        if not isinstance(source, Vectors) or source.shape is None:
            raise ConfigError("model.encoder.kind=picture reads whole pictures: codec.source.kind=pictures by=whole")
        height, width, depth = source.shape
        small = min(height, width) >> len(self.channels)
        if not small:
            raise ConfigError(
                f"model.encoder.channels halves a picture of {width} x {height} {len(self.channels)} times: give fewer"
            )
        parts: list[nn.Module] = []
        for channels in self.channels:
            parts += [*_convolution(depth, channels), *_convolution(channels, channels), nn.MaxPool2d(2)]
            parts.append(Dropout(self.dropout))
            depth = channels
        flat = depth * (height >> len(self.channels)) * (width >> len(self.channels))
        parts += [nn.Flatten(), _linear(flat, self.hidden_dim), nn.ReLU(), Dropout(self.dropout)]
        return PlacewiseEncoder(nn.Identity(), OfPictures(source.shape, parts), self.hidden_dim)


def _convolution(from_depth: int, to_depth: int) -> Sequence[nn.Module]:
    layer = nn.Conv2d(from_depth, to_depth, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return layer, nn.GroupNorm(gcd(8, to_depth), to_depth), nn.ReLU()


class OfPictures(nn.Module):
    """A network of pictures applied to each place.

    Args:
        shape: Height, width and channels of a picture, whose values stand row by row.
        parts: The network; reads [picture, channel, row, column], gives [picture, dim].
    """

    def __init__(self, shape: tuple[int, int, int], parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.shape, self.parts = shape, nn.Sequential(*parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Transform [row, time, value] to [row, time, dim]."""
        pictures = x.reshape(-1, *self.shape).permute(0, 3, 1, 2)
        return self.parts(pictures).view(*x.shape[:2], -1)
