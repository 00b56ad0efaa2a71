"""Where training stands, besides tensors: what a checkpoint keeps as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

# What was not written from the first version of this format on.
_LATER = ("given_up", "validating", "skipped", "skipped_in_a_row", "slowed", "returns", "decided", "pool")


@dataclass(frozen=True)
class Standing:
    """Where training stands: all it needs to go on, besides tensors.

    Attributes:
        step: Updates so far.
        epoch: Of the next batch.
        batch: Its number in the pool.
        pool: Its pool of the epoch; 0 in older checkpoints (where an epoch is one pool they go on as they would have,
            else with the data in another order).
        seconds: Spent so far.
        best: Value of the best validation; None before the first.
        best_step: Its step.
        stale: Validations in a row that did not better the metric that decides.
        decays: How often the learning rate has fallen because of that.
        validated: Step of the last validation.
        averaged: Updates the moving average has taken in.
        reported: Step of the last report.
        unreported: Sum and count of the loss since then, the seconds of its updates, and those of them spent waiting.
        given_up: Why the objective saw no use in going on, at the last validation.
        validating: Of the seconds, those that went into validations.
        skipped: Updates that were not made, because loss or gradient were not finite.
        skipped_in_a_row: Of those the last ones, one after the other.
        slowed: What going back to a checkpoint has left of the learning rate, in (0, 1].
        returns: How often training has gone back since the last sound validation (see `returning`).
        decided: Step of that.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    best: tuple[float, ...] | None = None
    best_step: int = 0
    stale: int = 0
    decays: int = 0
    validated: int = 0
    averaged: int = 0
    reported: int = 0
    unreported: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    given_up: str | None = None
    validating: float = 0.0
    skipped: int = 0
    skipped_in_a_row: int = 0
    slowed: float = 1.0
    returns: int = 0
    decided: int = 0
    pool: int = 0

    @classmethod
    def read(cls, state: Mapping[str, Any]) -> Self:
        """Take one from a checkpoint's JSON; what an older version did not write has its default.

        Raises:
            KeyError: something else is missing.
        """
        wanted = [each.name for each in fields(cls) if each.name in state or each.name not in _LATER]
        return cls(**{name: _as_given(state[name]) for name in wanted})


def _as_given(value: Any) -> Any:
    """JSON knows no tuples."""
    return tuple(value) if isinstance(value, list) else value
