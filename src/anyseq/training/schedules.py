"""The learning rate over time, as a share of its highest value."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int, int, float], float]


def constant(step: int, warmup_steps: int, progress: float) -> float:
    """The highest value all along."""
    return 1.0


def inverse_sqrt(step: int, warmup_steps: int, progress: float) -> float:
    """sqrt(warmup_steps / step), which is 1 where warm-up ends.

    Source:
        Vaswani et al. 2017, arXiv:1706.03762, equation 3.
    """
    return math.sqrt(max(1, warmup_steps) / step)


def cosine(step: int, warmup_steps: int, progress: float) -> float:
    """Half a cosine from 1 to 0 over the whole of training, its end by steps or by minutes, whichever is nearer.

    Source:
        Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5, without restarts.
    """
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


SCHEDULES: dict[str, Schedule] = {"constant": constant, "inverse_sqrt": inverse_sqrt, "cosine": cosine}


def learning_rate(schedule: str, highest: float, step: int, warmup_steps: int, progress: float) -> float:
    """The learning rate of an update.

    Args:
        schedule: A name in `SCHEDULES`.
        highest: The value at the end of warm-up.
        step: Number of the update, from 1.
        warmup_steps: Updates over which it rises linearly.
        progress: Share of training behind us, in [0, 1]: of max_steps or of max_minutes, whichever is larger.
    """
    if step < warmup_steps:
        return highest * step / warmup_steps
    return highest * SCHEDULES[schedule](step, warmup_steps, progress)
