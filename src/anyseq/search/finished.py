"""The hypotheses that came to an end, and how their values are read back."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from anyseq.core import Hypotheses, Padded, Stopped
from anyseq.errors import RunError
from anyseq.search.penalties import Penalties


class _Ended(NamedTuple):
    """Hypotheses, one an element: which source, which node of the tree, what they are worth, why they stopped."""

    source: Tensor
    level: Tensor
    node: Tensor
    log_prob: Tensor
    unseen: Tensor
    stopped: Tensor

    def at(self, places: Tensor) -> _Ended:
        return _Ended(*(column[places] for column in self))


class Finished:
    """A tree of all that was proposed and kept, and the nodes at which hypotheses ended.

    Level t of the tree holds the children kept at step t, each with its value and its parent among level t - 1; level
    0 is one root a source (the prefix). A hypothesis is a node: no history is copied while the search runs, and
    values are read back from leaf to root once, for the n best.
    """

    def __init__(self) -> None:
        self._levels: list[tuple[Tensor, Tensor]] = []
        self._ended: list[_Ended] = []

    @property
    def level(self) -> int:
        """Steps taken."""
        return len(self._levels)

    def grow(self, values: Shaped[Tensor, "node *value"], parent: Int[Tensor, " node"]) -> None:
        """Add a level: the children kept at this step."""
        self._levels.append((values, parent))

    def add(
        self,
        stopped: Stopped,
        level: int,
        node: Int[Tensor, " hypothesis"],
        source: Int[Tensor, " hypothesis"],
        log_prob: Float[Tensor, " hypothesis"],
        unseen: Float[Tensor, " hypothesis"],
    ) -> None:
        """Take in hypotheses that stopped for this reason at these nodes of that level.

        Args:
            stopped: Why.
            level: Their level in the tree.
            node: Their places in it.
            source: Their sources' places among all.
            log_prob: Of all they hold.
            unseen: How much of the source they have not looked at (`penalties.uncovered`).
        """
        levels, reasons = torch.full_like(node, level), torch.full_like(node, int(stopped))
        self._ended.append(_Ended(source, levels, node, log_prob, unseen, reasons))

    def hypotheses(self, sources: int, n_best: int, penalties: Penalties, prefix: Padded) -> Hypotheses:
        """The n best of each source: those that ended, then those cut by the budget, then those blocked; by score.

        Raises:
            RunError: a source has none, because the decoder's probabilities are no numbers.
        """
        ended = _Ended(*(torch.cat(column) for column in zip(*self._ended, strict=True)))
        score = penalties.score(ended.log_prob, ended.level + prefix.lengths[ended.source], ended.unseen)
        order = score.argsort(descending=True, stable=True)
        for column in (ended.stopped, ended.source):
            order = order[column[order].argsort(stable=True)]
        if bool(score.isnan().any()):
            raise RunError(
                "the decoder's log-probabilities are not numbers (nan), so no output is better than another. "
                "Its weights have probably diverged; train with a smaller learning_rate, or go back to a checkpoint"
            )
        count = ended.source.bincount(minlength=sources)
        rank = torch.arange(len(order), device=order.device) - (count.cumsum(0) - count)[ended.source[order]]
        best, score = ended.at(order[rank < n_best]), score[order[rank < n_best]]
        place = best.source * n_best + rank[rank < n_best]

        def laid_out(column: Tensor, rest: float | int) -> Tensor:
            return column.new_full((sources * n_best, *column.shape[1:]), rest).index_copy_(0, place, column).unflatten(
                0, (sources, n_best)
            )

        return Hypotheses(
            values=laid_out(self._read(best, prefix), 0),
            lengths=laid_out(best.level + prefix.lengths[best.source], 0),
            log_prob=laid_out(best.log_prob, -torch.inf),
            score=laid_out(score, -torch.inf),
            stopped=laid_out(best.stopped, Stopped.BLOCKED),
            count=count.clamp(max=n_best),
        )

    def _read(self, ended: _Ended, prefix: Padded) -> Tensor:
        """The values of each hypothesis, prefix included, padded with zeros."""
        ends = set(ended.level.tolist())
        pointer = torch.zeros_like(ended.node)  # anything, above a hypothesis' own level
        columns = []
        for level in range(max(ends), 0, -1):
            if level in ends:
                pointer = torch.where(ended.level == level, ended.node, pointer)
            values, parent = self._levels[level - 1]
            columns.append(values[pointer])
            pointer = parent[pointer]
        given = prefix.lengths[ended.source]
        longest = int((given + ended.level).max())
        table = prefix.values.new_zeros(len(given), longest, *prefix.values.shape[2:])
        table[:, : prefix.values.shape[1]] = prefix.values[ended.source, :longest]
        if columns:
            grown = torch.stack(columns[::-1], 1)
            row, step = (torch.arange(len(columns), device=given.device) < ended.level[:, None]).nonzero(as_tuple=True)
            table[row, given[row] + step] = grown[row, step]
        return table
