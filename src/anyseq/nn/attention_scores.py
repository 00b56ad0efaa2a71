"""How well a decoder's vector fits each place of the source: dot, general, additive; where it may look; reading."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from anyseq.core import Memory
from anyseq.nn.attention import bias_of
from anyseq.nn.taps import tap


class Scores(nn.Module, ABC):
    """score(query, source place), in two parts: what the source alone settles, and the rest.

    Args:
        query_dim: Width of what looks.
        vectors_dim: Width of `memory.vectors`.
    """

    def __init__(self, query_dim: int, vectors_dim: int) -> None:
        super().__init__()
        self.query_dim, self.vectors_dim = query_dim, vectors_dim

    @abstractmethod
    def keys(self, vectors: Float[Tensor, "source time vectors_dim"]) -> Float[Tensor, "source time key_dim"]:
        """What is compared with, once per source."""

    def forward(
        self,
        query: Float[Tensor, "source query query_dim"],
        keys: Float[Tensor, "source time key_dim"],
        bias: Float[Tensor, "source #query time"],
    ) -> Float[Tensor, "source query time"]:
        """Scores (here queryᵀ key) plus `bias`, which is -inf where nothing may be read."""
        return torch.baddbmm(bias, query, keys.transpose(1, 2))


class DotScores(Scores):
    """queryᵀ vector.

    Source:
        Luong et al. 2015, arXiv:1508.04025, equation 8, `dot`.
    """

    def __init__(self, query_dim: int, vectors_dim: int) -> None:
        super().__init__(query_dim, vectors_dim)
        if query_dim != vectors_dim:
            raise ValueError(f"dot scores need a query as wide as the memory, not {query_dim} and {vectors_dim}")

    def keys(self, vectors: Float[Tensor, "source time vectors_dim"]) -> Float[Tensor, "source time key_dim"]:
        """The vectors."""
        return vectors


class GeneralScores(Scores):
    """queryᵀ W vector.

    Source:
        Luong et al. 2015, arXiv:1508.04025, equation 8, `general`.
    """

    def __init__(self, query_dim: int, vectors_dim: int) -> None:
        super().__init__(query_dim, vectors_dim)
        self.key = nn.Linear(vectors_dim, query_dim, bias=False)
        nn.init.xavier_uniform_(self.key.weight)

    def keys(self, vectors: Float[Tensor, "source time vectors_dim"]) -> Float[Tensor, "source time key_dim"]:
        """W vector."""
        return self.key(vectors)


class AdditiveScores(Scores):
    """vᵀ tanh(W query + U vector + b).

    Args:
        query_dim: Width of what looks.
        vectors_dim: Width of `memory.vectors`.
        dim: Width of the sum. The table [query, time, dim] is built: keep it moderate.

    Source:
        Bahdanau et al. 2015, arXiv:1409.0473, section A.1.2. Theirs has no b, and starts with v = 0.
    """

    def __init__(self, query_dim: int, vectors_dim: int, dim: int) -> None:
        super().__init__(query_dim, vectors_dim)
        self.query = nn.Linear(query_dim, dim, bias=False)
        self.key = nn.Linear(vectors_dim, dim)
        self.value = nn.Parameter(torch.empty(dim).uniform_(-1, 1) * dim**-0.5)
        nn.init.xavier_uniform_(self.query.weight)
        nn.init.xavier_uniform_(self.key.weight)
        nn.init.zeros_(self.key.bias)

    def keys(self, vectors: Float[Tensor, "source time vectors_dim"]) -> Float[Tensor, "source time key_dim"]:
        """U vector + b."""
        return self.key(vectors)

    def forward(
        self,
        query: Float[Tensor, "source query query_dim"],
        keys: Float[Tensor, "source time key_dim"],
        bias: Float[Tensor, "source #query time"],
    ) -> Float[Tensor, "source query time"]:
        """vᵀ tanh(W query + key) + bias."""
        return torch.tanh(self.query(query)[:, :, None] + keys[:, None]) @ self.value + bias


class Focus(nn.Module, ABC):
    """Where a query may look, and where it looks less: a bias on the scores."""

    def prepare(self, memory: Memory) -> Memory:
        """Add, once per source, what no query changes."""
        return memory

    @abstractmethod
    def forward(
        self, query: Float[Tensor, "source query query_dim"], memory: Memory
    ) -> Float[Tensor, "source #query time"]:
        """What is added to the scores; -inf where nothing may be read."""


class Everywhere(Focus):
    """All of the source: Luong's global attention."""

    def forward(
        self, query: Float[Tensor, "source query query_dim"], memory: Memory
    ) -> Float[Tensor, "source #query time"]:
        """The places of each source."""
        return memory.readable


class AroundPredicted(Focus):
    """The places s within D of a predicted one, p, weighted by a Gaussian around it: Luong's local-p attention.

    p = S σ(vᵀ tanh(W query)) with S the length of that source; the weights are those of the scores times
    exp(-(s - p)² / (2 (D/2)²)), divided by their sum. The papers' are not divided, so that less is read the further p
    is from where the scores look; here weights stay a distribution, as coverage, alignments and pictures want them.

    Args:
        query_dim: Width of what looks.
        window: D, in places.

    Source:
        Luong et al. 2015, arXiv:1508.04025, equations 9 and 10. They do not say how s is counted; here from 0.
    """

    def __init__(self, query_dim: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.query, self.place = nn.Linear(query_dim, query_dim, bias=False), nn.Linear(query_dim, 1, bias=False)
        nn.init.xavier_uniform_(self.query.weight)
        nn.init.xavier_uniform_(self.place.weight)

    def prepare(self, memory: Memory) -> Memory:
        """Add the sources' lengths."""
        return memory.replace(lengths=memory.valid.sum(1).to(memory.vectors.dtype))

    def forward(
        self, query: Float[Tensor, "source query query_dim"], memory: Memory
    ) -> Float[Tensor, "source #query time"]:
        """The logarithm of the Gaussian. D is at least 1, so there is always a place within."""
        predicted = memory.lengths[:, None, None] * self.place(self.query(query).tanh()).sigmoid()
        distance = torch.arange(memory.valid.shape[1], device=query.device) - predicted
        bias = memory.readable - 2 / self.window**2 * distance.square()
        return bias.masked_fill(distance.abs() > self.window, -torch.inf)


class Reader(nn.Module):
    """h~ = tanh(W_c c + W_h h + b) with c = Σ_j softmax_j(score(h, m_j)) m_j: attention after the recurrence.

    W_c is applied to the source, once, instead of to every c: the same by linearity.

    Args:
        scores: How h and the source are compared.
        focus: Where h may look.
        output_dim: Width of h~.

    Source:
        Luong et al. 2015, arXiv:1508.04025, equation 5 (theirs has no b).
    """

    def __init__(self, scores: Scores, focus: Focus, output_dim: int) -> None:
        super().__init__()
        self.scores, self.focus, self.output_dim = scores, focus, output_dim
        self.hidden = nn.Linear(scores.query_dim, output_dim)
        self.value = nn.Linear(scores.vectors_dim, output_dim, bias=False)
        nn.init.xavier_uniform_(self.hidden.weight)
        nn.init.zeros_(self.hidden.bias)
        nn.init.xavier_uniform_(self.value.weight)

    def prepare(self, memory: Memory) -> Memory:
        """Add keys, values and the places that may be read, once per source."""
        memory = memory.replace(
            keys=self.scores.keys(memory.vectors),
            values=self.value(memory.vectors),
            readable=bias_of(memory.valid, memory.vectors)[:, None],
        )
        return self.focus.prepare(memory)

    def forward(
        self, h: Float[Tensor, "row time query_dim"], memory: Memory
    ) -> tuple[Float[Tensor, "row time output_dim"], Float[Tensor, "row time source_time"]]:
        """Read the source of each row: row r that of source r // (row / source).

        The rows of a source are folded into the query axis, so nothing of the memory is copied.

        Args:
            h: The recurrence's outputs.
            memory: Prepared.

        Returns:
            h~, and the weights.
        """
        rows, time, dim = h.shape
        sources = memory.rows
        queries = rows // sources * time
        query = h.reshape(sources, queries, dim)
        weights = self.scores(query, memory.keys, self.focus(query, memory)).softmax(-1)
        own = self.hidden(h).view(sources, queries, self.output_dim)
        read = torch.baddbmm(own, weights, memory.values).tanh()
        looks = weights.view(rows, time, weights.shape[-1])
        tap(self, "weights", lambda: looks[:, None])
        return read.view(rows, time, self.output_dim), looks
