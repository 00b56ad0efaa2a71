"""Training on several ranks: each takes its share of every batch, and all make the same update.

The batches and their order are those of one rank, so that the number of ranks changes the speed and (but for rounding
and what dropout draws) nothing else: a run goes on, on another number of ranks, where it stood.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from anyseq.core import Loss, LossPart, Objective, ranks
from anyseq.training.checkpoint import Checkpoints
from anyseq.training.journal import Journal

BUCKET_BYTES = 25 * 2**20
"""Gradients are added up in pieces of this size: the next is put together while one travels."""


@dataclass(frozen=True)
class Share:
    """What of a batch falls to this rank.

    Attributes:
        rows: At least one.
        counts: Whether its loss does: where there are fewer rows than ranks, some work on one for nothing, so that all
            go through the same exchanges.
    """

    rows: Tensor
    counts: bool

    @classmethod
    def of(cls, rows: Tensor) -> Share:
        """This rank's share of a batch, whose rows stand in the order of their lengths (`TokenBatches`)."""
        return cls(ranks.dealt(rows), ranks.rank() < len(rows))

    def counted(self, loss: Loss) -> Loss:
        """The loss, or as many parts that are nothing."""
        if self.counts:
            return loss
        parts = loss.parts.items()
        return Loss({name: LossPart(part.sum * 0, part.count * 0, part.weight) for name, part in parts})


def over_ranks(total: Tensor, counts: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """A sum and some counts over all ranks; with one rank as they are."""
    if ranks.world() == 1:
        return total, list(counts)
    found = ranks.total(torch.stack([total, *counts]).double())
    return found[0].to(total), list(found[1:].to(total).unbind())


def add_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Give every rank the sum of all ranks' gradients; what none of them used keeps none."""
    if ranks.world() == 1:
        return
    used = ranks.largest(*(float(parameter.grad is not None) for parameter in parameters))
    gradients = [_gradient(parameter) for parameter, by_any in zip(parameters, used, strict=True) if by_any]
    travelling = []
    for bucket in _buckets(gradients):
        flat = torch.cat([gradient.flatten() for gradient in bucket])
        travelling.append((bucket, flat, dist.all_reduce(flat, async_op=True)))
    for bucket, flat, arrival in travelling:
        with ranks.reaching():
            arrival.wait()
        pieces = flat.split([gradient.numel() for gradient in bucket])
        torch._foreach_copy_(bucket, [p.view_as(g) for p, g in zip(pieces, bucket, strict=True)])


def _gradient(parameter: nn.Parameter) -> Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Tensors of one type, some at a time."""
    bucket: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if bucket and (size + tensor.nbytes > BUCKET_BYTES or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.nbytes
    if bucket:
        yield bucket


def begin_alike(model: nn.Module, objective: Objective, seed: int) -> None:
    """The first rank's weights for all, and for each its own random numbers (the first has those of a run alone).

    Raises:
        UsageError: it is another model at another rank.
    """
    shapes = [(name, each.shape) for module in (model, objective) for name, each in module.named_parameters()]
    ranks.refuse_others("the model", shapes)
    for module in (model, objective):
        ranks.copy_first([*module.parameters(), *module.buffers()])
    if not ranks.first():
        torch.manual_seed(seed + ranks.rank())


def random_states() -> dict[str, Tensor]:
    """The state of every rank's random generators by name; the first rank's as of a run alone."""
    own = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        own["cuda"] = torch.cuda.get_rng_state()
    return {_named(name, rank): each for rank, found in enumerate(ranks.everyones(own)) for name, each in found.items()}


def restore_random(states: Mapping[str, Tensor]) -> None:
    """Put back this rank's; a rank that was not there then keeps what it has.

    Raises:
        KeyError: there is none at all.
    """
    if ranks.first() or _named("cpu", ranks.rank()) in states:
        torch.set_rng_state(states[_named("cpu", ranks.rank())])
    if torch.cuda.is_available() and (cuda := states.get(_named("cuda", ranks.rank()))) is not None:
        torch.cuda.set_rng_state(cuda)


def _named(generator: str, rank: int) -> str:
    return f"{generator}.{rank}" if rank else generator


@contextmanager
def writing_to(folder: Path) -> Iterator[Path]:
    """The folder; to a rank that leaves the writing to the first, one that is thrown away."""
    if ranks.first():
        yield folder
        return
    with TemporaryDirectory() as scratch:
        yield Path(scratch)


class ReadCheckpoints(Checkpoints):
    """The same checkpoints to a rank that leaves the writing to the first."""

    def save(
        self,
        step: int,
        weights: Mapping[str, Tensor],
        training: Mapping[str, Mapping[str, Tensor]],
        state: Mapping[str, Any],
    ) -> None:
        """Nothing."""

    def mark_last(self, step: int) -> None:
        """Nothing."""

    def mark_best(self, step: int) -> None:
        """Nothing."""

    def forget_best(self) -> None:
        """Nothing."""

    def prune(self, beginning: bool = False) -> None:
        """Nothing."""

    def cut_after(self, step: int) -> None:
        """Nothing."""


class ReadJournal(Journal):
    """The same for a journal."""

    def write(self, **fields: Any) -> None:
        """Nothing."""

    def cut_after(self, step: int) -> None:
        """Nothing."""


def journal_in(file: Path) -> Journal:
    """A journal, which the first rank writes."""
    return (Journal if ranks.first() else ReadJournal)(file)
