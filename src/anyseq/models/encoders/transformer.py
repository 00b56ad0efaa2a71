"""The Transformer as a fold: every place of the source looks at every other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from anyseq.core import Encoder, Memory, Padded, Stream
from anyseq.models.encoders.base import EncoderConfig
from anyseq.models.transformer import TransformerSettings
from anyseq.nn.attention import bias_of
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import input_layer
from anyseq.nn.positions import Rotary
from anyseq.nn.transformer import EncoderLayer


class TransformerEncoder(Encoder):
    """A stack of self-attention layers over the whole source.

    `memory.vectors` are the top layer's, `memory.summary` their mean over the source.

    Args:
        embed: The input layer, `dim` wide.
        positions: Adds positions to the input, or None where the layers rotate.
        rotary: Rotates each layer's queries and keys by their positions, or None.
        layers: The stack, at least one.
        norm: Ends the stack.
        dim: Width of the vectors.
        dropout: Share of the input dropped in training.

    Source:
        Vaswani et al. 2017, arXiv:1706.03762.
    """

    def __init__(
        self,
        embed: nn.Module,
        positions: nn.Module | None,
        rotary: Rotary | None,
        layers: Sequence[EncoderLayer],
        norm: nn.Module,
        dim: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embed, self.positions, self.layers, self.norm = embed, positions, nn.ModuleList(layers), norm
        self.rotary, self.num_heads = rotary, layers[0].self_attention.num_heads
        self.dropout = Dropout(dropout)
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
        x = self.dropout(x if self.positions is None else self.positions(x, places))
        bias = bias_of(source.valid, x)[:, None].repeat_interleave(self.num_heads, 0)
        rotation = None if self.rotary is None else self.rotary(places, x)
        for layer in self.layers:
            x = layer(x, places, bias, rotation)
        vectors = self.norm(x)
        real = vectors.masked_fill(~source.valid[:, :, None], 0.0)
        return Memory(
            item=torch.arange(source.rows, device=x.device),
            vectors=vectors,
            valid=source.valid,
            summary=real.sum(1) / source.lengths[:, None],
        )


class TransformerEncoderConfig(TransformerSettings, EncoderConfig):
    """A Transformer encoder."""

    def build(self, source: Stream) -> TransformerEncoder:
        """Make an encoder that reads this stream."""
        return TransformerEncoder(
            embed=input_layer(source, self.model_dim),
            positions=self.position_layer(),
            rotary=self.rotary(),
            layers=[
                EncoderLayer(self.self_attention(), self.feed_forward(), self.residual())
                for _ in range(self.num_layers)
            ],
            norm=self.final_norm(),
            dim=self.model_dim,
            dropout=self.dropout,
        )
