"""The log-probability and score of given values: the numbers a search reports for them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from anyseq.core import Decoder, Memory, Padded, State, width
from anyseq.errors import UsageError
from anyseq.search.penalties import NO_PENALTIES, Penalties, uncovered


class Forced(NamedTuple):
    """What is left after a decoder was led through given values.

    Attributes:
        state: Has consumed all of a row's values but the last.
        log_prob: Sum over the row's values, in nats.
        coverage: Attention summed over the row's values, None where nobody asked.
    """

    state: State
    log_prob: Float[Tensor, " row"]
    coverage: Float[Tensor, "row time"] | None


def force(decoder: Decoder, memory: Memory, target: Padded, *, with_coverage: bool) -> Forced:
    """Lead a decoder from its start through given values in one pass.

    Args:
        decoder: Any that feeds its output back.
        memory: Prepared.
        target: Rows a multiple of the sources (of no values at all: as many as the sources).
        with_coverage: Whether to sum the attention.
    """
    if not target.values.shape[1]:
        coverage = torch.zeros(target.rows, memory.valid.shape[1], device=memory.item.device) if with_coverage else None
        return Forced(decoder.start(memory), torch.zeros(target.rows, device=memory.item.device), coverage)
    emission, state = decoder.unroll(memory, target)
    coverage = None
    if with_coverage and emission.attention is not None:
        coverage = emission.attention().masked_fill(~target.valid.unsqueeze(-1), 0.0).sum(1)
    return Forced(state, emission.log_prob(target.values).sum(1), coverage)


@torch.inference_mode()
def score(
    decoder: Decoder, memory: Memory, target: Padded, penalties: Penalties = NO_PENALTIES
) -> tuple[Float[Tensor, " row"], Float[Tensor, " row"]]:
    """Score given values.

    Args:
        decoder: Any that feeds its output back.
        memory: As `Model.encode` gives it.
        target: Rows a multiple of the sources, end symbols included; values cut by a budget have none, and are
            scored as they are.
        penalties: As the search had them.

    Returns:
        log_prob and score, as `search` reports them for the same values.

    Raises:
        UsageError: a coverage penalty, and a decoder that does not attend.
    """
    refuse_coverage(decoder, penalties)
    memory = decoder.prepare(memory)
    _, log_prob, coverage = force(decoder, memory, target, with_coverage=penalties.coverage != 0)
    unseen = torch.zeros_like(log_prob)
    if coverage is not None:
        unseen = uncovered(coverage, memory.valid.repeat_interleave(width(memory, target.rows), 0))
    return log_prob, penalties.score(log_prob, target.lengths, unseen)


def refuse_coverage(decoder: Decoder, penalties: Penalties) -> None:
    """Refuse a coverage penalty where nothing attends.

    Raises:
        UsageError: so it is.
    """
    if penalties.coverage and not decoder.attends:
        raise UsageError(
            f"a coverage penalty needs attention over the source, and {type(decoder).__name__} has none; "
            "set coverage_penalty to 0, or choose a decoder with attention"
        )
