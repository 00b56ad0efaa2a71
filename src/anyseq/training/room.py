"""How large a batch may be: tried on the longest examples, before the first step, in growing sizes."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor, nn

from anyseq.core import Model, Objective

SMALLEST = 512
LARGEST = {"cpu": 4096, "cuda": 32768}
"""A processor gains nothing from larger batches; and a larger batch is not better for ever, for updates are fewer."""
BATCHES_AN_EPOCH = 20
SHARE = {"cpu": 0.5, "cuda": 0.85}
"""Of the free memory: that of a processor is shared with others."""
_STEP = 64


@runtime_checkable
class Room(Protocol):
    """Memory that can be watched."""

    def free(self) -> int:
        """Bytes that may still be taken."""

    def begin(self) -> None:
        """Count from here on."""

    def taken(self) -> int:
        """The most bytes that were in use at once since then, beyond those at that time."""


class ProcessRoom:
    """Memory of this process, within that of the machine and of its control group."""

    def __init__(self) -> None:
        self._before = 0

    def free(self) -> int:
        """What the machine, and the group, have left."""
        known = [left for left in (_machine_left(), _group_left()) if left is not None]
        return min(known) if known else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2

    def begin(self) -> None:
        """Count from here on."""
        with suppress(OSError):  # no Linux, or not allowed: the peak is that of the whole process
            Path("/proc/self/clear_refs").write_text("5")  # the peak is forgotten
        self._before = _status("VmRSS") or _peak()

    def taken(self) -> int:
        """By the resident memory."""
        return max(0, (_status("VmHWM") or _peak()) - self._before)


class DeviceRoom:
    """Memory of a GPU."""

    def __init__(self, device: torch.device) -> None:
        self.device, self._before = device, 0

    def free(self) -> int:
        """What the device has left, and what torch keeps of it without use."""
        kept = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return int(torch.cuda.mem_get_info(self.device)[0]) + kept

    def begin(self) -> None:
        """Count from here on."""
        torch.cuda.reset_peak_memory_stats(self.device)
        self._before = torch.cuda.memory_allocated(self.device)

    def taken(self) -> int:
        """By torch's own count."""
        return torch.cuda.max_memory_allocated(self.device) - self._before


def room_of(device: torch.device) -> Room:
    """The memory a device computes in."""
    return DeviceRoom(device) if device.type == "cuda" else ProcessRoom()


def most_tokens(
    lengths: Int[Tensor, " count"], attempt: Callable[[Tensor], object], room: Room, kept: int, device: str
) -> int:
    """The largest `batch_tokens` that fits; at most `LARGEST`, and so that an epoch has `BATCHES_AN_EPOCH` batches.

    Sizes double as long as twice of what the last one took is within the share of the free memory that may be used.

    Args:
        lengths: Of the examples.
        attempt: Computes the gradient of some examples.
        room: Where it is computed.
        kept: Bytes that training will hold besides (the optimiser's averages).
        device: `cpu` or `cuda`.
    """
    order = lengths.argsort(descending=True, stable=True)
    longest = int(lengths[order[0]])
    highest = min(LARGEST.get(device, LARGEST["cpu"]), int(lengths.sum()) // BATCHES_AN_EPOCH)
    highest = max(highest, longest, 1)
    allowed = room.free() * SHARE.get(device, SHARE["cpu"]) - kept
    tokens = min(highest, max(SMALLEST, longest))
    fits = longest
    room.begin()
    while True:
        try:
            attempt(order[: max(1, tokens // longest)])
        except torch.OutOfMemoryError:
            break
        taken = room.taken()
        if taken > allowed:
            break
        fits = tokens
        if tokens == highest:
            break
        grown = tokens * allowed / taken if taken else 2 * tokens
        tokens = min(highest, 2 * tokens, max(_STEP, int(grown) // _STEP * _STEP))
        if tokens <= fits:
            break
    return fits


@contextmanager
def untouched(model: Model, objective: Objective, device: torch.device) -> Iterator[None]:
    """What is computed inside leaves buffers, what an objective carries, random numbers and gradients as they were."""
    buffers = [*model.buffers(), *objective.buffers()]
    before, carried = [buffer.clone() for buffer in buffers], objective.carried()
    modes = [(module, module.training) for module in nn.ModuleList([model, objective]).modules()]
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            for buffer, old in zip(buffers, before, strict=True):
                buffer.copy_(old)
            objective.carry_on(carried)
            for module, training in modes:
                module.training = training
            for parameter in (*model.parameters(), *objective.parameters()):
                parameter.grad = None
            if devices:
                torch.cuda.empty_cache()


def _status(name: str) -> int | None:
    """A figure of this process, in bytes; None where there is none (no Linux)."""
    return _kilobytes(Path("/proc/self/status"), name)


def _machine_left() -> int | None:
    return _kilobytes(Path("/proc/meminfo"), "MemAvailable")


def _kilobytes(file: Path, name: str) -> int | None:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(found[0]) * 1024 if found else None


def _group_left() -> int | None:
    """What a control group (a container, a job) may still take; None: it has no limit."""
    root = Path("/sys/fs/cgroup")
    old = ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")
    for limit, used in (("memory.max", "memory.current"), old):
        try:
            return max(0, int((root / limit).read_text()) - int((root / used).read_text()))
        except (OSError, ValueError):  # no such file; `max`
            continue
    return None


def _peak() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
