"""All of a source in one vector, around any encoder."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import nn

from anyseq.core import Encoder, Memory, Padded, Stream
from anyseq.models.encoders.base import EncoderConfig
from anyseq.nn.pooling import MaxPooling


class Bottleneck(Encoder):
    """What an encoder leaves, in one vector: W [summary; the largest value of each channel] + b.

    That vector is `memory.summary`, and the only one of `memory.vectors`; nothing else gets past it.

    Args:
        encoder: Whose memory is narrowed.
        dim: Width of the vector.
    """

    placed: ClassVar[bool] = False

    def __init__(self, encoder: Encoder, dim: int) -> None:
        super().__init__()
        self.encoder, self.pooling = encoder, MaxPooling()
        self.narrow = nn.Linear(encoder.summary_dim + encoder.output_dim, dim)
        nn.init.xavier_uniform_(self.narrow.weight)
        nn.init.zeros_(self.narrow.bias)
        self.output_dim = self.summary_dim = dim

    @property
    def embed(self) -> nn.Module:  # type: ignore[override]
        """The encoder's input layer."""
        return self.encoder.embed

    def forward(self, source: Padded, carry: Any = None) -> Memory:
        """Fold a source; with `carry`, its next piece is refused.

        Raises:
            ValueError: a `carry` was given.
        """
        if carry is not None:
            raise ValueError("one vector says all of a source: it is not folded in pieces")
        inner: Memory = self.encoder(source)
        pooled = self.pooling(inner.vectors, inner.valid)
        vector = self.narrow(torch.cat([inner.summary, pooled], 1))
        return Memory(
            item=inner.item,
            vectors=vector[:, None],
            valid=torch.ones_like(inner.item, dtype=torch.bool)[:, None],
            summary=vector,
        )


class BottleneckConfig(EncoderConfig):
    """All of the source in one vector, around another encoder."""

    dim: int = Field(256, ge=1, description="width of the vector")
    encoder: EncoderConfig = Field(description="the encoder inside")

    def build(self, source: Stream) -> Bottleneck:
        """Make an encoder that reads this stream."""
        return Bottleneck(self.encoder.build(source), self.dim)
