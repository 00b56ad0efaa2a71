"""The search: one loop for greedy, beam and sampling.

Every source has `width` rows, of which some are alive. At each step every living row proposes children.

- Rows that do not compete (greedy, sampling) have one child each and become it; a child that ends is finished.
- Rows that compete (beam): the 2 * width likeliest children of the source are put in order of the log_prob of all they
  hold, equal ones by the lowest symbol, then the lowest row. A child that ends is finished if it stands among the
  first `width`, and forgotten otherwise; the first `width` of those that do not end live on. So a beam of 1 is greedy:
  it ends exactly when the likeliest child is an end.
- A row without a child (nothing allowed, or all of it impossible) is finished as BLOCKED, with what it has.
- A row as long as its source's budget is finished as BUDGET.
- A source is done when `width` hypotheses have ended or no row lives; its rows are dead from then on. Done sources
  leave the batch, together, as soon as they are a quarter of it.

Nothing here depends on what else is in the batch, and all the loop knows of a model are the nouns of the core.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from anyseq.core import Choice, Constraint, Decoder, Hypotheses, Memory, Padded, State, Stop, Stopped
from anyseq.errors import UsageError
from anyseq.search.finished import Finished
from anyseq.search.penalties import NO_PENALTIES, Penalties, uncovered
from anyseq.search.scoring import force, refuse_coverage
from anyseq.search.strategies import Strategy

_DEAD = -torch.inf  # the log_prob of a row in which no hypothesis lives


@torch.inference_mode()
def search(
    decoder: Decoder,
    memory: Memory,
    *,
    strategy: Strategy,
    stop: Stop,
    penalties: Penalties = NO_PENALTIES,
    constraint: Constraint | None = None,
    prefix: Padded | None = None,
    n_best: int = 1,
) -> Hypotheses:
    """Unfold each source's memory until `stop` says so; the rules stand at the top of this file.

    Args:
        decoder: Any that feeds its output back.
        memory: As `Model.encode` gives it.
        strategy: Greedy, beam or sampling.
        stop: When an output is complete, and when it is cut.
        penalties: What makes a finished hypothesis' score out of its log_prob.
        constraint: What the user allows. What remains is not renormalised: log_prob stays the model's own. A prefix
            is taken in, but not judged.
        prefix: What each output starts with, without end; one row a source, of any length. It counts in length,
            budget, log_prob and score.
        n_best: Hypotheses to return for each source, at least 1.

    Raises:
        UsageError: the decoder cannot do what was asked (beams of vectors, coverage without attention).
        RunError: the decoder's log-probabilities are not numbers.
    """
    _refuse(decoder, strategy, penalties, constraint)
    memory = decoder.prepare(memory)
    if prefix is None:
        prefix = Padded(memory.item.new_zeros(memory.rows, 0), memory.item.new_zeros(memory.rows, 0, dtype=torch.bool))
    finished = Finished()
    live = _start(decoder, memory, strategy, stop, penalties, constraint, prefix, finished)
    while live is not None:
        emission, state = decoder.step(live.memory, live.rows.decoder, live.previous)
        allowed = None if constraint is None else constraint.allowed(live.memory, live.rows.constraint)
        proposed = strategy.propose(emission, allowed, live.memory, state)
        done = stop.done(live.memory, state, state.steps, proposed.values)
        kept = (_compete if strategy.competes else _become)(live.log_prob, proposed, done)
        finished.grow(kept.values.flatten(0, 1), live.node.gather(1, kept.lane).flatten())
        coverage = None
        if penalties.coverage and emission.attention is not None:
            coverage = live.rows.coverage + emission.attention()
        blocked = (proposed.log_prob[:, 0] == _DEAD).view_as(live.log_prob) & (live.log_prob != _DEAD)
        rows = live.rows.replace(steps=state.steps, decoder=state, coverage=coverage)
        live = _advance(live, rows, kept, blocked, constraint, finished)
    return finished.hypotheses(memory.rows, n_best, penalties, prefix)


@dataclass(frozen=True)
class _Live:
    """What is still being written: `width` lanes a source, one row of the decoder each.

    Attributes:
        memory: Of the sources that have not left, prepared.
        source: Their places among all.
        room: Steps each may take.
        ended: How many of each one's hypotheses have ended.
        rows: The states of `decoder` and `constraint`, and `coverage` (attention summed over what a row holds).
        previous: Each row's last value.
        log_prob: Of all that a lane holds; -inf where it is dead.
        node: Each lane's place in the last level of the tree of hypotheses.
    """

    memory: Memory
    source: Int[Tensor, " source"]
    room: Int[Tensor, " source"]
    ended: Int[Tensor, " source"]
    rows: State
    previous: Shaped[Tensor, "row *value"]
    log_prob: Float[Tensor, "source lane"]
    node: Int[Tensor, "source lane"]


class _Kept(NamedTuple):
    """The children of each source that the search looks at; of a beam, in order.

    Attributes:
        values: One for each child.
        log_prob: Of all that the child holds.
        lane: The parent's.
        done: Whether the child ends.
        stay: Which of them become the source's rows, if they do not end.
    """

    values: Shaped[Tensor, "source child *value"]
    log_prob: Float[Tensor, "source child"]
    lane: Int[Tensor, "source child"]
    done: Bool[Tensor, "source child"]
    stay: Int[Tensor, "source lane"]


def _start(
    decoder: Decoder,
    memory: Memory,
    strategy: Strategy,
    stop: Stop,
    penalties: Penalties,
    constraint: Constraint | None,
    prefix: Padded,
    finished: Finished,
) -> _Live | None:
    """Take in the prefix at width 1, then give every source its rows; of those that compete, one is alive."""
    source = torch.arange(memory.rows, device=memory.item.device)
    forced = force(decoder, memory, prefix, with_coverage=penalties.coverage != 0)
    previous = prefix.values.new_zeros(memory.rows, *prefix.values.shape[2:])
    if prefix.values.shape[1]:
        previous = prefix.values[source, (prefix.lengths - 1).clamp(min=0)]
    limits = None
    if constraint is not None:
        limits = constraint.start(memory)
        if prefix.values.shape[1]:
            _, limits = constraint.unroll(memory, limits, prefix)
    rows = State(steps=forced.state.steps, decoder=forced.state, constraint=limits, coverage=forced.coverage)
    room, log_prob = stop.budget(memory) - prefix.lengths, forced.log_prob[:, None]

    blocked = log_prob == _DEAD
    full = (room <= 0)[:, None] & ~blocked
    if bool((blocked | full).any()):
        unseen, node = _unseen(forced.coverage, memory, log_prob), torch.zeros_like(source)[:, None]
        finished.add(Stopped.BLOCKED, blocked, 0, node, source, log_prob, unseen)
        finished.add(Stopped.BUDGET, full, 0, node, source, log_prob, unseen)
        source = source[~(blocked | full).squeeze(1)]
        memory = memory.select(source)
        if not memory.rows:
            return None
    each = source.repeat_interleave(strategy.width)
    log_prob = log_prob[each].view(-1, strategy.width)
    if strategy.competes:
        log_prob[:, 1:] = _DEAD
    return _Live(
        memory, source, room[source], torch.zeros_like(source), _reorder(rows, each), previous[each], log_prob,
        torch.zeros_like(log_prob, dtype=torch.int64),
    )  # fmt: skip


def _become(log_prob: Float[Tensor, "source lane"], proposed: Choice, done: Bool[Tensor, "row 1"]) -> _Kept:
    """Rows that do not compete: each becomes its one child."""
    lane = torch.arange(log_prob.shape[1], device=log_prob.device).expand_as(log_prob)
    total = (log_prob + proposed.log_prob.view_as(log_prob)).masked_fill(log_prob == _DEAD, _DEAD)
    values = proposed.values.view(*log_prob.shape, *proposed.values.shape[2:])
    return _Kept(values, total, lane, done.view_as(log_prob), lane)


def _compete(log_prob: Float[Tensor, "source lane"], proposed: Choice, done: Bool[Tensor, "row k"]) -> _Kept:
    """Rows that compete: the best 2 * width children of the source, in order."""
    sources, width = log_prob.shape
    total = log_prob.unsqueeze(-1) + proposed.log_prob.view(sources, width, -1)
    total = total.masked_fill(log_prob.unsqueeze(-1) == _DEAD, _DEAD).flatten(1)
    by_symbol = proposed.values.view_as(total).argsort(dim=1, stable=True)
    by_log_prob = total.gather(1, by_symbol).argsort(dim=1, descending=True, stable=True)
    best = by_symbol.gather(1, by_log_prob[:, : 2 * width])
    done = done.view_as(total).gather(1, best)
    return _Kept(
        proposed.values.view_as(total).gather(1, best),
        total.gather(1, best),
        best // proposed.log_prob.shape[1],
        done,
        done.byte().argsort(dim=1, stable=True)[:, :width],
    )


def _advance(
    live: _Live, rows: State, kept: _Kept, blocked: Tensor, constraint: Constraint | None, finished: Finished
) -> _Live | None:
    """Finish what ends, let done sources leave, move on to the children that stay; None when nothing lives."""
    sources, width = live.log_prob.shape
    first = torch.arange(sources, device=live.source.device)[:, None]
    node = kept.stay + first * kept.log_prob.shape[1]
    parent = kept.lane.gather(1, kept.stay) + first * width
    log_prob = kept.log_prob.masked_fill(kept.done, _DEAD).gather(1, kept.stay)
    ended = (kept.done & (kept.log_prob != _DEAD))[:, :width]
    cut = (log_prob != _DEAD) & (live.room <= finished.level)[:, None]

    if bool((blocked | ended | cut).any()):
        before = _unseen(live.rows.coverage, live.memory, log_prob)
        unseen = _unseen(rows.coverage, live.memory, log_prob).gather(1, kept.lane)
        finished.add(Stopped.BLOCKED, blocked, finished.level - 1, live.node, live.source, live.log_prob, before)
        rank = torch.arange(width, device=first.device) + first * kept.log_prob.shape[1]
        finished.add(Stopped.END, ended, finished.level, rank, live.source, kept.log_prob[:, :width], unseen[:, :width])
        finished.add(Stopped.BUDGET, cut, finished.level, node, live.source, log_prob, unseen.gather(1, kept.stay))
        total = live.ended + ended.sum(1)
        over = (total >= width) | (cut | (log_prob == _DEAD)).all(1)
        log_prob = log_prob.masked_fill(cut | over[:, None], _DEAD)
        live = replace(live, ended=total)
        if 4 * int(over.sum()) >= sources:
            stay = (~over).nonzero().squeeze(1)
            if not len(stay):
                return None
            node, parent, log_prob = node[stay], parent[stay], log_prob[stay]
            live = replace(
                live, memory=live.memory.select(stay), source=live.source[stay], room=live.room[stay], ended=total[stay]
            )

    rows = _reorder(rows, parent.flatten())
    previous = kept.values.flatten(0, 1).index_select(0, node.flatten())
    if constraint is not None:
        rows = rows.replace(constraint=constraint.advance(live.memory, rows.constraint, previous))
    return replace(live, rows=rows, previous=previous, log_prob=log_prob, node=node)


def _reorder(rows: State, order: Int[Tensor, " new"]) -> State:
    """Rows in a new order; nothing is copied when it is the old one, so greedy search never copies a cache."""
    if order.shape == rows.steps.shape and torch.equal(order, torch.arange(rows.rows, device=order.device)):
        return rows
    return rows.select(order)


def _unseen(
    coverage: Float[Tensor, "row time"] | None, memory: Memory, like: Float[Tensor, "source lane"]
) -> Float[Tensor, "source lane"]:
    """How much of its source each lane has not looked at; 0 where nobody asks."""
    if coverage is None:
        return torch.zeros_like(like)
    return uncovered(coverage.unflatten(0, like.shape), memory.valid[:, None])


def _refuse(decoder: Decoder, strategy: Strategy, penalties: Penalties, constraint: Constraint | None) -> None:
    """Refuse what this decoder cannot do, from its class facts alone."""
    name = type(decoder).__name__
    if decoder.whole:
        raise UsageError(f"{name} gives its whole output at once: there is nothing to search step by step")
    if not decoder.discrete and (strategy.needs_symbols or constraint is not None):
        raise UsageError(
            f"{name} emits no symbols, so {type(strategy).__name__} and constraints have nothing to rank or forbid; "
            "use sampling without top_k and top_p, and no constraint"
        )
    refuse_coverage(decoder, penalties)
