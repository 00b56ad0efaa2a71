"""What a Transformer's encoder and decoder have in common: their settings and how the sublayers are made from them."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator
from torch import nn

from anyseq.core import PartConfig
from anyseq.nn.attention import SelfAttention
from anyseq.nn.positions import Learned, Rotary, Sinusoidal
from anyseq.nn.transformer import FeedForward, PostNorm, PreNorm, Residual


class TransformerSettings(PartConfig):
    """The shape of a stack of Transformer layers."""

    outline: ClassVar[tuple[str, ...]] = ("num_layers", "model_dim", "ffn_dim", "num_heads")

    model_dim: int = Field(256, ge=2, description="width of the vectors")
    ffn_dim: int = Field(1024, ge=1, description="inner width of the feed-forward layers")
    num_layers: int = Field(3, ge=1, description="layers in the stack")
    num_heads: int = Field(4, ge=1, description="attention heads; must divide model_dim")
    norm: Literal["pre", "post"] = Field("pre", description="layer norm before each sublayer, or after it")
    positions: Literal["sinusoidal", "learned", "rotary", "none"] = Field(
        "sinusoidal", description="how a place is known: sinusoidal, learned or rotary; none: the source is a set"
    )
    max_positions: int = Field(1024, ge=1, description="learned positions; places beyond share the last one")
    activation: Literal["relu", "gelu"] = Field("relu", description="inside the feed-forward layers: relu or gelu")
    dropout: float = Field(0.1, ge=0, lt=1, description="share dropped of the input and of each sublayer's output")
    ffn_dropout: float = Field(0.0, ge=0, lt=1, description="share dropped inside the feed-forward layers")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="share of attention weights dropped")

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.model_dim % self.num_heads:
            raise ValueError(
                f"num_heads {self.num_heads} does not divide model_dim {self.model_dim}: all are equally wide"
            )
        if self.positions == "sinusoidal" and self.model_dim % 2:
            raise ValueError(f"sinusoidal positions need an even model_dim, not {self.model_dim}")
        if self.positions == "rotary" and self.model_dim // self.num_heads % 2:
            raise ValueError(
                f"rotary positions turn pairs: model_dim / num_heads must be even, not "
                f"{self.model_dim // self.num_heads}"
            )
        return self

    def self_attention(self) -> SelfAttention:
        """One layer's self-attention."""
        return SelfAttention(self.model_dim, self.num_heads, self.attention_dropout)

    def feed_forward(self) -> FeedForward:
        """One layer's feed-forward."""
        return FeedForward(self.model_dim, self.ffn_dim, self.activation, self.ffn_dropout)

    def residual(self) -> Residual:
        """Makes the connection around a sublayer."""
        return partial(PreNorm if self.norm == "pre" else PostNorm, self.model_dim, self.dropout)

    def final_norm(self) -> nn.Module:
        """What ends the stack: a norm where the layers have theirs before their sublayers."""
        return nn.LayerNorm(self.model_dim) if self.norm == "pre" else nn.Identity()

    def position_layer(self) -> nn.Module | None:
        """What is added to the input for its positions; nothing in a set, or where queries and keys are rotated."""
        if self.positions == "sinusoidal":
            return Sinusoidal(self.model_dim)
        return Learned(self.model_dim, self.max_positions) if self.positions == "learned" else None

    def rotary(self) -> Rotary | None:
        """What rotates queries and keys by their positions; nothing where those are added to the input."""
        return Rotary(self.model_dim // self.num_heads) if self.positions == "rotary" else None
