"""Several processes that do one thing together ("ranks", started by torchrun), and the few words they exchange.

Outside `together` a process is alone, whoever started it: every function here then gives back what it was given.
Whatever is exchanged, all ranks must exchange, in the same order.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeVar
from uuid import uuid4

import torch
import torch.distributed as dist
from torch import Tensor

from anyseq.core.launch import launch
from anyseq.errors import RunError, UsageError

T = TypeVar("T")
U = TypeVar("U")
# How long one may wait for the others, who may be saving, or judging a model. torchrun sees at once who has failed.
PATIENCE = timedelta(hours=12)
# Of a thread: one that is started in a copy of the context stays with the others, whatever the first one does.
_joined: ContextVar[bool] = ContextVar("joined", default=False)


@contextmanager
def together() -> Iterator[None]:
    """Work with the other ranks, where there are some.

    Raises:
        UsageError: this torch cannot.
    """
    if _joined.get() or not launch().several:
        yield
        return
    _meet()
    before = _joined.set(True)
    try:
        yield
    finally:
        _joined.reset(before)


@contextmanager
def alone() -> Iterator[None]:
    """Work without the others for a while: they do something else, or the same, in another order."""
    before = _joined.set(False)
    try:
        yield
    finally:
        _joined.reset(before)


def world() -> int:
    """How many ranks work together."""
    return dist.get_world_size() if _joined.get() else 1


def rank() -> int:
    """This one's number."""
    return dist.get_rank() if _joined.get() else 0


def first() -> bool:
    """Whether this one writes and speaks."""
    return rank() == 0


def total(tensor: Tensor) -> Tensor:
    """The sum over all ranks."""
    if world() == 1:
        return tensor
    summed = tensor.clone()
    with reaching():
        dist.all_reduce(summed)
    return summed


def largest(*numbers: float | int) -> list[float]:
    """The largest that any rank gives of each number: what all of them agree on."""
    if world() == 1:
        return [float(number) for number in numbers]
    found = torch.tensor(numbers, dtype=torch.float64)
    with reaching():
        dist.all_reduce(found, dist.ReduceOp.MAX)
    return found.tolist()


def wait() -> None:
    """Go on when all ranks have come here."""
    largest(0.0)


def everyones(value: T) -> list[T]:
    """What each rank gives, in their order."""
    if world() == 1:
        return [value]
    found: list[Any] = [None] * world()
    with reaching():
        dist.all_gather_object(found, value)
    return found


def of_first(value: T) -> T:
    """What the first rank gives."""
    if world() == 1:
        return value
    found: list[Any] = [value]
    with reaching():
        dist.broadcast_object_list(found, src=0)
    return found[0]


@torch.no_grad()
def copy_first(tensors: Iterable[Tensor]) -> None:
    """Give each tensor the values it has at the first rank."""
    if world() > 1:
        with reaching():
            for tensor in tensors:
                dist.broadcast(tensor.data, src=0)


def refuse_others(what: str, value: object) -> None:
    """Refuse to work together on something that is not the same everywhere.

    Raises:
        UsageError: it is another one at another rank.
    """
    others = [number for number, each in enumerate(everyones(value)) if each != value]
    if others:
        named = ", ".join(map(str, others))
        raise UsageError(
            f"{what} of rank {rank()} and of rank {named} differ: give all the same command, the same "
            "versions, and the same files (on several machines under the same path)"
        )


def shared(items: Sequence[T], work: Callable[[Sequence[T]], Sequence[U]]) -> list[U]:
    """Work on items, each rank on its share, and give every rank the results of all, in order.

    Args:
        items: The same everywhere.
        work: Gives a result for each item it gets; there may be none. It works alone.

    Raises:
        RunError: another rank has failed in its share.
    """
    if world() == 1:
        return list(work(items))
    share = items[rank() :: world()]
    own: Sequence[U] = []
    failure: Exception | None = None
    try:
        with alone():
            own = work(share)
    except Exception as error:
        failure = error
    found = everyones((own, None if failure is None else f"{type(failure).__name__}: {failure}"))
    if failure is not None:
        raise failure
    for number, (_, fault) in enumerate(found):
        if fault is not None:
            raise RunError(f"rank {number} has failed in its share: {fault}")
    return [found[at % world()][0][at // world()] for at in range(len(items))]


def fed(source: Iterable[T]) -> Iterator[T]:
    """What the first rank reads, given to all; the others read nothing.

    Raises:
        RunError: the first cannot read on; it raises its own error.
    """
    if world() == 1:
        yield from source
        return
    reading = iter(source)
    while True:
        told: tuple[str, Any] = ("end", None)
        failure: Exception | None = None
        if first():
            try:
                told = ("more", next(reading))
            except StopIteration:
                pass
            except Exception as error:
                failure, told = error, ("failed", str(error))
        what, value = of_first(told)
        if failure is not None:
            raise failure
        if what == "failed":
            raise RunError(f"rank 0 cannot read on: {value}")
        if what == "end":
            return
        yield value


def dealt(rows: Tensor) -> Tensor:
    """This rank's share of rows: of as many as there are ranks, one each, so that rows in the order of their lengths
    make shares of about one cost. Where there are fewer rows than ranks, some have the first one, too.
    """
    own = rows[rank() :: world()]
    return own if len(own) else rows[:1]


def undealt(tensor: Tensor) -> Tensor:
    """The rows of all ranks, on axis 0, in the order `dealt` found them in."""
    if world() == 1:
        return tensor
    parts = everyones(tensor.cpu())
    whole = torch.cat(parts)
    for number, part in enumerate(parts):
        whole[number :: len(parts)] = part
    return whole


class _Total(torch.autograd.Function):
    """`total`, through which gradients flow: of the sum of what all ranks minimise."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return total(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return total(gradients[0].contiguous())


def total_with_gradient(tensor: Tensor) -> Tensor:
    """The sum over all ranks, differentiable: for a model whose rows know of each other (batch norm)."""
    return tensor if world() == 1 else _Total.apply(tensor)


def _meet() -> None:
    """Join the group of processes, once; a group that is there already is taken."""
    if not dist.is_available():
        raise UsageError("this build of torch has no torch.distributed: run one process, without torchrun")
    local = launch().local_rank
    if torch.cuda.is_available() and local < torch.cuda.device_count():
        torch.cuda.set_device(local)
    if dist.is_initialized():
        return
    backends = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    with reaching():
        shared_store, number, count = next(dist.rendezvous("env://", timeout=PATIENCE))
        store = _unused(shared_store, number, count)
        dist.init_process_group(backends, store=store, rank=number, world_size=count, timeout=PATIENCE)
    atexit.register(_leave)


def _unused(store: dist.Store, number: int, count: int) -> dist.Store:
    """A part of a store that nobody has written to.

    That of torchrun outlives the processes it starts anew, with the addresses of those that are gone (torch 2.13), and
    how often it did so it may tell each machine otherwise. So the first process calls this meeting by a name of its
    own, and tells it to each other that is there now, which is to say, under the name that one has made up.
    """
    own = uuid4().hex
    if number:
        store.set(f"anyseq/here/{number}", own)
        meeting = store.get(f"anyseq/meet/{own}").decode()
        store.set(f"anyseq/met/{meeting}/{number}", own)
        return dist.PrefixStore(meeting, store)
    missing = set(range(1, count))
    while missing:
        for other in sorted(missing):
            if store.check([f"anyseq/here/{other}"]):
                store.set(f"anyseq/meet/{store.get(f'anyseq/here/{other}').decode()}", own)
            if store.check([f"anyseq/met/{own}/{other}"]):
                missing.remove(other)
        time.sleep(0.02)
    return dist.PrefixStore(own, store)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


@contextmanager
def reaching() -> Iterator[None]:
    """Exchange something.

    Raises:
        RunError: another process is gone.
    """
    try:
        yield
    except RuntimeError as error:
        brief = " ".join(str(error).split())[:200]
        raise RunError(
            f"the other processes cannot be reached, one of which has failed: its own message says why ({brief})"
        ) from error
