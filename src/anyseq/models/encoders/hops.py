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
        query: Float[Tensor, "source dim"],
        vectors: Float[Tensor, "source time dim"],
        bias: Float[Tensor, "source time"],
    ) -> Float[Tensor, "source dim"]:
        """The query, and what it found; `bias` is -inf where nothing may be read."""
        scores = torch.baddbmm(bias[:, None], self.key(query)[:, None], vectors.transpose(1, 2))
        return query + self.value(scores.softmax(-1).bmm(vectors).squeeze(1))


class HopsEncoder(Encoder):
    """The last sentence of a source looks at the others in several hops; what it found is `memory.summary`.

    A place is a sentence, and knows how many stand between it and the last. `memory.vectors` are the sentences', as
    they were before any hop. A sentence that stands alone looks at itself.

    Args:
        embed: Makes a vector of a sentence.
        positions: Adds how far a sentence is from the last.
        dim: Width of the vectors.
        hops: Looks.
        dropout: Share of the sentences' vectors dropped in training.

    Source:
        Sukhbaatar et al. 2015, arXiv:1503.08895. In theirs every hop has an embedding of its own, shared with its
        neighbours; here one embedding is seen through each hop's K and V.
    """

    def __init__(self, embed: nn.Module, positions: Learned, dim: int, hops: int, dropout: float) -> None:
        super().__init__()
        self.embed, self.positions, self.dropout = embed, positions, Dropout(dropout)
        self.hops = nn.ModuleList(Hop(dim) for _ in range(hops))
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
        embedded = self.dropout(self.embed(source.values))
        vectors = self.positions(embedded, (last - places).clamp(min=0))
        query = embedded.gather(1, last[:, :, None].expand(-1, -1, self.output_dim)).squeeze(1)
        bias = bias_of((places < last) | ((places == 0) & (last == 0)), vectors)
        for hop in self.hops:
            query = hop(query, vectors, bias)
        return Memory(
            item=torch.arange(source.rows, device=vectors.device), vectors=vectors, valid=source.valid, summary=query
        )


class HopsEncoderConfig(EncoderConfig):
    """A memory network over sentences: the last one asks, the others are looked at in several hops."""

    model_dim: int = Field(64, ge=1, description="width of the vectors")
    hops: int = Field(3, ge=1, description="looks at the sentences, each knowing what those before it found")
    max_positions: int = Field(64, ge=1, description="distances from the last sentence; those beyond share one")
    dropout: float = Field(0.0, ge=0, lt=1, description="share dropped of the sentences' vectors")

    def build(self, source: Stream) -> HopsEncoder:
        """Make an encoder that reads this stream; its places should be sentences."""
        return HopsEncoder(
            embed=input_layer(source, self.model_dim),
            positions=Learned(self.model_dim, self.max_positions),
            dim=self.model_dim,
            hops=self.hops,
            dropout=self.dropout,
        )
