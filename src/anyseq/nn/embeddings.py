"""Symbols or vectors as what a network reads: input layers, and what a decoder is fed back."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from anyseq.core import Factored, Grouped, Padded, Pointers, Spelt, Stream, Symbols
from anyseq.errors import ConfigError
from anyseq.nn.dropout import Dropout
from anyseq.nn.taps import tap


class SymbolEmbedding(nn.Embedding):
    """A table with one vector a symbol, initialised N(0, 1/dim) so that it can serve as output weights too."""

    def reset_parameters(self) -> None:
        """Draw N(0, 1/dim): a vector has length about 1, and the logits of tied weights start near unit variance."""
        nn.init.normal_(self.weight, std=self.embedding_dim**-0.5)


class OutputEmbedding(nn.Linear):
    """From vectors to logits: one row of weights a symbol, which may be the input's."""


class SpeltEmbedding(nn.Module):
    """A word as the sum of its own vector and of what its characters say: the largest value, over the word, of each
    channel of a convolution, mapped to the same width.

    In training a share of the words is read as unknown, so that the characters learn to stand for them.

    Args:
        stream: Words with their characters.
        dim: Width of the vectors.
        character_dim: Width of a character's vector.
        channels: Channels of the convolution.
        kernel_width: Characters seen at a time.
        unknown_share: Words read as unknown in training.

    Source:
        Ma and Hovy 2016, arXiv:1603.01354, section 2.1 (theirs puts the two side by side and drops characters
        instead of words).
    """

    def __init__(
        self,
        stream: Spelt,
        dim: int,
        *,
        character_dim: int = 32,
        channels: int = 64,
        kernel_width: int = 3,
        unknown_share: float = 0.1,
    ) -> None:
        super().__init__()
        self.words = SymbolEmbedding(stream.vocab_size, dim)
        self.characters = SymbolEmbedding(stream.alphabet_size, character_dim)
        self.kernel_width = kernel_width
        self.convolution = nn.Linear(kernel_width * character_dim, channels)
        self.out = nn.Linear(channels, dim)
        self.dropped = Dropout(unknown_share)

    def forward(self, values: Int[Tensor, "*place value"]) -> Float[Tensor, "*place dim"]:
        """The vector of each place; every distinct word is spelt once."""
        words, place = distinct_rows(values.flatten(0, -2))
        spelt = self._spelt(words[:, 1:])[place].view(*values.shape[:-1], -1)
        symbols = values[..., 0]
        if self.training and self.dropped.threshold:
            read = self.dropped(torch.ones_like(symbols, dtype=spelt.dtype)) > 0
            symbols = torch.where(read | (symbols == 0), symbols, 1)
        return self.words(symbols) + spelt

    def _spelt(self, letters: Int[Tensor, "word letter"]) -> Float[Tensor, "word dim"]:
        """What characters say; padding (0) is zero, as is what stands around a word."""
        real = (letters != 0).unsqueeze(-1)
        around = self.kernel_width - 1
        x = F.pad(self.characters(letters) * real, (0, 0, around // 2, around - around // 2))
        found = self.convolution(x.unfold(1, self.kernel_width, 1).flatten(2)).relu() * real
        return self.out(found.amax(1))


class GroupedEmbedding(nn.Module):
    """A group of symbols as one vector: the sum of theirs, each weighted by its place, Σ_j f_j * e_j.

    The weights f, [longest, dim], are learnt, and begin with 1: a bag of words. Of zeros the first alone counts, and
    only where it is the whole group: the end.

    Args:
        stream: Groups of symbols.
        dim: Width of the vectors.

    Source:
        Henaff et al. 2017, arXiv:1612.03969, equation 1.
    """

    def __init__(self, stream: Grouped, dim: int) -> None:
        super().__init__()
        self.symbols = SymbolEmbedding(stream.vocab_size, dim)
        self.places = nn.Parameter(torch.ones(stream.longest, dim))

    def forward(self, values: Int[Tensor, "*place value"]) -> Float[Tensor, "*place dim"]:
        """The vector of each group; every distinct one is added up once."""
        groups, place = distinct_rows(values.flatten(0, -2))
        counts = groups != 0
        counts[:, 0] = True
        vectors = (self.symbols(groups) * self.places * counts.unsqueeze(-1)).sum(1)
        return vectors[place].view(*values.shape[:-1], -1)


class FactoredEmbedding(nn.Module):
    """A token with factors as the sum of their vectors.

    Args:
        stream: Tokens with factors.
        dim: Width of the vectors.

    Source:
        Sennrich and Haddow 2016, arXiv:1606.02892, section 2.2 (theirs puts them side by side).
    """

    def __init__(self, stream: Factored, dim: int) -> None:
        super().__init__()
        self.widths = stream.widths
        self.parts = nn.ModuleList(input_layer(each, dim) for each in stream.streams)

    def forward(self, values: Int[Tensor, "*place value"]) -> Float[Tensor, "*place dim"]:
        """The vector of each place."""
        pieces = zip(self.parts, values.split(self.widths, -1), strict=True)
        vectors = [part(each.squeeze(-1) if each.shape[-1] == 1 else each) for part, each in pieces]
        return torch.stack(vectors).sum(0)


def distinct_rows(
    values: Int[Tensor, "row column"],
) -> tuple[Int[Tensor, "distinct column"], Int[Tensor, " row"]]:
    """The distinct rows of whole numbers from 0, in order, and which of them each row is.

    As `values.unique(dim=0, return_inverse=True)`, many times as fast: column by column, the rows so far are numbered.
    """
    numbers, base = torch.zeros_like(values[:, 0]), values.amax() + 1
    for column in values.unbind(1):
        _, numbers = (numbers * base + column).unique(return_inverse=True)
    first = numbers.new_empty(int(numbers.amax()) + 1)
    first[numbers] = torch.arange(len(numbers), device=numbers.device)
    return values[first], numbers


def input_layer(stream: Stream, dim: int) -> nn.Module:
    """The layer that turns a stream's values into vectors of `dim`: a table for symbols, a linear map for vectors.

    Raises:
        ConfigError: its values are pointers, which say nothing without what they point into.
    """
    if isinstance(stream, Spelt):
        return SpeltEmbedding(stream, dim)
    if isinstance(stream, Grouped):
        return GroupedEmbedding(stream, dim)
    if isinstance(stream, Factored):
        return FactoredEmbedding(stream, dim)
    if isinstance(stream, Pointers):
        raise ConfigError("a source of pointers says nothing by itself: codec.source must be of another kind")
    return SymbolEmbedding(stream.vocab_size, dim) if isinstance(stream, Symbols) else nn.Linear(stream.dim, dim)


class FedBack(nn.Module):
    """The decoder's own output as its next input; where nothing was consumed yet, a learned start vector.

    Args:
        embed: Turns values into vectors (an embedding, a linear layer); shared with the output where tied.
        dim: Their width.

    A `context` is what the embedding reads besides the values.
    """

    def __init__(self, embed: nn.Module, dim: int) -> None:
        super().__init__()
        self.embed = embed
        self.start = nn.Parameter(torch.randn(dim) * dim**-0.5)

    def forward(
        self, previous: Shaped[Tensor, "row *value"], steps: Int[Tensor, " row"], *context: Tensor
    ) -> Float[Tensor, "row dim"]:
        """One step's input. Rows with `steps` 0 get the start vector, whatever `previous` says."""
        return torch.where(steps[:, None] == 0, self.start, self.embed(previous, *context))

    def shifted(
        self, target: Padded, previous: Shaped[Tensor, "row *value"], steps: Int[Tensor, " row"], *context: Tensor
    ) -> Float[Tensor, "row time dim"]:
        """The inputs of a whole target: `previous`, then all of the target but its last."""
        values = torch.cat([previous[:, None], target.values[:, :-1]], 1)[:, : target.values.shape[1]]
        inputs = self.embed(values, *context)
        if not inputs.shape[1]:
            return inputs
        first = torch.where(steps[:, None] == 0, self.start, inputs[:, 0])
        inputs = torch.cat([first[:, None], inputs[:, 1:]], 1)
        tap(self, "embedded", lambda: inputs)
        return inputs
