"""Symbols or vectors as what a network reads: input layers, and what a decoder is fed back."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from anyseq.core import Padded, Stream, Symbols


class SymbolEmbedding(nn.Embedding):
    """A table with one vector a symbol, initialised N(0, 1/dim) so that it can serve as output weights too."""

    def reset_parameters(self) -> None:
        """Draw N(0, 1/dim): a vector has length about 1, and the logits of tied weights start near unit variance."""
        nn.init.normal_(self.weight, std=self.embedding_dim**-0.5)


class OutputEmbedding(nn.Linear):
    """From vectors to logits: one row of weights a symbol, which may be the input's."""


def input_layer(stream: Stream, dim: int) -> nn.Module:
    """The layer that turns a stream's values into vectors of `dim`: a table for symbols, a linear map for vectors."""
    return SymbolEmbedding(stream.vocab_size, dim) if isinstance(stream, Symbols) else nn.Linear(stream.dim, dim)


class FedBack(nn.Module):
    """The decoder's own output as its next input; where nothing was consumed yet, a learned start vector.

    Args:
        embed: Turns values into vectors (an embedding, a linear layer); shared with the output where tied.
        dim: Their width.
    """

    def __init__(self, embed: nn.Module, dim: int) -> None:
        super().__init__()
        self.embed = embed
        self.start = nn.Parameter(torch.randn(dim) * dim**-0.5)

    def forward(
        self, previous: Shaped[Tensor, "row *value"], steps: Int[Tensor, " row"]
    ) -> Float[Tensor, "row dim"]:
        """One step's input. Rows with `steps` 0 get the start vector, whatever `previous` says."""
        return torch.where(steps[:, None] == 0, self.start, self.embed(previous))

    def shifted(
        self, target: Padded, previous: Shaped[Tensor, "row *value"], steps: Int[Tensor, " row"]
    ) -> Float[Tensor, "row time dim"]:
        """The inputs of a whole target: `previous`, then all of the target but its last."""
        inputs = self.embed(torch.cat([previous[:, None], target.values[:, :-1]], 1)[:, : target.values.shape[1]])
        if not inputs.shape[1]:
            return inputs
        first = torch.where(steps[:, None] == 0, self.start, inputs[:, 0])
        return torch.cat([first[:, None], inputs[:, 1:]], 1)
