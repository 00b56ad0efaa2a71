"""Encoded examples, and batches of about equal cost cut from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from anyseq.core import Padded

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
    """Where training stands in the data: the next batch of an epoch."""

    epoch: int = 0
    batch: int = 0


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
    """Which examples meet: a plan for every epoch, which depends on nothing that came before it."""

    @abstractmethod
    def epoch(self, number: int) -> list[Int[Tensor, " _"]]:
        """The batches of one epoch, as indices of examples."""

    def batches(self, start: Position) -> Iterator[tuple[Int[Tensor, " row"], Position]]:
        """Batches from a position on, for ever, each with the position after it."""
        epoch, skip = start.epoch, start.batch
        while True:
            plan = self.epoch(epoch)
            for number in range(skip, len(plan)):
                after = Position(epoch, number + 1) if number + 1 < len(plan) else Position(epoch + 1)
                yield plan[number], after
            epoch, skip = epoch + 1, 0


class ParallelBatches(Batches):
    """One long text, cut into pieces: rows that read it from as many places, each batch the next piece of every row.

    Args:
        count: Pieces, in the text's order.
        rows: Pieces of a batch; at most as many as there are.
    """

    def __init__(self, count: int, rows: int) -> None:
        self.count, self.rows = count, max(1, min(count, rows))

    def epoch(self, number: int) -> list[Int[Tensor, " _"]]:
        """The batches of one epoch; what the rows leave over at an end is at the other one in every second epoch."""
        length, left = divmod(self.count, self.rows)
        first = torch.arange(self.rows) * length + left * (number % 2)
        return [first + piece for piece in range(length)]


class TokenBatches(Batches):
    """Endless shuffled batches, each of about `batch_tokens` padded tokens on its longer side.

    An epoch's plan depends on the seed and the epoch alone, so training goes on from any position without having read
    what comes before.

    Args:
        lengths: The longest field of each example.
        batch_tokens: Rows times the longest row of a batch stay within this; a longer example is a batch of its own.
        seed: The shuffle's.
    """

    def __init__(self, lengths: Int[Tensor, " count"], batch_tokens: int, seed: int) -> None:
        self.lengths, self.batch_tokens, self.seed = lengths.numpy(), batch_tokens, seed

    def epoch(self, number: int) -> list[Int[Tensor, " _"]]:
        """The batches of one epoch, as indices of examples."""
        random = np.random.default_rng((self.seed, number))
        order = random.permutation(len(self.lengths))
        typical = max(1, int(self.batch_tokens / max(1.0, float(self.lengths.mean()))))
        pool = POOL_BATCHES * typical
        batches = []
        for first in range(0, len(order), pool):
            members = order[first : first + pool]
            members = members[np.argsort(self.lengths[members], kind="stable")]
            batches += list(cut(members, self.lengths, self.batch_tokens))
        return [torch.from_numpy(batches[i]) for i in random.permutation(len(batches))]


def in_order(lengths: Int[Tensor, " count"], batch_tokens: int) -> list[Int[Tensor, " _"]]:
    """Batches for decoding and scoring: longest first, so that a shortage of memory shows at once."""
    order = np.argsort(-lengths.numpy(), kind="stable")
    return [torch.from_numpy(batch) for batch in cut(order, lengths.numpy(), batch_tokens)]


def padding_share(packed: Mapping[str, Packed], batches: Sequence[Int[Tensor, " _"]]) -> float:
    """Share of the batches' places that hold nothing."""
    real = padded = 0
    for rows in batches:
        for field in packed.values():
            lengths = field.lengths[rows]
            real, padded = real + int(lengths.sum()), padded + int(lengths.max()) * len(rows)
    return 1 - real / max(1, padded)
