"""An update happens only where loss and gradient are finite; which is decided where they are, without waiting."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyseq.core import Item, Objective, ranks
from anyseq.training.incidents import Incidents, places


def clipped(parameters: Sequence[nn.Parameter], longest: float | None) -> Float[Tensor, ""]:
    """Shorten the gradient to at most `longest` (None: leave it) and return how long it was."""
    if longest is not None:
        return nn.utils.clip_grad_norm_(parameters, longest, foreach=True)
    return nn.utils.get_total_norm([each.grad for each in parameters if each.grad is not None], foreach=True)


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether every number in some tensors is finite; waits for the device."""
    finite = [tensor.isfinite().all() for tensor in tensors if tensor.is_floating_point()]
    return not finite or bool(torch.stack(finite).all())


@dataclass(frozen=True)
class Judged:
    """An update whose numbers were not read yet.

    Attributes:
        step: Its number, from 1.
        items: Of its batches.
        loss: Sum and count.
        norm: Length of the gradient.
        made: Whether it was made.
    """

    step: int
    items: Sequence[Item]
    loss: Float[Tensor, "2"]
    norm: Float[Tensor, ""]
    made: Bool[Tensor, ""]


class Guard:
    """Lets the optimiser step only where loss and gradient are finite; what the forward pass left behind is undone.

    That is, running statistics and other buffers, and what the objective carries from update to update. Nothing is
    read from the device at each update but where an objective carries something: `read` says later what happened.
    Several ranks decide alike, for loss and gradient are sums over all of them.

    Args:
        model, objective: What is trained, and what is minimised.
        optimiser: A fused one, which takes `found_inf`.
        incidents: Where updates that were not made are named.

    Attributes:
        late: Whether reading would make the device wait, so that it is not done after each update.
    """

    def __init__(
        self, model: nn.Module, objective: Objective, optimiser: torch.optim.Optimizer, incidents: Incidents
    ) -> None:
        self.buffers = [*model.buffers(), *objective.buffers()]
        self.objective, self.optimiser, self.incidents = objective, optimiser, incidents
        self.late = next(model.parameters()).device.type != "cpu"
        self.waiting: list[Judged] = []
        self.last: Sequence[Item] = ()
        self._remembered = ([buffer.clone() for buffer in self.buffers], objective.carried())

    def remember(self) -> None:
        """Keep what a forward pass may change."""
        self._remembered = ([buffer.clone() for buffer in self.buffers], self.objective.carried())

    def undo(self) -> None:
        """Put it back."""
        buffers, carried = self._remembered
        for buffer, before in zip(self.buffers, buffers, strict=True):
            buffer.copy_(before)
        self.objective.carry_on(carried)

    def step(self, step: int, items: Sequence[Item], loss: Float[Tensor, "2"], norm: Tensor) -> Bool[Tensor, ""]:
        """Make the update, or not, and return which."""
        made = loss.isfinite().all() & norm.isfinite()
        self.optimiser.found_inf = (~made).float()  # type: ignore[attr-defined]
        self.optimiser.step()
        buffers, carried = self._remembered
        for buffer, before in zip(self.buffers, buffers, strict=True):
            buffer.copy_(torch.where(made, buffer, before))
        if self.objective.carried() and not bool(made):
            self.objective.carry_on(carried)
        self.waiting.append(Judged(step, items, loss, norm, made))
        return made

    def read(self, in_a_row: int) -> tuple[int, int]:
        """Read what happened since it was last asked, and name the updates that were not made: the items of all ranks.

        Args:
            in_a_row: Updates not made, one after the other, before.

        Returns:
            How many were not made now, and how many in a row at the end.
        """
        skipped, waiting = 0, self.waiting
        self.waiting = []
        if not waiting:
            return 0, in_a_row
        figures = torch.stack([torch.stack([*each.loss, each.norm, each.made.to(each.norm)]) for each in waiting])
        for each, (total, count, norm, made) in zip(waiting, figures.tolist(), strict=True):
            in_a_row = 0 if made else in_a_row + 1
            if not made:
                skipped, self.last = skipped + 1, [item for found in ranks.everyones(each.items) for item in found]
                loss = total / count if count else math.nan
                self.incidents.write(
                    "not_finite", each.step, "no update was made", self.last,
                    f"step {each.step}: the loss is {loss:.4g}, its gradient {norm:.4g} long, so that no update was "
                    f"made; look at these lines: {places(self.last)}",
                    loss=loss, gradient_norm=norm,
                )  # fmt: skip
        return skipped, in_a_row
