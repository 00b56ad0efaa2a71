"""Going back to the last good checkpoint, more slowly, when updates cannot be made any more."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from torch import nn

from anyseq.core import ranks
from anyseq.errors import RunError
from anyseq.training.checkpoint import Checkpoints, named_weights
from anyseq.training.guard import Guard, all_finite
from anyseq.training.incidents import Incidents, places
from anyseq.training.standing import Standing

MOST_RETURNS = 3
SLOWER = 0.5
"""What is left of the learning rate at each return."""
_POISONED = "weights are not finite"


def decides(value: Sequence[float]) -> bool:
    """Whether what a validation found can decide: nothing in it is nan, and its first figure is not infinite."""
    return math.isfinite(value[0]) and not any(map(math.isnan, value))


class Returning:
    """Says when training has to go back, and where to.

    It goes back to the last sound checkpoint (dev gave numbers, and an update was made just before); where it is gone,
    or training had to go back already, to the best one; where there is none yet, to the beginning. From there it goes
    on with `SLOWER` times the learning rate, and with the data behind those it had come to: the same ones might only do
    the same again. Minutes go on from now, updates from the checkpoint. Several ranks go back together.

    Args:
        checkpoints: Where they are.
        guard: Knows the last batch that no update could be made of.
        incidents: Where each return is written down.
    """

    def __init__(self, checkpoints: Checkpoints, guard: Guard, incidents: Incidents) -> None:
        self.checkpoints, self.guard, self.incidents = checkpoints, guard, incidents

    def reason(self, in_a_row: int, most: int, weights_of: nn.Module | None) -> str | None:
        """Why training has to go back; None: it goes on.

        Args:
            in_a_row: Updates that were not made, one after the other.
            most: So many of them are too many.
            weights_of: What is about to be saved; None: nothing is.
        """
        if in_a_row >= most:
            return f"{in_a_row} updates in a row had a loss or gradient that is not finite"
        return _POISONED if weights_of is not None and _poisoned(weights_of) else None

    def refuse_poisoned(self, model: nn.Module, step: int) -> None:
        """Let no checkpoint be written of weights that are not finite.

        Raises:
            RunError: they are not.
        """
        if _poisoned(model):
            raise RunError(f"step {step}: {_POISONED} and are not saved; {self._how()}")

    def target(self, standing: Standing, why: str) -> int:
        """The checkpoint to go back to; it is the last one now.

        Raises:
            RunError: training has gone back too often since the last validation.
        """
        if standing.returns >= MOST_RETURNS:
            lines = f" The last batch: {places(self.guard.last)}." if self.guard.last else ""
            raise RunError(
                f"training is given up at step {standing.step}: {why}, also after going back {standing.returns} times, "
                f"at {standing.slowed:g} of the learning rate.{lines} {self._how()}"
            )
        step = ranks.of_first(self._sound(standing) if ranks.first() else None)
        if step is None:
            raise RunError(f"step {standing.step}: {why}, and there is no checkpoint to go back to; {self._how()}")
        self.checkpoints.mark_last(step)
        return step

    def _sound(self, standing: Standing) -> int | None:
        steps, best = self.checkpoints.steps(), self.checkpoints.named("best")
        if not standing.decided and 0 in steps:
            return 0
        if best is None:
            return self.checkpoints.named("last")
        return standing.decided if standing.decided in steps and not standing.returns else best

    def after(self, before: Standing, there: Standing, why: str, rate: Callable[[], float]) -> Standing:
        """Where training stands when it has gone back; said to the person, and written down.

        Args:
            before: Where it stood.
            there: As the checkpoint says.
            why: It had to.
            rate: The learning rate there, as it was.
        """
        slowed = before.slowed * SLOWER
        now = rate() / there.slowed * slowed
        self.incidents.write(
            "went_back", before.step, f"to step {there.step}", self.guard.last,
            f"step {before.step}: {why}; training goes back to step {there.step}, and on with {SLOWER:g} times the "
            f"learning rate ({now:.2g}) and the data that follow",
            learning_rate=now,
        )  # fmt: skip
        return replace(
            there,
            epoch=before.epoch, batch=before.batch, pool=before.pool, seconds=before.seconds, skipped=before.skipped,
            skipped_in_a_row=0, slowed=slowed, returns=before.returns + 1,
        )  # fmt: skip

    def validated(self, standing: Standing, metrics: Mapping[str, float], value: Sequence[float]) -> Standing:
        """Where training stands after a validation; one that can never be the best is written down and said."""
        step = standing.step
        if all(map(math.isfinite, value)) and not standing.skipped_in_a_row:
            return replace(standing, decided=step, returns=0)
        if decides(value):
            return standing
        strange = {name: each for name, each in metrics.items() if not math.isfinite(each)}
        shown = ", ".join(f"{name} {each}" for name, each in strange.items())
        note = f"step {step}: dev gives no number that could decide ({shown}); this checkpoint is never the best"
        self.incidents.write("validation", step, "not taken for the best", (), note, **strange)
        return standing

    def summary(self, standing: Standing) -> str:
        """How many updates were not made, for the end of training."""
        return (
            f"{standing.skipped:,} updates were not made, for their loss or gradient was not finite: see "
            f"{self.incidents.journal.file}"
        )

    def _how(self) -> str:
        return (
            "Look at these lines, lower training.learning_rate or training.grad_clip_norm, or raise "
            f"training.warmup_steps; what happened: {self.incidents.journal.file}. The checkpoints in "
            f"{self.checkpoints.folder} are whole; to go on from there with other values: anyseq train RECIPE --from "
            f"{self.checkpoints.folder} --output DIR KEY=VALUE"
        )


def _poisoned(model: nn.Module) -> bool:
    """Whether a weight is not finite, on any rank."""
    return ranks.largest(not all_finite(named_weights(model).values()))[0] > 0
