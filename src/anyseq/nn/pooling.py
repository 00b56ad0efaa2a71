"""One vector for a whole sequence."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyseq.nn.taps import tap


class Pooling(nn.Module, ABC):
    """From the vectors of a source to one."""

    @abstractmethod
    def forward(
        self, vectors: Float[Tensor, "source time dim"], valid: Bool[Tensor, "source time"]
    ) -> Float[Tensor, "source dim"]:
        """One vector a source, of its valid places (at least one)."""


class MaxPooling(Pooling):
    """The largest value of each channel.

    Source:
        Collobert and Weston 2008; over a recurrent network: Conneau et al. 2017, arXiv:1705.02364.
    """

    def forward(
        self, vectors: Float[Tensor, "source time dim"], valid: Bool[Tensor, "source time"]
    ) -> Float[Tensor, "source dim"]:
        """One vector a source."""
        return vectors.masked_fill(~valid.unsqueeze(-1), -torch.inf).amax(1)


class MeanPooling(Pooling):
    """The mean of each channel."""

    def forward(
        self, vectors: Float[Tensor, "source time dim"], valid: Bool[Tensor, "source time"]
    ) -> Float[Tensor, "source dim"]:
        """One vector a source."""
        return vectors.masked_fill(~valid.unsqueeze(-1), 0.0).sum(1) / valid.sum(1, keepdim=True)


class LastPooling(Pooling):
    """What stands at the last place: of a recurrent network that has read all of it from left to right."""

    def forward(
        self, vectors: Float[Tensor, "source time dim"], valid: Bool[Tensor, "source time"]
    ) -> Float[Tensor, "source dim"]:
        """One vector a source."""
        return vectors[torch.arange(len(vectors), device=vectors.device), valid.sum(1) - 1]


class AttentionPooling(Pooling):
    """The mean weighted by softmax over time of v · tanh(W vectors_t + b).

    Args:
        dim: Width of the vectors.

    Source:
        Yang et al. 2016, "Hierarchical attention networks for document classification", equations 5 to 7.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.hidden, self.score = nn.Linear(dim, dim), nn.Linear(dim, 1, bias=False)

    def forward(
        self, vectors: Float[Tensor, "source time dim"], valid: Bool[Tensor, "source time"]
    ) -> Float[Tensor, "source dim"]:
        """One vector a source."""
        scores = self.score(self.hidden(vectors).tanh()).squeeze(-1).masked_fill(~valid, -torch.inf)
        weights = scores.softmax(1).unsqueeze(1)
        tap(self, "weights", lambda: weights[:, None])
        return torch.bmm(weights, vectors.masked_fill(~valid.unsqueeze(-1), 0.0)).squeeze(1)
