"""Recurrent layers as a fold."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import nn

from anyseq.core import Encoder, Memory, Padded, Stream, Symbols, Vectors
from anyseq.errors import ConfigError
from anyseq.models.encoders.base import EncoderConfig
from anyseq.models.recurrent import RecurrentSettings
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import input_layer
from anyseq.nn.recurrent import RecurrentStack, Reversed


class RnnEncoder(Encoder):
    """A recurrent stack over the source.

    `memory.vectors` are the top layer's outputs, directions side by side; `memory.states` the states of all layers
    after the source's end; `memory.summary` is the top one's hidden vector. A stack that reads from left to right folds
    in pieces: `memory.carry` goes into the next call, and `states` and `summary` are those of all pieces so far.

    Args:
        embed: The input layer.
        stack: The recurrence.
        dropout: Share of the outputs dropped in training.
    """

    def __init__(self, embed: nn.Module, stack: RecurrentStack, dropout: float) -> None:
        super().__init__()
        self.embed, self.stack, self.dropout = embed, stack, Dropout(dropout)
        self.output_dim, self.state_dims = stack.output_dim, stack.state_dims
        self.summary_dim = self.state_dims[-1]["h"]

    def forward(self, source: Padded, carry: Any = None) -> Memory:
        """Fold a source, or its next piece.

        Raises:
            ValueError: a `carry` was given to a stack that reads the end before the beginning.
        """
        if carry is not None and not self.stack.causal:
            raise ValueError("this encoder reads both ways, or backwards: it cannot fold a source in pieces")
        vectors, state = self.stack(self.embed(source.values), source.valid, carry)
        states = self.stack.joined(state)
        top, _ = self.stack.named_layers[-1]
        return Memory(
            item=torch.arange(source.rows, device=source.valid.device),
            vectors=self.dropout(vectors),
            valid=source.valid,
            states=states,
            summary=states.get(top).h,
            carry=state if self.stack.causal else None,
        )


class RnnEncoderConfig(RecurrentSettings, EncoderConfig):
    """A recurrent encoder."""

    outline: ClassVar[tuple[str, ...]] = (*RecurrentSettings.outline, "bidirectional")

    embed_dim: int = Field(256, ge=0, description="width of the input vectors; 0: vectors are read as they come")
    bidirectional: bool = Field(True, description="read the source from both ends")
    reverse: bool = Field(
        False, description="read the source from back to front, the end symbol last (Sutskever 2014); not bidirectional"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.reverse and self.bidirectional:
            raise ValueError("reverse is for an encoder that reads one way: set bidirectional=false, or reverse=false")
        return self

    def build(self, source: Stream) -> RnnEncoder:
        """Make an encoder that reads this stream."""
        if not self.embed_dim and not isinstance(source, Vectors):
            raise ConfigError("model.encoder.embed_dim=0 reads vectors as they come, and the source's are symbols")
        layers = self.make_layers(self.embed_dim or source.dim, self.bidirectional)  # type: ignore[union-attr]
        embed = input_layer(source, self.embed_dim) if self.embed_dim else nn.Identity()
        kept = int(isinstance(source, Symbols))  # the end symbol
        return RnnEncoder(
            embed=embed,
            stack=Reversed(layers, kept) if self.reverse else RecurrentStack(layers),
            dropout=self.dropout,
        )
