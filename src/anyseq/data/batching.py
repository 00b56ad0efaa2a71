"""Encoded examples, and batches of about equal cost cut from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from anyseq.core import Padded
from anyseq.data.permutation import Mixture, Permutation

# How many batches' worth of examples are sorted by length together: enough for little padding, few enough that what
# meets in a batch stays random in a corpus of many pools.
POOL_BATCHES = 200
_PACKED_AT_ONCE = 4096


@dataclass(frozen=True)
class Packed:
    """Sequences of unequal length behind each other in one array.

    Attributes:
        values: All of them.
        offsets: Where each begins, and the end of the last.
    """

    values: Shaped[Tensor, "total *value"]
    offsets: Int[Tensor, " boundary"]

    @classmethod
    def of(cls, sequences: Sequence[Shaped[Tensor, "_ *value"]]) -> Packed:
        """Pack at least one sequence."""
        lengths = torch.tensor([0, *(len(sequence) for sequence in sequences)])
        return cls(torch.cat(list(sequences)), lengths.cumsum(0))

    @classmethod
    def joined(cls, parts: Sequence[Packed]) -> Packed:
        """Put at least one behind the other."""
        lengths = torch.cat([parts[0].offsets[:1], *(part.lengths for part in parts)])
        return cls(torch.cat([part.values for part in parts]), lengths.cumsum(0))

    @cached_property
    def lengths(self) -> Int[Tensor, " count"]:
        """Values in each sequence; kept, for every batch asks."""
        return self.offsets.diff()

    @property
    def firsts(self) -> Int[Tensor, " count"]:
        """Where each begins."""
        return self.offsets[:-1]

    def rows(self, chosen: Int[Tensor, " row"]) -> Padded:
        """The chosen sequences, padded."""
        lengths = self.lengths[chosen]
        places = torch.arange(int(lengths.max()))
        valid: Bool[Tensor, "row time"] = places < lengths[:, None]
        where = (self.firsts[chosen][:, None] + places).where(valid, 0)
        values = self.values[where]
        return Padded(values.masked_fill(~valid.view(*valid.shape, *(1,) * (values.dim() - 2)), 0), valid)


@dataclass(frozen=True)
class Overlapping(Packed):
    """Windows of one array, which stands there once, however many of them hold a place.

    Attributes:
        offsets: Where each begins.
        counts: Values in each.
    """

    counts: Int[Tensor, " count"]

    @cached_property
    def lengths(self) -> Int[Tensor, " count"]:
        """The counts."""
        return self.counts

    @property
    def firsts(self) -> Int[Tensor, " count"]:
        """The offsets."""
        return self.offsets


def pack(examples: Iterable[Mapping[str, Tensor]]) -> dict[str, Packed]:
    """Pack the fields of examples, which all have the same; of no examples there are none.

    They are packed as they come, some thousands at a time: a tensor of a few symbols takes many times their memory.
    """
    parts: dict[str, list[Packed]] = {}
    examples = iter(examples)
    while some := list(islice(examples, _PACKED_AT_ONCE)):
        for name in some[0]:
            parts.setdefault(name, []).append(Packed.of([each[name] for each in some]))
    return {name: Packed.joined(each) for name, each in parts.items()}


@dataclass(frozen=True)
class Position:
    """Where training stands in the data: the next batch of a pool of an epoch."""

    epoch: int = 0
    batch: int = 0
    pool: int = 0


def cut(members: np.ndarray, lengths: np.ndarray, batch_tokens: int) -> Iterator[np.ndarray]:
    """Cut examples that stand in the order of their lengths into batches: rows times the longest within `batch_tokens`.

    An example longer than that is a batch of its own.
    """
    first = longest = 0
    for place, length in enumerate(lengths[members].tolist()):
        longest = max(longest, length)
        if place > first and longest * (place + 1 - first) > batch_tokens:
            yield members[first:place]
            first, longest = place, length
    if len(members):
        yield members[first:]


class Batches(ABC):
    """Which examples meet: a plan for every epoch, which depends on nothing that came before it.

    An epoch is planned pool by pool, so that neither its beginning nor what was consumed before a position takes time
    or memory in proportion to the data.
    """

    @property
    def pools(self) -> int:
        """Of an epoch, at least 1."""
        return 1

    @abstractmethod
    def pool(self, epoch: int, number: int) -> list[Int[Tensor, " _"]]:
        """The batches of one pool of an epoch, as indices of examples."""

    def epoch(self, number: int) -> list[Int[Tensor, " _"]]:
        """The batches of one epoch."""
        return list(chain.from_iterable(self.pool(number, pool) for pool in range(self.pools)))

    def batches(self, start: Position) -> Iterator[tuple[Int[Tensor, " row"], Position]]:
        """Batches from a position on, for ever, each with the position after it."""
        at = start
        while True:
            plan = self.pool(at.epoch, at.pool)
            behind = Position(at.epoch, 0, at.pool + 1) if at.pool + 1 < self.pools else Position(at.epoch + 1)
            for number in range(at.batch, len(plan)):
                yield plan[number], Position(at.epoch, number + 1, at.pool) if number + 1 < len(plan) else behind
            at = behind


class ParallelBatches(Batches):
    """One long text, cut into pieces: rows that read it from as many places, each batch the next piece of every row.

    Args:
        count: Pieces, in the text's order.
        rows: Pieces of a batch; at most as many as there are.
    """

    def __init__(self, count: int, rows: int) -> None:
        self.count, self.rows = count, max(1, min(count, rows))

    def pool(self, epoch: int, number: int) -> list[Int[Tensor, " _"]]:
        """The batches of one epoch; what the rows leave over at an end is at the other one in every second epoch."""
        length, left = divmod(self.count, self.rows)
        first = torch.arange(self.rows) * length + left * (epoch % 2)
        return [first + piece for piece in range(length)]


class TokenBatches(Batches):
    """Endless shuffled batches, each of about `batch_tokens` padded tokens on its longer side.

    An epoch's plan depends on the seed and the epoch alone, so training goes on from any position without having read
    what comes before. Data of several pools are shuffled by a permutation that is computed for each pool by itself.

    Args:
        lengths: The longest field of each example.
        batch_tokens: Rows times the longest row of a batch stay within this; a longer example is a batch of its own.
        seed: The shuffle's.
        mixture: The corpora that the examples are of, and how often an epoch shows each; None: each example once.
    """

    def __init__(
        self, lengths: Int[Tensor, " count"], batch_tokens: int, seed: int, mixture: Mixture | None = None
    ) -> None:
        self.lengths, self.batch_tokens, self.seed, self.mixture = lengths.numpy(), batch_tokens, seed, mixture
        self.size = len(lengths) if mixture is None else sum(mixture.shown)
        self.pooled = POOL_BATCHES * max(1, int(batch_tokens / max(1.0, float(self.lengths.mean()))))

    @property
    def pools(self) -> int:
        """As many as hold all that an epoch shows."""
        return max(1, -(-self.size // self.pooled))

    def pool(self, epoch: int, number: int) -> list[Int[Tensor, " _"]]:
        """The batches of one pool: examples drawn at random, sorted by length, cut, and shuffled again."""
        random = np.random.default_rng((self.seed, epoch, number))
        if self.pools == 1:
            members = random.permutation(self.size)
        else:
            first = number * self.pooled
            places = np.arange(first, min(self.size, first + self.pooled))
            members = Permutation(self.size, (self.seed, epoch))(places)
        if self.mixture is not None:
            members = self.mixture.rows(members, (self.seed, epoch))
        members = members[np.argsort(self.lengths[members], kind="stable")]
        batches = list(cut(members, self.lengths, self.batch_tokens))
        return [torch.from_numpy(batches[i]) for i in random.permutation(len(batches))]


def in_order(lengths: Int[Tensor, " count"], batch_tokens: int) -> list[Int[Tensor, " _"]]:
    """Batches for decoding and scoring: longest first, so that a shortage of memory shows at once."""
    order = np.argsort(-lengths.numpy(), kind="stable")
    return [torch.from_numpy(batch) for batch in cut(order, lengths.numpy(), batch_tokens)]


@runtime_checkable
class _HasLengths(Protocol):
    """Of fields, in memory or on disk."""

    @property
    def lengths(self) -> Int[Tensor, " count"]: ...


def padding_share(packed: Mapping[str, _HasLengths], batches: Sequence[Int[Tensor, " _"]]) -> float:
    """Share of the batches' places that hold nothing."""
    real = padded = 0
    for rows in batches:
        for field in packed.values():
            lengths = field.lengths[rows]
            real, padded = real + int(lengths.sum()), padded + int(lengths.max()) * len(rows)
    return 1 - real / max(1, padded)
