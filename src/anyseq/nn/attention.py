"""Multi-head scaled dot-product attention: over one's own sequence, and over a memory that several rows share."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from anyseq.core import Tree
from anyseq.nn.cache import Cache
from anyseq.nn.dropout import Dropout
from anyseq.nn.positions import Rotation
from anyseq.nn.taps import tap

# On a CPU three plain products are 2.5 times as fast as the fused kernel while the table is small; the kernel never
# builds the table, so beyond this many keys, and on other devices, it takes over.
LONGEST_EXPLICIT = 256


def attend(
    query: Float[Tensor, "batch query dim"],
    key: Float[Tensor, "batch key dim"],
    value: Float[Tensor, "batch key dim"],
    bias: Float[Tensor, "#batch #query key"] | None,
    dropout: Dropout,
) -> tuple[Float[Tensor, "batch query dim"], Float[Tensor, "batch query key"]]:
    """The textbook: softmax(query keyᵀ / sqrt(dim) + bias) value, and the weights.

    Args:
        query: What looks, heads in the batch axis.
        key: What is looked at.
        value: What is taken over.
        bias: 0 where a query may look, -inf where not; every query may look somewhere. None: everywhere.
        dropout: Falls on the weights.

    Source:
        Vaswani et al. 2017, arXiv:1706.03762, equation 1.
    """
    scale = query.shape[-1] ** -0.5
    if bias is None:
        scores = torch.bmm(query * scale, key.transpose(1, 2))
    else:
        scores = torch.baddbmm(bias, query, key.transpose(1, 2), alpha=scale)
    weights = scores.softmax(-1)
    return torch.bmm(dropout(weights), value), weights


def attend_fused(
    query: Float[Tensor, "batch query dim"],
    key: Float[Tensor, "batch key dim"],
    value: Float[Tensor, "batch key dim"],
    bias: Float[Tensor, "#batch #query key"] | None,
    dropout: Dropout,
) -> Float[Tensor, "batch query dim"]:
    """The same output by the fused kernel, which never builds the table."""
    share = dropout.threshold / 256 if dropout.training else 0.0
    # All rows and heads as the heads of one batch: with three axes torch falls back to building the table, unasked.
    bias = None if bias is None else bias[None]
    return F.scaled_dot_product_attention(query[None], key[None], value[None], attn_mask=bias, dropout_p=share)[0]


def bias_of(allowed: Bool[Tensor, "*shape"], like: Tensor) -> Float[Tensor, "*shape"]:
    """0 where True, -inf where False, in the type of `like`."""
    return torch.zeros(allowed.shape, dtype=like.dtype, device=like.device).masked_fill_(~allowed, -torch.inf)


class _Heads(nn.Module):
    """What both attentions share: heads, the choice of kernel, the way out."""

    def __init__(self, dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"model_dim {dim} is no multiple of num_heads {num_heads}")
        self.num_heads, self.head_dim = num_heads, dim // num_heads
        self.out = projection(dim, dim)
        self.dropout = Dropout(dropout)

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Callable[[], Tensor]]:
        """Also return how to get at the weights, for whoever wants to see them."""
        if query.device.type == "cpu" and key.shape[1] <= LONGEST_EXPLICIT:
            read, weights = attend(query, key, value, bias, self.dropout)
            return read, lambda: weights
        read = attend_fused(query, key, value, bias, self.dropout)
        return read, lambda: attend(query, key, value, bias, self.dropout)[1]


def projection(from_dim: int, to_dim: int, parts: int = 1) -> nn.Linear:
    """A linear layer, Xavier-uniform in each of its stacked parts, with zero bias."""
    layer = nn.Linear(from_dim, to_dim * parts)
    for part in layer.weight.data.split(to_dim):
        nn.init.xavier_uniform_(part)
    nn.init.zeros_(layer.bias)
    return layer


class SelfAttention(_Heads):
    """Every place looks at the places of its own row.

    Args:
        dim: Width of the vectors.
        num_heads: Heads, each dim / num_heads wide.
        dropout: Share of attention weights dropped in training.
    """

    def __init__(self, dim: int, num_heads: int, dropout: float) -> None:
        super().__init__(dim, num_heads, dropout)
        self.query_key_value = projection(dim, dim, parts=3)

    def forward(
        self,
        x: Float[Tensor, "row time dim"],
        positions: Int[Tensor, "#row time"],
        bias: Float[Tensor, "#batch #time key"] | None,
        cache: Cache | None = None,
        layer: int = 0,
        rotation: Rotation | None = None,
    ) -> tuple[Float[Tensor, "row time dim"], Float[Tensor, "slot 2 row dim"]]:
        """Attend from new places to those in the cache and to each other.

        Args:
            x: The new places.
            positions: Their positions.
            bias: 0 where a place may look, -inf where not; batch is 1 or row * num_heads; keys are the cache's
                slots and the new places. None: everywhere.
            cache: What came before, or None.
            layer: Which of the cache's layers this is.
            rotation: Of the new places, or None.

        Returns:
            The output, and the layer's buffer for the next cache (a view, as long as nothing came before).
        """
        rows, time, dim = x.shape
        fused = self.query_key_value(x).view(rows, time, 3, dim)
        query, both = fused[:, :, 0], fused[:, :, 1:]
        if rotation is not None:
            turned = rotation(fused[:, :, :2].view(rows, time, -1, self.head_dim)).view(rows, time, 2, dim)
            query, both = turned[:, :, 0], torch.stack([turned[:, :, 1], fused[:, :, 2]], 2)
        new = both.permute(1, 2, 0, 3)
        buffer = new if cache is None else cache.extend(layer, new, positions.expand(rows, -1).t())
        seen = buffer[: time if cache is None else cache.filled + time]
        query, key, value = (self._split(part) for part in (query.transpose(0, 1), seen[:, 0], seen[:, 1]))
        read, look = self._attend(query, key, value, bias)
        tap(self, "weights", lambda: look().view(rows, self.num_heads, time, -1))
        joined = read.view(rows, self.num_heads, time, self.head_dim).transpose(1, 2).reshape(rows, time, dim)
        return self.out(joined), buffer

    def _split(self, vectors: Tensor) -> Tensor:
        """[time, row, dim] to [row * head, time, part]; no copy where the buffer is a cache's own."""
        time, rows, _ = vectors.shape
        parts = vectors.view(time, rows, self.num_heads, self.head_dim).permute(1, 2, 0, 3)
        return parts.reshape(rows * self.num_heads, time, self.head_dim)


class CrossAttention(_Heads):
    """Every place looks at the memory of its source, which rows of the same source share.

    Args:
        dim: Width of what looks.
        memory_dim: Width of `memory.vectors`.
        num_heads: Heads, each dim / num_heads wide.
        dropout: Share of attention weights dropped in training.
    """

    def __init__(self, dim: int, memory_dim: int, num_heads: int, dropout: float) -> None:
        super().__init__(dim, num_heads, dropout)
        self.query = projection(dim, dim)
        self.key_value = projection(memory_dim, dim, parts=2)

    def prepare(self, vectors: Float[Tensor, "source time memory_dim"]) -> Tree:
        """Keys and values, [source, head, time, part]: once per source."""
        sources, time, _ = vectors.shape
        both = self.key_value(vectors).view(sources, time, 2, self.num_heads, self.head_dim)
        key, value = both.permute(2, 0, 3, 1, 4).contiguous().unbind(0)
        return Tree(key=key, value=value)

    def forward(
        self, x: Float[Tensor, "row time dim"], prepared: Tree, bias: Float[Tensor, "source head #query key"]
    ) -> tuple[Float[Tensor, "row time dim"], Callable[[], Tensor]]:
        """Attend from each row to its source: row r looks at source r // (row / source).

        The rows of a source are folded into the query axis, so nothing of the memory is copied.

        Args:
            x: What looks.
            prepared: What `prepare` made.
            bias: 0 where a query (the rows of a source one behind the other, each with its times) may look, -inf
                elsewhere.

        Returns:
            The output, and how to get the weights, mean over heads: Float[row, time, key].
        """
        rows, time, dim = x.shape
        sources = prepared.key.shape[0]
        queries = rows // sources * time
        query = self.query(x).view(sources, queries, self.num_heads, self.head_dim).transpose(1, 2)
        key, value = prepared.key.flatten(0, 1), prepared.value.flatten(0, 1)
        read, look = self._attend(query.reshape(-1, queries, self.head_dim), key, value, bias.flatten(0, 1))
        joined = read.view(sources, self.num_heads, queries, self.head_dim).transpose(1, 2).reshape(rows, time, dim)

        def by_head() -> Tensor:
            return look().view(sources, self.num_heads, queries, -1)

        def weights() -> Tensor:
            return by_head().mean(1).view(rows, time, -1)

        tap(self, "weights", lambda: by_head().unflatten(2, (-1, time)).transpose(1, 2).flatten(0, 1))
        return self.out(joined), weights
