"""The laws of a decoder of symbols that feeds its output back (laws 1 to 4), as functions of a case.

The case's decoder is in evaluation mode; the bound is that of its type. Every law but the two about gradients also
holds under `no_grad` and under `inference_mode`, where caches are written in place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from anyseq.core import Constraint, Decoder, Memory, Padded, State, Tree
from anyseq.models.decoders.base import MemoryShape
from anyseq.nn.emissions import Categorical
from anyseq.search import Constrained

BOUNDS = {torch.float64: 1e-9, torch.float32: 2e-5}


@dataclass(frozen=True)
class Case:
    """A decoder and a ragged memory of at least three sources, not yet prepared; `vocab_size` symbols."""

    decoder: Decoder
    memory: Memory
    vocab_size: int

    def near(self, one: Tensor, two: Tensor) -> None:
        """The two are equal but for rounding."""
        torch.testing.assert_close(one, two, rtol=0.0, atol=BOUNDS[self.memory.vectors.dtype])


def make_memory(shape: MemoryShape, dtype: torch.dtype = torch.float64, vocab_size: int = 7) -> Memory:
    """Four sources of 5, 1, 3 and 4 places; what stands at padding is as large as the rest.

    Copies: each first place holds the last symbol; of the others two hold the same, and one holds what the first does.
    """
    torch.manual_seed(5)
    copied = vocab_size - 1 - torch.tensor([0, 1, 1, 2, 0]).repeat(4, 1)
    valid = torch.arange(5) < torch.tensor([5, 1, 3, 4])[:, None]

    def drawn(*size: int) -> Tensor:
        return torch.randn(4, *size, dtype=torch.float64).to(dtype)

    return Memory(
        item=torch.arange(4),
        vectors=drawn(5, shape.vectors_dim),
        valid=valid,
        copied=Padded(copied, valid),
        summary=drawn(shape.summary_dim),
        states=Tree(
            **{
                f"layer{i}": Tree(**{name: drawn(width) for name, width in dims.items()})
                for i, dims in enumerate(shape.state_dims)
            }
        ),
    )


def make_target(case: Case, width: int, time: int = 6) -> Padded:
    """Ragged rows: a full one, an empty one, others between; symbols at padding too. A model's constraint is obeyed."""
    torch.manual_seed(6)
    rows = case.memory.rows * width
    lengths = torch.arange(rows) * 5 % (time + 1)
    lengths[0], lengths[-1] = time, 0
    values = torch.randint(case.vocab_size, (rows, time))
    if isinstance(case.decoder, Constrained):
        values = _obeying(case.decoder.constraint, Memory(item=torch.arange(rows)), time)
    return Padded(values, torch.arange(time) < lengths[:, None])


def _obeying(constraint: Constraint, memory: Memory, time: int) -> Tensor:
    state, columns = constraint.start(memory), []
    for _ in range(time):
        columns.append(constraint.allowed(memory, state).double().multinomial(1)[:, 0])
        state = constraint.advance(memory, state, columns[-1])
    return torch.stack(columns, 1)


def copied(state: State) -> State:
    """A copy: a step may use up the State it is given."""
    return state.select(torch.arange(state.rows))


def check_states_agree(case: Case, memory: Memory, one: State, two: State) -> None:
    """Every tensor of the two, and what the decoder says from each, now and a step later."""
    _check_leaves_agree(case, one, two)
    with torch.no_grad():
        one, two = copied(one), copied(two)
        for symbol in (1, 2):
            previous = torch.full((one.rows,), symbol)
            (left, one), (right, two) = (case.decoder.step(memory, state, previous) for state in (one, two))
            case.near(left.log_probs(), right.log_probs())


def _check_leaves_agree(case: Case, one: Any, two: Any) -> None:
    assert [name for name, _ in one] == [name for name, _ in two]
    for (_, left), (_, right) in zip(one, two, strict=True):
        if isinstance(left, Tensor):
            case.near(left, right)
        elif hasattr(left, "replace"):  # a tree; other leaves (caches) hold anything where nobody looks
            _check_leaves_agree(case, left, right)


def check_unroll_is_a_chain_of_steps(case: Case, width: int) -> None:
    """Law 2: log-probabilities, attention and the State; with gradients on, those of all parameters and the memory."""
    target, learns = make_target(case, width), torch.is_grad_enabled()
    results = []
    for unroll in (case.decoder.unroll, lambda *given: Decoder.unroll(case.decoder, *given)):
        vectors = case.memory.vectors.clone().requires_grad_(learns)
        memory = case.decoder.prepare(case.memory.replace(vectors=vectors))
        emission, state = unroll(memory, target)
        log_prob = emission.log_prob(target.values)
        gradients: list[Tensor | None] = []
        if learns:
            case.decoder.zero_grad()
            (log_prob * torch.linspace(0.5, 2, log_prob.numel()).to(log_prob).view_as(log_prob)).sum().backward()
            gradients = [parameter.grad for parameter in case.decoder.parameters()] + [vectors.grad]
        looks = emission.attention() if case.decoder.attends else log_prob
        results.append((log_prob, looks[target.valid], state, gradients))
    (fast, fast_looks, fast_state, fast_gradients), (slow, slow_looks, slow_state, slow_gradients) = results
    assert fast[target.valid].abs().median() > 1e-3, "a toy this sure of itself shows nothing"
    case.near(fast, slow)
    case.near(fast_looks, slow_looks)
    check_states_agree(case, memory, fast_state, slow_state)
    for one, two in zip(fast_gradients, slow_gradients, strict=True):
        assert (one is None) == (two is None)
        if one is not None:
            case.near(one, two)


def check_unroll_in_pieces(case: Case, width: int) -> None:
    """Law 2: two pieces joined by State and `previous` are the whole, also where each row is cut at its own place."""
    memory = case.decoder.prepare(case.memory)
    target = make_target(case, width)
    time, rows = target.values.shape[1], torch.arange(target.rows)
    with torch.no_grad():
        whole, end = case.decoder.unroll(memory, target)
        expected = whole.log_prob(target.values)
        for cut in (torch.tensor(1), torch.tensor(4), rows % 4):
            cuts = torch.minimum(cut.expand(target.rows), target.lengths)
            longest = max(1, int(cuts.max()))
            first = Padded(target.values[:, :longest], torch.arange(longest) < cuts[:, None])
            places = (cuts[:, None] + torch.arange(time)).clamp(max=time - 1)
            second = Padded(
                target.values.gather(1, places), torch.arange(time) < (target.lengths - cuts)[:, None]
            )
            one, between = case.decoder.unroll(memory, first)
            # Rows that are over get any symbol: nothing of theirs is left.
            two, after = case.decoder.unroll(memory, second, between, target.values[rows, (cuts - 1).clamp(min=0)])
            pieces = torch.zeros_like(expected)
            pieces[:, :longest] = one.log_prob(first.values)
            pieces.scatter_add_(1, places, two.log_prob(second.values))
            case.near(pieces, expected)
            check_states_agree(case, memory, after, end)
        nothing = Padded(target.values[:, :0], target.valid[:, :0])
        emission, same = case.decoder.unroll(memory, nothing, copied(end), target.values[:, -1])
        assert emission.log_prob(nothing.values).shape == (target.rows, 0)
        if case.decoder.attends:
            assert emission.attention().shape == (target.rows, 0, memory.valid.shape[1])
        check_states_agree(case, memory, same, end)


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
            copy, kept = copied(state), state.select(chosen)
            for _ in range(2):
                emission, copy = case.decoder.step(memory, copy, previous)
                picked, kept = case.decoder.step(after, kept, previous[chosen])
                case.near(picked.log_probs(), emission.log_probs()[chosen])
                check_states_agree(case, after, kept, copy.select(chosen))
                previous = (previous + 1) % case.vocab_size


def check_causal(
    case: Case, inputs: Callable[[Decoder], nn.Module], everywhere: bool = True, far: bool = True
) -> None:
    """Law 3: the emission at t has no gradient from target >= t, but one from before; padding gives none.

    Args:
        case: The decoder and its memory.
        inputs: Finds the module whose output are the vectors of the fed back target, [row, time, dim] in `unroll`.
        everywhere: A decoder that attends looks at all places of a source.
        far: The emission knows all that stands before, not the last symbol alone.
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
        (gradient,) = torch.autograd.grad(log_probs[:, time, 0].sum(), embedded, retain_graph=True)
        strength = gradient.abs().amax((0, 2))
        assert not strength[time + 1 :].any()
        assert not strength[0].any(), "the start vector stands there"
        known = strength[1 : time + 1]
        assert known.all() if far else known[-1:].all() and not known[:-1].any()
    total = emission.loss(target.values)
    by_input, by_vectors = torch.autograd.grad(total, (embedded, vectors), allow_unused=True)
    assert not by_input[~target.valid].any()
    if case.decoder.attends:
        assert not by_vectors[~case.memory.valid].any()
        reached = by_vectors.abs().sum(-1)[case.memory.valid & (target.lengths > 0)[:, None]]
        assert reached.all() if everywhere else reached.any() and not reached.all()


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
            copied = Padded(alone.copied.values[:, :places], alone.valid[:, :places])
            alone = alone.replace(vectors=alone.vectors[:, :places], valid=copied.valid, copied=copied)
            own = Padded(target.values[row : row + 1, :length], target.valid[row : row + 1, :length])
            single, _ = case.decoder.unroll(case.decoder.prepare(alone), own)
            case.near(single.log_prob(own.values)[0], together[row, :length])
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
        case.near(first, later)


def check_attention_is_a_distribution(case: Case) -> None:
    """Attention is offered exactly where the class says so, sums to 1, and is 0 at padding."""
    decoder, memory = case.decoder, case.decoder.prepare(case.memory)
    emission, _ = decoder.step(memory, decoder.start(memory), torch.zeros(memory.rows, dtype=torch.int64))
    assert (emission.attention is not None) == decoder.attends
    if emission.attention is not None:
        weights = emission.attention()
        case.near(weights.sum(1), torch.ones_like(weights[:, 0]))
        assert not weights[~memory.valid].any()


def check_output_dim(case: Case) -> None:
    """It is told where the emission is a lazy softmax, and nowhere else."""
    memory = case.decoder.prepare(case.memory)
    emission, _ = case.decoder.step(memory, case.decoder.start(memory), torch.zeros(memory.rows, dtype=torch.int64))
    expected = emission.hidden.shape[-1] if isinstance(emission, Categorical) else 0
    assert case.decoder.output_dim == expected
