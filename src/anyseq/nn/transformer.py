"""The Transformer's layers: sublayers, each with its residual connection and norm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor, nn

from anyseq.core import Tree
from anyseq.nn.attention import CrossAttention, SelfAttention, projection
from anyseq.nn.cache import Cache
from anyseq.nn.dropout import Dropout
from anyseq.nn.positions import Rotation

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU}
Norm = Literal["pre", "post"]


class FeedForward(nn.Module):
    """Two linear layers at each place.

    Args:
        dim: Width of the vectors.
        ffn_dim: Width between.
        activation: `relu` or `gelu`.
        dropout: Share of the inner vector dropped in training.
    """

    def __init__(self, dim: int, ffn_dim: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.into, self.out = projection(dim, ffn_dim), projection(ffn_dim, dim)
        self.activation, self.dropout = ACTIVATIONS[activation](), Dropout(dropout)

    def forward(self, x: Float[Tensor, "*place dim"]) -> Float[Tensor, "*place dim"]:
        """Transform each place by itself."""
        return self.out(self.dropout(self.activation(self.into(x))))


class PreNorm(nn.Module):
    """x + sublayer(norm(x)): trains without care; the stack needs a norm of its own at the end.

    Source:
        Nguyen and Salazar 2019, arXiv:1910.05895, equation 3.
    """

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.dropout = nn.LayerNorm(dim), Dropout(dropout)

    def enter(self, x: Tensor) -> Tensor:
        """What the sublayer reads."""
        return self.norm(x)

    def leave(self, x: Tensor, y: Tensor) -> Tensor:
        """What the next sublayer is given, y being this one's output."""
        return x + self.dropout(y)


class PostNorm(PreNorm):
    """norm(x + sublayer(x)): the original; needs warm-up.

    Source:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.1.
    """

    def enter(self, x: Tensor) -> Tensor:
        """What the sublayer reads."""
        return x

    def leave(self, x: Tensor, y: Tensor) -> Tensor:
        """What the next sublayer is given."""
        return self.norm(x + self.dropout(y))


Residual = Callable[[], PreNorm]


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward.

    Args:
        self_attention: The first sublayer.
        feed_forward: The second.
        residual: Makes the connection around each (`PreNorm`, `PostNorm`).
    """

    def __init__(self, self_attention: SelfAttention, feed_forward: FeedForward, residual: Residual) -> None:
        super().__init__()
        self.self_attention, self.feed_forward = self_attention, feed_forward
        self.around_self, self.around_feed_forward = residual(), residual()

    def forward(
        self,
        x: Float[Tensor, "row time dim"],
        positions: Int[Tensor, "#row time"],
        bias: Tensor,
        rotation: Rotation | None = None,
    ) -> Float[Tensor, "row time dim"]:
        """Transform a sequence; `bias` hides padding."""
        read, _ = self.self_attention(self.around_self.enter(x), positions, bias, rotation=rotation)
        x = self.around_self.leave(x, read)
        return self.around_feed_forward.leave(x, self.feed_forward(self.around_feed_forward.enter(x)))


class DecoderLayer(nn.Module):
    """Self-attention to the past, attention to the memory, feed-forward.

    Args:
        self_attention: The first sublayer.
        cross_attention: The second; None where there is no memory.
        feed_forward: The third.
        residual: Makes the connection around each.
    """

    def __init__(
        self,
        self_attention: SelfAttention,
        cross_attention: CrossAttention | None,
        feed_forward: FeedForward,
        residual: Residual,
    ) -> None:
        super().__init__()
        self.self_attention, self.cross_attention = self_attention, cross_attention
        self.feed_forward = feed_forward
        self.around_self, self.around_feed_forward = residual(), residual()
        self.around_cross = None if cross_attention is None else residual()

    def forward(
        self,
        x: Float[Tensor, "row time dim"],
        positions: Int[Tensor, "#row time"],
        bias: Tensor | None,
        cache: Cache | None,
        layer: int,
        prepared: Tree | None,
        memory_bias: Tensor | None,
        rotation: Rotation | None = None,
    ) -> tuple[Tensor, Tensor, Callable[[], Tensor] | None]:
        """Transform new places.

        Returns:
            The output, this layer's buffer for the next cache, and how to get the weights over the source, if any.
        """
        read, buffer = self.self_attention(self.around_self.enter(x), positions, bias, cache, layer, rotation)
        x = self.around_self.leave(x, read)
        weights = None
        if self.cross_attention is not None and self.around_cross is not None:
            found, weights = self.cross_attention(self.around_cross.enter(x), prepared, memory_bias)
            x = self.around_cross.leave(x, found)
        x = self.around_feed_forward.leave(x, self.feed_forward(self.around_feed_forward.enter(x)))
        return x, buffer, weights
