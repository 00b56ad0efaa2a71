"""Batches that are larger than the device's memory: they are halved until they fit, and training goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anyseq.core import Batch, Item, Loss, Padded, ranks
from anyseq.errors import RunError
from anyseq.training.distributed import Share
from anyseq.training.gradients import backward
from anyseq.training.incidents import Incidents, places


@dataclass(frozen=True)
class Part:
    """What of a batch falls to this rank, put together.

    Attributes:
        batch: At least one row, not yet on the model's device.
        share: Says whether its loss counts.
    """

    batch: Batch
    share: Share

    def halves(self) -> list[Part]:
        """The same in two, of at least two rows."""
        rows = torch.arange(self.batch.rows)
        return [Part(self.batch.select(half), self.share) for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :])]


class Fitting:
    """Gradients of batches, of which those that do not fit are halved: the gradient stays that of the whole.

    For all sums are divided by the counts of all halves. (Only what an objective makes of a batch as one, such as the
    mean of its rewards, is then made of each half.) What was too large once is halved beforehand from then on. A row
    that does not fit by itself is left out.

    Several ranks, each of which works on its share of every batch, cannot: while one halves, the others would wait for
    what it no longer exchanges with them. There a batch that does not fit ends training.

    Args:
        placed: Brings a batch to the model's device.
        loss: Of a batch there.
        undo: Called when a batch did not fit, to undo what its forward pass left behind.
        incidents: Where it is said what did not fit.
        most: Rows left out one update after the other before it is given up.
    """

    def __init__(
        self,
        placed: Callable[[Batch], Batch],
        loss: Callable[[Batch], Loss],
        undo: Callable[[], None],
        incidents: Incidents,
        most: int,
    ) -> None:
        self.placed, self.loss, self.undo, self.incidents, self.most = placed, loss, undo, incidents, most
        self.too_large: int | None = None
        self.left_out = 0
        self.items: list[Item] = []
        self._at, self._size = 0, 0

    def backward(self, parts: Sequence[Part], parameters: Sequence[nn.Parameter], step: int) -> Tensor | None:
        """As `gradients.backward`; None where nothing of the batches fits.

        Args:
            parts: The batches.
            parameters: What the gradient is taken of.
            step: Number of the update, from 1.

        Raises:
            RunError: so it was for too many updates in a row; or there are several ranks.
        """
        random = _random(parameters[0].device)
        while parts:
            self.items = []
            try:
                found = backward(self._losses(parts), parameters, len(parts))
            except torch.OutOfMemoryError:
                pass  # what follows must not hold the failed graph, as it would inside of `except`
            else:
                self.left_out = 0
                return found
            if ranks.world() > 1:
                raise RunError(self._alone_only(step))
            parts = self._smaller(parts, parameters, step)
            _restore(random)
        self.left_out += 1
        if self.left_out >= self.most:
            raise RunError(
                f"{self.left_out} updates in a row had no item that fits into the memory of the device by itself "
                f"(training.max_skipped_updates): lower data.max_length or the model's sizes; all of them: "
                f"{self.incidents.journal.file}"
            )
        return None

    def _losses(self, parts: Sequence[Part]) -> Iterator[Loss]:
        for self._at, part in enumerate(parts):
            self._size = places_of(part.batch)
            if part.batch.rows > 1 and self.too_large is not None and self._size >= self.too_large:
                raise torch.OutOfMemoryError("as large as what did not fit before")
            self.items += part.batch.items if part.share.counts else []
            yield part.share.counted(self.loss(self.placed(part.batch)))

    def _alone_only(self, step: int) -> str:
        return (
            f"step {step}: the share of a batch of rank {ranks.rank()}, {self._size:,} places, does not fit into its "
            "memory; several processes cannot halve it (one alone can): lower training.batch_tokens, and raise "
            "training.accumulate by as much for updates as large, or start more processes"
        )

    def _smaller(self, parts: Sequence[Part], parameters: Sequence[nn.Parameter], step: int) -> list[Part]:
        """The parts, that which did not fit in two; or without it, where it is one row."""
        for parameter in parameters:
            parameter.grad = None
        self.undo()
        if parameters[0].device.type == "cuda":
            torch.cuda.empty_cache()
        part, size = parts[self._at], self._size
        before, after, items = parts[: self._at], parts[self._at + 1 :], part.batch.items
        if len(items) > 1:
            if self.too_large is None or size < self.too_large:
                self.too_large = size
                self.incidents.write(
                    "too_large", step, "halved", items,
                    f"step {step}: a batch of {len(items)} rows, {size:,} places, does not fit into memory; batches as "
                    "large are computed in halves from now on, which is slower: lower training.batch_tokens (or auto)",
                    places=size,
                )  # fmt: skip
            return [*before, *part.halves(), *after]
        self.incidents.write(
            "too_large", step, "left out", items,
            f"step {step}: {places(items)}, {size:,} places, does not fit into memory by itself and is left out; "
            "lower data.max_length",
            places=size,
        )  # fmt: skip
        return [*before, *after]


def places_of(batch: Batch) -> int:
    """Places of a batch's largest field, padding counted."""
    shapes = (each.valid.shape if isinstance(each, Padded) else each.shape[:1] for each in batch.fields.values())
    return max(shape.numel() for shape in shapes)


def _random(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _restore(random: tuple[Tensor, Tensor | None]) -> None:
    torch.set_rng_state(random[0])
    if random[1] is not None:
        torch.cuda.set_rng_state(random[1])
