"""Loss and speed of training, between two reports."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class Meter:
    """Loss and speed since the last report; the loss is read from the device only when asked for.

    Args:
        total: Sum and count of the loss so far.
        seconds: Spent on its updates.
    """

    def __init__(self, total: Sequence[float] = (0.0, 0.0), seconds: float = 0.0) -> None:
        self.total, self.seconds = torch.tensor(total), seconds

    def add(self, sum_and_count: Tensor, seconds: float) -> None:
        """Take in an update."""
        self.total = self.total.to(sum_and_count) + sum_and_count
        self.seconds += seconds

    def read(self) -> tuple[float, float]:
        """Mean loss (nan where nothing was counted), and counted symbols per second of training."""
        total, count = self.total.tolist()
        return total / count if count else math.nan, count / max(self.seconds, 1e-9)
