"""Recurrent layers as a fold."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import nn

from anyseq.core import Encoder, Memory, Padded, Stream
from anyseq.models.encoders.base import EncoderConfig
from anyseq.models.recurrent import RecurrentSettings
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import input_layer
from anyseq.nn.recurrent import RecurrentStack


class RnnEncoder(Encoder):
    """A recurrent stack over the source.

    `memory.vectors` are the top layer's outputs, directions side by side; `memory.summary` is its state after the
    source's end. A stack that reads from left to right folds in pieces: `memory.carry` goes into the next call, and
    `summary` is that of all pieces so far.

    Args:
        embed: The input layer.
        stack: The recurrence.
        dropout: Share of the outputs dropped in training.
    """

    def __init__(self, embed: nn.Module, stack: RecurrentStack, dropout: float) -> None:
        super().__init__()
        self.embed, self.stack, self.dropout = embed, stack, Dropout(dropout)
        self.output_dim = self.summary_dim = stack.output_dim

    def forward(self, source: Padded, carry: Any = None) -> Memory:
        """Fold a source, or its next piece.

        Raises:
            ValueError: a `carry` was given to a stack that reads both ways.
        """
        if carry is not None and not self.stack.causal:
            raise ValueError("this encoder reads both ways: it cannot fold a source in pieces")
        vectors, state = self.stack(self.embed(source.values), source.valid, carry)
        return Memory(
            item=torch.arange(source.rows, device=source.valid.device),
            vectors=self.dropout(vectors),
            valid=source.valid,
            summary=self.stack.final(state),
            carry=state if self.stack.causal else None,
        )


class RnnEncoderConfig(RecurrentSettings, EncoderConfig):
    """A recurrent encoder."""

    outline: ClassVar[tuple[str, ...]] = (*RecurrentSettings.outline, "bidirectional")

    bidirectional: bool = Field(True, description="read the source from both ends")

    def build(self, source: Stream) -> RnnEncoder:
        """Make an encoder that reads this stream."""
        return RnnEncoder(
            embed=input_layer(source, self.embed_dim),
            stack=self.make_stack(self.embed_dim, self.bidirectional),
            dropout=self.dropout,
        )
