"""The learning rate over time, as a share of its highest value."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Moment:
    """What a schedule may go by.

    Attributes:
        step: Number of the update, from 1.
        warmup_steps: Updates over which the learning rate rises linearly.
        progress: Share of training behind us, in [0, 1]: of max_steps or of max_minutes, whichever is larger.
        decay: What the plateaus so far have left of the learning rate, in (0, 1].
    """

    step: int
    warmup_steps: int = 0
    progress: float = 0.0
    decay: float = 1.0


Schedule = Callable[[Moment], float]


def constant(moment: Moment) -> float:
    """The highest value all along."""
    return 1.0


def inverse_sqrt(moment: Moment) -> float:
    """sqrt(warmup_steps / step), which is 1 where warm-up ends.

    Source:
        Vaswani et al. 2017, arXiv:1706.03762, equation 3.
    """
    return math.sqrt(max(1, moment.warmup_steps) / moment.step)


def cosine(moment: Moment) -> float:
    """Half a cosine from 1 to 0 over the whole of training, its end by steps or by minutes, whichever is nearer.

    Source:
        Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5, without restarts.
    """
    return 0.5 * (1 + math.cos(math.pi * min(1.0, moment.progress)))


def plateau(moment: Moment) -> float:
    """A factor less for each time the metric that decides stood still for so many validations; see `fallen`."""
    return moment.decay


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "inverse_sqrt": inverse_sqrt,
    "cosine": cosine,
    "plateau": plateau,
}


def fallen(decays: int, stale: int, plateau_patience: int) -> int:
    """How often the learning rate has fallen, after a validation: once more for every so many without a better one.

    Args:
        decays: How often it had fallen.
        stale: Validations in a row that did not better the metric, this one counted.
        plateau_patience: At least 1.
    """
    return decays + (stale > 0 and stale % plateau_patience == 0)


def learning_rate(schedule: str, highest: float, moment: Moment) -> float:
    """The learning rate of an update.

    Args:
        schedule: A name in `SCHEDULES`.
        highest: The value at the end of warm-up.
        moment: Which update it is, and what training has come to.
    """
    if moment.step < moment.warmup_steps:
        return highest * moment.step / moment.warmup_steps
    return highest * SCHEDULES[schedule](moment)
