"""What is measured while a model trains; at reports only, so that an update costs nothing more."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from anyseq.training.settings import TrainingConfig
from anyseq.training.standing import Standing

_STATM = Path("/proc/self/statm")  # in pages: all of it, what of it is resident, ...
_MB = 2**20
Result = TypeVar("Result")


class Meter:
    """Loss and speed since the last report; the loss is read from the device only when asked for.

    Args:
        total: Sum and count of the loss so far.
        seconds: Spent on its updates, waiting included.
        waited: Of these, spent on getting their batches.
    """

    def __init__(self, total: Sequence[float] = (0.0, 0.0), seconds: float = 0.0, waited: float = 0.0) -> None:
        self.total, self.seconds, self.waited = torch.tensor(total), seconds, waited

    def add(self, sum_and_count: Tensor, seconds: float) -> None:
        """Take in an update."""
        self.total = self.total.to(sum_and_count) + sum_and_count
        self.seconds += seconds

    def waiting(self, fetch: Callable[[], Result]) -> Result:
        """Get what an update waits for, and count the time."""
        began = time.monotonic()
        fetched = fetch()
        self.waited += time.monotonic() - began
        return fetched

    def read(self) -> tuple[float, float]:
        """Mean loss (nan where nothing was counted), and counted symbols per second of training."""
        total, count = self.total.tolist()
        return total / count if count else math.nan, count / max(self.seconds, 1e-9)

    @property
    def wait_share(self) -> float:
        """Share of the updates' time that went into getting their batches, in [0, 1]."""
        return min(1.0, self.waited / max(self.seconds, 1e-9))

    @property
    def state(self) -> tuple[float, float, float, float]:
        """All of it, as `Standing` keeps it: sum and count of the loss, seconds, and those of them spent waiting."""
        total, count = self.total.tolist()
        return total, count, self.seconds, self.waited


def memory_mb(device: torch.device) -> float | None:
    """Memory in use, in 2^20 bytes: on a GPU the most that tensors took so far, else what of this process is resident.

    Where the system does not say what is resident (macOS), the most that ever was; None where it says neither.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / _MB
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / _MB
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (_MB if sys.platform == "darwin" else 1024)


def minutes_left(settings: TrainingConfig, standing: Standing) -> float | None:
    """How long training will go on, the coming validations counted, the final search not; None: nobody can know.

    By the clock where `max_minutes` ends it, by the pace so far where `max_steps` does; whichever is sooner.
    """
    ends = []
    if settings.max_minutes is not None:
        ends.append(settings.max_minutes * 60 - standing.seconds)
    if settings.max_steps is not None and standing.step:
        update = (standing.seconds - standing.validating) / standing.step
        made = -(-standing.validated // settings.validate_every)
        to_come = max(0, -(-settings.max_steps // settings.validate_every) - made)
        validation = standing.validating / made if made else 0.0
        ends.append((settings.max_steps - standing.step) * update + to_come * validation)
    return max(0.0, min(ends)) / 60 if ends else None
