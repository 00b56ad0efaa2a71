"""The laws of a decoder of symbols that feeds its output back (laws 1 to 4), as functions of a case.

A case is made in float64 and evaluation mode; the bound is 1e-9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from anyseq.core import Decoder, Memory, Padded, State

EXACT = {"rtol": 0.0, "atol": 1e-9}


@dataclass(frozen=True)
class Case:
    """A decoder and a ragged memory of at least three sources, not yet prepared; `vocab_size` symbols."""

    decoder: Decoder
    memory: Memory
    vocab_size: int


def make_memory(vectors_dim: int, summary_dim: int) -> Memory:
    """Four sources of 5, 1, 3 and 4 places; what stands at padding is as large as the rest."""
    torch.manual_seed(5)
    return Memory(
        item=torch.arange(4),
        vectors=torch.randn(4, 5, vectors_dim, dtype=torch.float64),
        valid=torch.arange(5) < torch.tensor([5, 1, 3, 4])[:, None],
        summary=torch.randn(4, summary_dim, dtype=torch.float64),
    )


def make_target(case: Case, width: int, time: int = 6) -> Padded:
    """Ragged rows: a full one, an empty one, others between; symbols at padding too."""
    torch.manual_seed(6)
    rows = case.memory.rows * width
    lengths = torch.arange(rows) * 5 % (time + 1)
    lengths[0], lengths[-1] = time, 0
    values = torch.randint(case.vocab_size, (rows, time))
    return Padded(values, torch.arange(time) < lengths[:, None])


def check_states_agree(one: State, two: State) -> None:
    """Every leaf of two trees."""
    assert [name for name, _ in one] == [name for name, _ in two]
    for (_, left), (_, right) in zip(one, two, strict=True):
        if isinstance(left, Tensor):
            torch.testing.assert_close(left, right, **EXACT)
        else:
            check_states_agree(left, right)


def check_unroll_is_a_chain_of_steps(case: Case, width: int) -> None:
    """Law 2: log-probabilities, attention and the State; gradients of every parameter and of the memory."""
    target = make_target(case, width)
    results = []
    for unroll in (case.decoder.unroll, lambda *given: Decoder.unroll(case.decoder, *given)):
        vectors = case.memory.vectors.clone().requires_grad_()
        memory = case.decoder.prepare(case.memory.replace(vectors=vectors))
        emission, state = unroll(memory, target)
        log_prob = emission.log_prob(target.values)
        case.decoder.zero_grad()
        (log_prob * torch.linspace(0.5, 2, log_prob.numel(), dtype=torch.float64).view_as(log_prob)).sum().backward()
        gradients = [parameter.grad for parameter in case.decoder.parameters()] + [vectors.grad]
        looks = emission.attention() if case.decoder.attends else log_prob
        results.append((log_prob, looks[target.valid], state, gradients))
    (fast, fast_looks, fast_state, fast_gradients), (slow, slow_looks, slow_state, slow_gradients) = results
    assert fast[target.valid].abs().min() > 1e-3, "a toy this sure of itself shows nothing"
    torch.testing.assert_close(fast, slow, **EXACT)
    torch.testing.assert_close(fast_looks, slow_looks, **EXACT)
    check_states_agree(fast_state, slow_state)
    for one, two in zip(fast_gradients, slow_gradients, strict=True):
        assert (one is None) == (two is None)
        if one is not None:
            torch.testing.assert_close(one, two, **EXACT)


def check_unroll_in_pieces(case: Case, width: int) -> None:
    """Law 2: two pieces joined by State and `previous` are the whole; an empty row leaves its State unchanged."""
    memory = case.decoder.prepare(case.memory)
    target = make_target(case, width)
    with torch.no_grad():
        whole, end = case.decoder.unroll(memory, target)
        for cut in (1, 4):
            first = Padded(target.values[:, :cut], target.valid[:, :cut])
            second = Padded(target.values[:, cut:], target.valid[:, cut:])
            one, between = case.decoder.unroll(memory, first)
            # Rows that are over get any symbol: nothing of theirs is left.
            two, after = case.decoder.unroll(memory, second, between, first.values[:, -1])
            pieces = torch.cat([one.log_prob(first.values), two.log_prob(second.values)], 1)
            torch.testing.assert_close(pieces, whole.log_prob(target.values), **EXACT)
            check_states_agree(after, end)
        nothing = Padded(target.values[:, :0], target.valid[:, :0])
        emission, same = case.decoder.unroll(memory, nothing, end, target.values[:, -1])
        assert emission.log_prob(nothing.values).shape == (target.rows, 0)
        if case.decoder.attends:
            assert emission.attention().shape == (target.rows, 0, memory.valid.shape[1])
        check_states_agree(same, end)


def check_select_commutes_with_step(case: Case) -> None:
    """Law 4: rows within sources and whole sources, one and two steps on."""
    width = 2
    whole = case.decoder.prepare(case.memory)
    within = torch.tensor([1, 1, 2, 3, 5, 4, 7, 7])  # the first source loses a row, the third swaps its rows
    sources = torch.tensor([2, 0])
    rows = torch.tensor([5, 4, 0, 1])
    for memory, after, chosen in ((whole, whole, within), (whole, whole.select(sources), rows)):
        with torch.no_grad():
            _, state = case.decoder.unroll(memory, make_target(case, width, time=2))
            previous = torch.arange(whole.rows * width) % case.vocab_size
            copy = state.select(torch.arange(state.rows))  # a step may use up the State it is given
            kept = state.select(chosen)
            for _ in range(2):
                emission, copy = case.decoder.step(memory, copy, previous)
                picked, kept = case.decoder.step(after, kept, previous[chosen])
                torch.testing.assert_close(picked.log_probs(), emission.log_probs()[chosen], **EXACT)
                check_states_agree(kept, copy.select(chosen))
                previous = (previous + 1) % case.vocab_size


def check_causal(case: Case, inputs: Callable[[Decoder], nn.Module]) -> None:
    """Law 3: the emission at t has no gradient from target >= t, but one from before; padding gives none.

    Args:
        case: The decoder and its memory.
        inputs: Finds the module whose output are the vectors of the fed back target, [row, time, dim] in `unroll`.
    """
    seen: list[Tensor] = []
    hook = inputs(case.decoder).register_forward_hook(lambda module, given, out: seen.append(out))
    target = make_target(case, 1)
    vectors = case.memory.vectors.clone().requires_grad_()
    emission, _ = case.decoder.unroll(case.decoder.prepare(case.memory.replace(vectors=vectors)), target)
    hook.remove()
    log_probs = emission.log_probs()
    (embedded,) = seen  # place j stands for target j - 1; the start vector takes the first
    for time in range(target.values.shape[1]):
        (gradient,) = torch.autograd.grad(log_probs[:, time, 1].sum(), embedded, retain_graph=True)
        strength = gradient.abs().amax((0, 2))
        assert not strength[time + 1 :].any()
        assert not strength[0].any(), "the start vector stands there"
        assert strength[1 : time + 1].all()
    total = emission.loss(target.values)
    by_input, by_vectors = torch.autograd.grad(total, (embedded, vectors), allow_unused=True)
    assert not by_input[~target.valid].any()
    if case.decoder.attends:
        assert not by_vectors[~case.memory.valid].any()
        reached = target.lengths > 0
        assert by_vectors[case.memory.valid & reached[:, None]].abs().sum(-1).all()


def check_padding_and_neighbours(case: Case) -> None:
    """Law 1: each source alone and unpadded gives what it gives in the batch, whatever stands at padding."""
    target = make_target(case, 1)
    memory = case.memory.replace(vectors=case.memory.vectors.masked_fill(~case.memory.valid[:, :, None], 7.0))
    with torch.no_grad():
        together, _ = case.decoder.unroll(case.decoder.prepare(memory), target)
        together = together.log_prob(target.values)
        for row in range(target.rows):
            alone = case.memory.select(torch.tensor([row]))
            places, length = int(alone.valid.sum()), int(target.lengths[row])
            alone = alone.replace(vectors=alone.vectors[:, :places], valid=alone.valid[:, :places])
            own = Padded(target.values[row : row + 1, :length], target.valid[row : row + 1, :length])
            single, _ = case.decoder.unroll(case.decoder.prepare(alone), own)
            torch.testing.assert_close(single.log_prob(own.values)[0], together[row, :length], **EXACT)
            assert not together[row, length:].any()


def check_every_parameter_learns(case: Case) -> None:
    """Law 3: no parameter is left without a gradient."""
    case.decoder.zero_grad()
    target = make_target(case, 1)
    emission, _ = case.decoder.unroll(case.decoder.prepare(case.memory), target)
    emission.loss(target.values).backward()
    idle = [name for name, own in case.decoder.named_parameters() if own.grad is None or not own.grad.any()]
    assert not idle


def check_start_vector(case: Case) -> None:
    """A row with steps 0 gets the start vector, whatever `previous` says; later `previous` matters."""
    memory = case.decoder.prepare(case.memory)
    with torch.no_grad():
        tables = []
        for symbol in (1, 2):
            previous = torch.full((memory.rows,), symbol)
            emission, state = case.decoder.step(memory, case.decoder.start(memory), previous)
            later, _ = case.decoder.step(memory, state, previous)
            tables.append((emission.log_probs(), later.log_probs()))
    (first, later), (other_first, other_later) = tables
    assert torch.equal(first, other_first)
    assert not torch.allclose(later, other_later)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(first, later, **EXACT)
