"""Segments of a series as the places of any encoder."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Encoder, Memory, Padded, Stream, Vectors
from anyseq.errors import ConfigError
from anyseq.models.encoders.base import EncoderConfig


class Segments(Encoder):
    """Each segment of the source becomes one vector, relu(W x + b), and these an encoder's source.

    Segments end where the source does; before its beginning stand zeros.

    Args:
        encoder: Reads vectors of `dim`.
        length: Places of a segment.
        source_dim, dim: Width of the source's vectors, and of a segment's.

    Source:
        Lin et al. 2023, arXiv:2308.11200 (SegRNN), section 3.2; Nie et al. 2022, arXiv:2211.14730 (patches).
    """

    placed: ClassVar[bool] = False

    def __init__(self, encoder: Encoder, length: int, source_dim: int, dim: int) -> None:
        super().__init__()
        self.encoder, self.length = encoder, length
        self.embed = nn.Sequential(nn.Linear(length * source_dim, dim), nn.ReLU())
        self.output_dim, self.summary_dim = encoder.output_dim, encoder.summary_dim
        self.state_dims = encoder.state_dims

    def forward(self, source: Padded, carry: Any = None) -> Memory:
        """Fold a source; with `carry`, its next piece is refused.

        Raises:
            ValueError: a `carry` was given.
        """
        if carry is not None:
            raise ValueError("segments end with the source: it is not folded in pieces")
        memory: Memory = self.encoder(self._cut(source))
        return memory

    def _cut(self, source: Padded) -> Padded:
        lengths = source.lengths
        counts = -(-lengths // self.length)
        most = int(counts.max())
        place = torch.arange(most * self.length, device=lengths.device) - (counts * self.length - lengths)[:, None]
        there = (place >= 0) & (place < lengths[:, None])
        inside = place.clamp(0, source.values.shape[1] - 1)[:, :, None].expand(-1, -1, source.values.shape[2])
        values: Float[Tensor, "row place value"] = source.values.gather(1, inside).masked_fill(~there[:, :, None], 0.0)
        valid = torch.arange(most, device=lengths.device) < counts[:, None]
        return Padded(self.embed(values.reshape(source.rows, most, -1)), valid)


class SegmentsConfig(EncoderConfig):
    """Segments of vectors as the places of another encoder."""

    length: int = Field(24, ge=1, description="places of a segment")
    dim: int = Field(128, ge=1, description="width of a segment's vector")
    encoder: EncoderConfig = Field(description="the encoder that reads them")

    def build(self, source: Stream) -> Segments:
        """Make an encoder that reads this stream.

        Raises:
            ConfigError: it is of symbols.
        """
        if not isinstance(source, Vectors):
            raise ConfigError("model.encoder.kind=segments cuts series into pieces, and the source's are symbols")
        return Segments(self.encoder.build(Vectors(self.dim)), self.length, source.dim, self.dim)
