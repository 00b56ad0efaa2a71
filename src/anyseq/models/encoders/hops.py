"""A memory network as a fold: the last sentence, the question, looks at those before it, again and again."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Encoder, Memory, Padded, Stream
from anyseq.models.encoders.base import EncoderConfig
from anyseq.nn.attention import bias_of
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import input_layer
from anyseq.nn.positions import Learned
from anyseq.nn.taps import tap

_FADING = 0.1  # nats by which a score falls with every sentence further back, at first


class Hop(nn.Module):
    """One look: query + V Σ_i p_i m_i with p = softmax_i((K query) · m_i).

    K and V begin as the identity: what has words in common with the query is looked at from the start, and its other
    words are looked for next. From random ones a model finds that out after a long time, or never.

    Args:
        dim: Width of the vectors.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.key, self.value = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
        for layer in (self.key, self.value):
            nn.init.eye_(layer.weight)

    def forward(
        self,
        query: Float[Tensor, "source query dim"],
        vectors: Float[Tensor, "source time dim"],
        bias: Float[Tensor, "source query time"],
    ) -> Float[Tensor, "source query dim"]:
        """The queries, and what they found; `bias` is -inf where nothing may be read."""
        scores = torch.baddbmm(bias, self.key(query), vectors.transpose(1, 2))
        weights = scores.softmax(-1)
        tap(self, "weights", lambda: weights[:, None])
        return query + self.value(weights.bmm(vectors))


class LookBack(nn.Module):
    """Every sentence looks at those before it: a hop whose scores also know how far back a sentence is.

    So a sentence learns what was true before it: where somebody came from who went somewhere. At first it prefers what
    is near, and adds nothing (V = 0).

    Args:
        dim: Width of the vectors.
        max_positions: Distances that are told apart.
    """

    def __init__(self, dim: int, max_positions: int) -> None:
        super().__init__()
        self.hop = Hop(dim)
        nn.init.zeros_(self.hop.value.weight)
        self.near = nn.Parameter(-_FADING * torch.arange(max_positions).to(torch.get_default_dtype()))

    def forward(self, vectors: Float[Tensor, "source time dim"]) -> Float[Tensor, "source time dim"]:
        """The sentences, each with what it found; the first one looks at itself."""
        places = torch.arange(vectors.shape[1], device=vectors.device)
        back = places[:, None] - places
        allowed = (back > 0) | ((places == 0)[:, None] & (back == 0))
        bias = self.near[back.clamp(0, len(self.near) - 1)].masked_fill(~allowed, -torch.inf)
        return self.hop(vectors, vectors, bias.expand(len(vectors), -1, -1))


class HopsEncoder(Encoder):
    """The last sentence of a source looks at the others in several hops; what it found is `memory.summary`.

    A place is a sentence, and knows how many stand between it and the last. `memory.vectors` are the sentences', as
    they were before any hop; at the last one's place stands what it found. One that stands alone looks at itself.

    Args:
        embed: Makes a vector of a sentence, `dim` wide.
        back: Looks of every sentence at those before it; may be none.
        positions: Adds how far a sentence is from the last.
        hops: Looks of the last sentence, at least one.
        dim: Width of the vectors.
        dropout: Share of the sentences' vectors dropped in training.

    Source:
        Sukhbaatar et al. 2015, arXiv:1503.08895. In theirs every hop has an embedding of its own, shared with its
        neighbours; here one embedding is seen through each hop's K and V. Looks back are not in theirs.
    """

    def __init__(
        self,
        embed: nn.Module,
        back: nn.ModuleList,
        positions: Learned,
        hops: nn.ModuleList,
        dim: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embed, self.back, self.positions, self.hops = embed, back, positions, hops
        self.dropout = Dropout(dropout)
        self.output_dim = self.summary_dim = dim

    def forward(self, source: Padded, carry: Any = None) -> Memory:
        """Fold a whole source; its last place is the end, the one before it the last sentence.

        Raises:
            ValueError: a `carry` was given: the last sentence comes first, so there is no folding in pieces.
        """
        if carry is not None:
            raise ValueError("this encoder begins with the last sentence: it cannot fold a source in pieces")
        places = torch.arange(source.valid.shape[1], device=source.valid.device)[None]
        last = (source.lengths - 2).clamp(min=0)[:, None]
        vectors = self.dropout(self.embed(source.values))
        asking = last[:, :, None].expand(-1, -1, self.output_dim)
        query = vectors.gather(1, asking)
        for look in self.back:
            vectors = look(vectors)
        vectors = self.positions(vectors, (last - places).clamp(min=0))
        bias = bias_of((places < last) | ((places == 0) & (last == 0)), vectors)[:, None]
        for hop in self.hops:
            query = hop(query, vectors, bias)
        item = torch.arange(source.rows, device=vectors.device)
        return Memory(
            item=item, vectors=vectors.scatter(1, asking, query), valid=source.valid, summary=query[:, 0]
        )


class HopsEncoderConfig(EncoderConfig):
    """A memory network over sentences: the last one asks, the others are looked at in several hops."""

    model_dim: int = Field(64, ge=1, description="width of the vectors")
    looks_back: int = Field(1, ge=0, description="looks of every sentence at those before it, before the hops")
    hops: int = Field(3, ge=1, description="looks of the last sentence, each knowing what those before it found")
    max_positions: int = Field(64, ge=1, description="distances between sentences; those beyond share one")
    dropout: float = Field(0.0, ge=0, lt=1, description="share dropped of the sentences' vectors")

    def build(self, source: Stream) -> HopsEncoder:
        """Make an encoder that reads this stream; its places should be sentences."""
        dim, most = self.model_dim, self.max_positions
        return HopsEncoder(
            embed=input_layer(source, dim),
            back=nn.ModuleList(LookBack(dim, most) for _ in range(self.looks_back)),
            positions=Learned(dim, most),
            hops=nn.ModuleList(Hop(dim) for _ in range(self.hops)),
            dim=dim,
            dropout=self.dropout,
        )
