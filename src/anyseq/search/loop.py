"""The search: one loop for greedy, beam and sampling.

Every source has `width` rows, of which some are alive. At each step every living row proposes children.

- Rows that do not compete (greedy, sampling) have one child each and become it; a child that ends is finished.
- Rows that compete (beam): the 2 * width likeliest children of the source are put in order of the log_prob of all they
  hold, equal ones by the lowest symbol, then the lowest row. A child that ends is finished if it stands among the
  first `width`, and forgotten otherwise; the first `width` of those that do not end live on. So a beam of 1 is greedy:
  it ends exactly when the likeliest child is an end.
- A row without a child (nothing allowed, or all of it impossible) is finished as BLOCKED, with what it has.
- A row as long as its source's budget is finished as BUDGET.
- A source is done when no row lives, and where rows compete also when none that lives has, as it stands, a better score
  than the `n_best`-th of those that have ended, coverage aside (which what lives has still to earn). Without penalties
  nothing better can come, for a log_prob only falls. With them that is an estimate, since a longer hypothesis may have
  a better score; it is made when `width` hypotheses have ended. (`early_stopping=False` of Hugging Face's `generate`
  compares with the worst of the best `width` instead.)
- The rows of a done source are dead. Done sources leave the batch, together, as soon as they are a quarter of it.

Nothing here depends on what else is in the batch, and all the loop knows of a model are the nouns of the core.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from anyseq.core import Choice, Constraint, Decoder, Hypotheses, Memory, Padded, State, Stop, Stopped
from anyseq.errors import UsageError
from anyseq.nn.taps import tap
from anyseq.search.finished import Finished
from anyseq.search.penalties import NO_PENALTIES, Penalties, length_normalised, uncovered
from anyseq.search.scoring import force, refuse_coverage
from anyseq.search.strategies import Strategy


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
    live = _start(decoder, memory, strategy, stop, penalties, constraint, prefix, n_best, finished)
    while live is not None:
        emission, state = decoder.step(live.memory, live.rows.decoder, live.previous)
        allowed = None if constraint is None else constraint.allowed(live.memory, live.rows.constraint)
        proposed = strategy.propose(emission, allowed, live.memory, state)
        done = stop.done(live.memory, state, state.steps, proposed.values)
        kept = (_compete if strategy.competes else _become)(live, proposed, done)
        tap(decoder, "search", lambda: (live, kept))  # noqa: B023  called at once
        finished.grow(kept.values, live.node.index_select(0, kept.parent))
        coverage = None
        if penalties.coverage and emission.attention is not None:
            coverage = live.rows.coverage + emission.attention()
        rows = live.rows.replace(steps=state.steps, decoder=state, coverage=coverage)
        live = _advance(live, rows, kept, constraint, penalties, finished)
    return finished.hypotheses(memory.rows, n_best, penalties, prefix)


class _Live(NamedTuple):
    """What is still being written: sources with `width` rows each; row r is source r // width's.

    Attributes:
        memory: Of the sources that have not left, prepared.
        source: Their places among all.
        room: Steps each may take.
        shortest: The least room.
        ended: How many of each one's hypotheses have ended; counted where rows compete.
        best: The scores, without coverage, of the best that have ended, as many as are asked for, best first; none
            where rows do not compete.
        waiting: Whether `width` of a source have ended, and only those that live keep it.
        rows: The states of `decoder` and `constraint`, and `coverage` (attention summed over what a row holds).
        order: The rows as they stand: 0, 1, 2, ...
        alive: Rows that hold a hypothesis; what the others hold is read by nobody.
        previous: Each row's last value.
        log_prob: Of all that a row holds.
        node: Each row's place in the last level of the tree of hypotheses.
    """

    memory: Memory
    source: Int[Tensor, " source"]
    room: Int[Tensor, " source"]
    shortest: int
    ended: Int[Tensor, " source"]
    best: Float[Tensor, "source n"]
    waiting: bool
    rows: State
    order: Int[Tensor, " row"]
    alive: Bool[Tensor, " row"]
    previous: Shaped[Tensor, "row *value"]
    log_prob: Float[Tensor, " row"]
    node: Int[Tensor, " row"]


class _Kept(NamedTuple):
    """The children that the search looks at, equally many for each source; of a beam, best first.

    Attributes:
        values: One for each child.
        parent: The row it comes from.
        log_prob: Of all that the child holds.
        ended: The children that are finished now.
        blocked: The rows that have no child.
        heir: The child that each row becomes.
        alive: Whether there is one.
    """

    values: Shaped[Tensor, "child *value"]
    parent: Int[Tensor, " child"]
    log_prob: Float[Tensor, " child"]
    ended: Bool[Tensor, " child"]
    blocked: Bool[Tensor, " row"]
    heir: Int[Tensor, " row"]
    alive: Bool[Tensor, " row"]


def _start(
    decoder: Decoder,
    memory: Memory,
    strategy: Strategy,
    stop: Stop,
    penalties: Penalties,
    constraint: Constraint | None,
    prefix: Padded,
    n_best: int,
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
    room, log_prob = stop.budget(memory) - prefix.lengths, forced.log_prob

    blocked = log_prob == -torch.inf
    full = (room <= 0) & ~blocked
    if bool((blocked | full).any()):
        unseen = _unseen(forced.coverage, memory, 1, log_prob)
        for why, which in (Stopped.BLOCKED, blocked), (Stopped.BUDGET, full):
            place = which.nonzero().squeeze(1)
            finished.add(why, 0, place, place, log_prob[place], unseen[place])
        source = source[~(blocked | full)]
        memory = memory.select(source)
        if not memory.rows:
            return None
    each, room = source.repeat_interleave(strategy.width), room[source]
    order = torch.arange(len(each), device=each.device)
    alive = order % strategy.width == 0 if strategy.competes else order >= 0
    best = log_prob.new_full((len(source), n_best if strategy.competes else 0), -torch.inf)
    return _Live(
        memory, source, room, int(room.min()), torch.zeros_like(source), best, False, _reorder(rows, each), order,
        alive, previous[each], log_prob[each], each,
    )  # fmt: skip


def _become(live: _Live, proposed: Choice, done: Bool[Tensor, "row 1"]) -> _Kept:
    """Rows that do not compete: each becomes its one child."""
    log_prob = proposed.log_prob.squeeze(1)
    blocked = live.alive & (log_prob == -torch.inf)
    alive = live.alive & ~blocked
    ended = alive & done.squeeze(1)
    return _Kept(
        proposed.values.squeeze(1), live.order, live.log_prob + log_prob, ended, blocked, live.order, alive & ~ended
    )


def _compete(live: _Live, proposed: Choice, done: Bool[Tensor, "row k"]) -> _Kept:
    """Rows that compete: the best 2 * width children of each source, in order."""
    sources, (rows, k) = live.memory.rows, proposed.log_prob.shape
    width = rows // sources
    total = torch.where(live.alive[:, None], live.log_prob[:, None] + proposed.log_prob, -torch.inf)
    total = total.reshape(sources, -1)  # what is proposed may be a slice, which `view` refuses
    symbols, done = proposed.values.reshape(sources, -1), done.reshape(sources, -1)
    by_symbol = symbols.argsort(dim=1, stable=True)
    by_log_prob = total.gather(1, by_symbol).argsort(dim=1, descending=True, stable=True)
    best = by_symbol.gather(1, by_log_prob[:, : 2 * width])

    log_prob, done = total.gather(1, best), done.gather(1, best)
    possible = log_prob != -torch.inf
    ended = possible & done
    ended[:, width:] = False
    first = live.order[:sources, None]  # of each source: its number
    heir = done.argsort(dim=1, stable=True)[:, :width]  # those that do not end come first, in their order
    return _Kept(
        symbols.gather(1, best).flatten(),
        (best // k + first * width).flatten(),
        log_prob.flatten(),
        ended.flatten(),
        live.alive & (proposed.log_prob[:, 0] == -torch.inf),
        (heir + first * best.shape[1]).flatten(),
        (possible & ~done).gather(1, heir).flatten(),
    )


def _advance(
    live: _Live, rows: State, kept: _Kept, constraint: Constraint | None, penalties: Penalties, finished: Finished
) -> _Live | None:
    """Finish what ends, let done sources leave, move every row on to its heir; None when nothing lives."""
    heir, alive = kept.heir, kept.alive
    if live.waiting or finished.level >= live.shortest or bool(torch.cat([kept.ended, kept.blocked]).any()):
        sources, width = live.memory.rows, live.alive.shape[0] // live.memory.rows
        cut = alive & (live.room <= finished.level).repeat_interleave(width)
        unseen = _unseen(rows.coverage, live.memory, width, live.log_prob)[kept.parent]
        _finish(live, kept, cut, unseen, finished)
        alive = alive & ~cut
        over = ~alive.view(sources, width).any(1)
        if live.best.shape[1]:
            worth = length_normalised(kept.log_prob, rows.steps[kept.parent], penalties.length)
            least = 1 if penalties == NO_PENALTIES else width
            live, beaten = _compared(live, worth, kept, alive, least)
            over = over | beaten
        alive = alive & ~over.repeat_interleave(width)
        if 4 * int(over.sum()) >= sources:
            stay = (~over).nonzero().squeeze(1)
            if not len(stay):
                return None
            remain = live.order.view(sources, width)[stay].flatten()
            heir, alive, room = heir[remain], alive[remain], live.room[stay]
            live = live._replace(
                memory=live.memory.select(stay), source=live.source[stay], room=room, shortest=int(room.min()),
                ended=live.ended[stay], best=live.best[stay], order=live.order[: len(remain)],
            )  # fmt: skip
    rows = _reorder(rows, kept.parent.index_select(0, heir))
    previous = kept.values.index_select(0, heir)
    if constraint is not None:
        rows = rows.replace(constraint=constraint.advance(live.memory, rows.constraint, previous))
    log_prob = kept.log_prob.index_select(0, heir)
    return live._replace(rows=rows, alive=alive, previous=previous, log_prob=log_prob, node=heir)


def _compared(
    live: _Live, worth: Float[Tensor, " child"], kept: _Kept, alive: Bool[Tensor, " row"], least: int
) -> tuple[_Live, Bool[Tensor, " source"]]:
    """Which sources have at least so many ended hypotheses, of which the n-th best is no worse than any that lives."""
    sources, width = live.memory.rows, live.alive.shape[0] // live.memory.rows
    ended = live.ended + kept.ended.view(sources, -1).sum(1)
    new = worth.masked_fill(~kept.ended, -torch.inf).view(sources, -1)
    best = torch.cat([live.best, new], 1).topk(live.best.shape[1]).values
    living = worth[kept.heir].masked_fill(~alive, -torch.inf).view(sources, width).amax(1)
    beaten = living <= best[:, -1]
    # Looking at every step costs more than a step less saves where `width` have not ended: then at the next end.
    waiting = (ended >= width) & (best[:, -1] > -torch.inf) & ~beaten
    return live._replace(ended=ended, best=best, waiting=bool(waiting.any())), (ended >= least) & beaten


def _finish(
    live: _Live, kept: _Kept, cut: Bool[Tensor, " row"], unseen: Float[Tensor, " child"], finished: Finished
) -> None:
    """Write down the hypotheses that are blocked (they stay what they were), that ended, and that are cut."""
    sources, width = live.memory.rows, live.alive.shape[0] // live.memory.rows
    before = _unseen(live.rows.coverage, live.memory, width, live.log_prob)
    row, ended, level = kept.blocked.nonzero().squeeze(1), kept.ended.nonzero().squeeze(1), finished.level
    finished.add(Stopped.BLOCKED, level - 1, live.node[row], live.source[row // width], live.log_prob[row], before[row])
    for why, child in (Stopped.END, ended), (Stopped.BUDGET, kept.heir[cut]):
        source = live.source[child // (len(kept.values) // sources)]
        finished.add(why, level, child, source, kept.log_prob[child], unseen[child])


def _reorder(rows: State, order: Int[Tensor, " new"]) -> State:
    """Rows in a new order. Where that is the old one nothing is copied: greedy search never copies a cache."""
    if order.shape == rows.steps.shape and torch.equal(order, torch.arange(rows.rows, device=order.device)):
        return rows
    return rows.select(order)


def _unseen(
    coverage: Float[Tensor, "row time"] | None, memory: Memory, width: int, log_prob: Float[Tensor, " row"]
) -> Float[Tensor, " row"]:
    """How much of its source each row has not looked at; 0 where nobody asks."""
    if coverage is None:
        return torch.zeros_like(log_prob)
    return uncovered(coverage, memory.valid.repeat_interleave(width, 0))


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
