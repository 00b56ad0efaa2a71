"""Gated convolutions as a fold: every place of the source looks at those around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from anyseq.core import Encoder, Memory, Padded, Stream
from anyseq.models.conv import ConvSettings
from anyseq.models.encoders.base import EncoderConfig
from anyseq.nn.convolution import CentredBlock
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import input_layer


class ConvEncoder(Encoder):
    """A stack of gated convolutions over the whole source.

    `memory.vectors` are the stack's outputs z, `memory.embedded` the inputs e with their positions, as wide, for
    decoders that want to read what exactly stood at a place; `memory.summary` is the mean of z over the source.

    Args:
        embed: The input layer, `dim` wide.
        positions: Adds positions to the input.
        bottom: From `dim` to the width of the layers; zeros stay zero.
        layers: The stack, at least one.
        top: Ends it; back to `dim`.
        dim: Width of e and z.
        dropout: Share of the input dropped in training.

    Source:
        Gehring et al. 2017, arXiv:1705.03122, section 3; the layers' differences stand with `CentredBlock`. The
        gradients of the encoder are not divided by the number of attentions (section 3.4): AdamW would undo it.
    """

    def __init__(
        self,
        embed: nn.Module,
        positions: nn.Module,
        bottom: nn.Module,
        layers: Sequence[CentredBlock],
        top: nn.Module,
        dim: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embed, self.positions, self.bottom, self.top = embed, positions, bottom, top
        self.layers, self.dropout = nn.ModuleList(layers), Dropout(dropout)
        self.output_dim = self.summary_dim = dim

    def forward(self, source: Padded, carry: Any = None) -> Memory:
        """Fold a whole source.

        Raises:
            ValueError: a `carry` was given: every place looks both ways, so there is no folding in pieces.
        """
        if carry is not None:
            raise ValueError("this encoder looks both ways: it cannot fold a source in pieces")
        places = torch.arange(source.valid.shape[1], device=source.valid.device)[None]
        x = self.embed(source.values) * self.output_dim**0.5
        real = source.valid[:, :, None].to(x.dtype)
        embedded = self.dropout(self.positions(x, places)) * real
        x = self.bottom(embedded)
        for layer in self.layers:
            x = layer(x, real)
        vectors = self.top(x)
        return Memory(
            item=torch.arange(source.rows, device=x.device),
            vectors=vectors,
            valid=source.valid,
            summary=(vectors * real).sum(1) / source.lengths[:, None],
            embedded=embedded,
        )


class ConvEncoderConfig(ConvSettings, EncoderConfig):
    """A convolutional encoder."""

    def build(self, source: Stream) -> ConvEncoder:
        """Make an encoder that reads this stream."""
        return ConvEncoder(
            embed=input_layer(source, self.embed_dim),
            positions=self.position_layer(),
            bottom=self.bottom(),
            layers=[
                CentredBlock(self.hidden_dim, self.kernel_width, self.dropout) for _ in range(self.num_layers)
            ],
            top=self.top(),
            dim=self.embed_dim,
            dropout=self.dropout,
        )
