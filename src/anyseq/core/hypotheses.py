"""What a search returns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from jaxtyping import Float, Int, Shaped
from torch import Tensor


class Stopped(IntEnum):
    """Why a hypothesis ended."""

    END = 0
    BUDGET = 1
    BLOCKED = 2


@dataclass(frozen=True)
class Hypotheses:
    """The best hypotheses of each source, best first; those cut by the budget rank after all that ended.

    Attributes:
        values: The symbols (or vectors), prefix and end symbol included.
        lengths: Values of each hypothesis, prefix and end included.
        log_prob: The model's own sum over all of them, prefix included, in nats.
        score: After length and coverage penalties; comparable within a source, higher is better.
        stopped: A `Stopped` for each.
        count: Real hypotheses of each source, at least 1; the entries behind them have score -inf and length 0.
    """

    values: Shaped[Tensor, "source n time *value"]
    lengths: Int[Tensor, "source n"]
    log_prob: Float[Tensor, "source n"]
    score: Float[Tensor, "source n"]
    stopped: Int[Tensor, "source n"]
    count: Int[Tensor, " source"]
