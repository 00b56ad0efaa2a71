from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from search_toys import Recurrent, every_output, memory_of

from anyseq.core import Constraint, Memory, Padded, State, Stopped
from anyseq.errors import UsageError
from anyseq.search import (
    All,
    Beam,
    Constrained,
    EndSymbol,
    Greedy,
    MinLength,
    NoRepeatNgram,
    Sampling,
    score,
    search,
)
from signs import forbidden

VOCAB = 5


def long_enough(values: list[int]) -> bool:
    return len(values) >= 4 or 0 not in values


def no_pair_twice(values: list[int]) -> bool:
    pairs = list(pairwise(values))
    return len(set(pairs)) == len(pairs)


def no_symbol_twice(values: list[int]) -> bool:
    return len(set(values)) == len(values)


def no_triple_twice(values: list[int]) -> bool:
    triples = [tuple(values[i : i + 3]) for i in range(len(values) - 2)]
    return len(set(triples)) == len(triples)


SEQUENCES = [[3], [1, 2], [2, 2, 2], [4, 1, 4], [1, 1]]


def nothing_forbidden(values: list[int]) -> bool:
    text = ",".join(map(str, [*values, ""]))
    return not any("," + ",".join(map(str, [*sequence, ""])) in "," + text for sequence in SEQUENCES)


CASES: list[tuple[Constraint, Callable[[list[int]], bool]]] = [
    (MinLength(4, VOCAB), long_enough),
    (NoRepeatNgram(1, VOCAB), no_symbol_twice),
    (NoRepeatNgram(2, VOCAB), no_pair_twice),
    (NoRepeatNgram(3, VOCAB), no_triple_twice),
    (forbidden(SEQUENCES, VOCAB), nothing_forbidden),
    (
        All([NoRepeatNgram(2, VOCAB), MinLength(4, VOCAB), forbidden(SEQUENCES, VOCAB)]),
        lambda values: no_pair_twice(values) and long_enough(values) and nothing_forbidden(values),
    ),
]
NAMES = ["min", "no1", "no2", "no3", "forbidden", "all"]


def ids(found, source: int) -> list[list[int]]:  # type: ignore[no-untyped-def]
    return [found.values[source, n, : found.lengths[source, n]].tolist() for n in range(int(found.count[source]))]


@pytest.mark.parametrize(("constraint", "obeys"), CASES, ids=NAMES)
def test_allowed_is_the_definition_at_every_place(constraint: Constraint, obeys: Callable[[list[int]], bool]) -> None:
    """A symbol is allowed exactly when what came before obeys and still does with it."""
    generator = torch.Generator().manual_seed(0)
    memory = memory_of([1, 2, 3, 4, 5, 6])
    state, rows = constraint.start(memory), [[] for _ in range(6)]
    refused = 0
    for _ in range(12):
        allowed = constraint.allowed(memory, state)
        chosen = []
        for row, values in enumerate(rows):
            expected = [obeys([*values, symbol]) for symbol in range(VOCAB)]
            # No output goes on after its end, and none that is stuck is looked at any longer.
            if 0 not in values and obeys(values):
                assert allowed[row].tolist() == expected, values
                refused += VOCAB - sum(expected)
            going_on = [symbol for symbol in range(1, VOCAB) if expected[symbol]] or [1]
            chosen.append(going_on[int(torch.randint(len(going_on), (), generator=generator))])
        # Two neighbours change places: the State moves with its row.
        order = torch.tensor([1, 0, 2, 3, 5, 4])
        state = constraint.advance(memory, state, torch.tensor(chosen)).select(order)
        rows = [[*rows[i], chosen[i]] for i in order.tolist()]
        assert state.steps.tolist() == [len(values) for values in rows]
    assert refused > 0


@pytest.mark.parametrize("constraint", [case[0] for case in CASES], ids=NAMES)
def test_unroll_of_ragged_rows_is_each_row_alone(constraint: Constraint) -> None:
    targets = [[1, 2, 2, 4, 1, 2], [4], [], [2, 2, 1, 4]]
    padded = Padded.stack([torch.tensor(target, dtype=torch.int64) for target in targets])
    memory = memory_of([1, 2, 3, 4])
    tables, state = constraint.unroll(memory, constraint.start(memory), padded)
    after = constraint.allowed(memory, state)
    for row, target in enumerate(targets):
        one = memory_of([row + 1])
        alone = constraint.start(one)
        for time, symbol in enumerate(target):
            assert torch.equal(tables[row, time], constraint.allowed(one, alone)[0])
            alone = constraint.advance(one, alone, torch.tensor([symbol]))
        assert torch.equal(after[row], constraint.allowed(one, alone)[0])
        assert int(state.steps[row]) == len(target)


@pytest.mark.parametrize("strategy", [Greedy(), Beam(4), Sampling(4)], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize(("constraint", "obeys"), CASES, ids=NAMES)
def test_what_a_search_returns_obeys(
    constraint: Constraint, obeys: Callable[[list[int]], bool], strategy: Beam
) -> None:
    decoder, memory = Recurrent(VOCAB, seed=3, end=-5.0), memory_of(list(range(12)))
    free = search(decoder, memory, strategy=strategy, stop=EndSymbol(14), n_best=4)
    assert not all(obeys(values) for s in range(12) for values in ids(free, s)), "else this test sees nothing"
    found = search(decoder, memory, strategy=strategy, stop=EndSymbol(14), n_best=4, constraint=constraint)
    for source in range(12):
        for values in ids(found, source):
            assert obeys(values), values


def test_the_best_under_a_constraint_is_the_best_of_what_obeys() -> None:
    decoder, memory = Recurrent(3, seed=4), memory_of([1, 2, 7])
    constraint = NoRepeatNgram(2, 3)
    found = search(decoder, memory, strategy=Beam(40), stop=EndSymbol(4), constraint=constraint, n_best=40)
    free = search(decoder, memory, strategy=Beam(40), stop=EndSymbol(4), n_best=40)
    for source in range(3):
        kept = [values for values in ids(free, source) if no_pair_twice(values)]
        assert ids(found, source) == kept and len(kept) < len(list(every_output(3, 4)))


def test_nonsense_is_refused() -> None:
    for make in (
        lambda: All([]),
        lambda: MinLength(0, 5),
        lambda: forbidden([], 5),
        lambda: forbidden([[1], []], 5),
        lambda: NoRepeatNgram(0, 5),
    ):
        with pytest.raises(UsageError):
            make()


# A constraint of the model.

class Curt(All):
    """Says nothing about places that are not real."""

    def unroll(self, memory: Memory, state: State, target: Padded) -> tuple[torch.Tensor, State]:
        tables, state = super().unroll(memory, state, target)
        return tables & target.valid.unsqueeze(-1), state


MODEL_CONSTRAINT = Curt([NoRepeatNgram(2, VOCAB), forbidden([[1, 1], [2]], VOCAB)])


def constrained() -> Constrained:
    return Constrained(Recurrent(VOCAB, seed=5), MODEL_CONSTRAINT)


def ragged() -> Padded:
    rows = [[1, 3, 4, 1, 0], [3], [], [4, 4, 3, 0]]
    return Padded.stack([torch.tensor(row, dtype=torch.int64) for row in rows])


@pytest.mark.parametrize("grad", [True, False])
def test_constrained_unroll_is_its_chain_of_steps(grad: bool) -> None:
    """Ragged, at width 2, with an empty row, whole and in pieces."""
    decoder, target = constrained(), ragged()
    with torch.set_grad_enabled(grad):
        memory = decoder.prepare(memory_of([3, 6]))
        emission, state = decoder.unroll(memory, target)
        table = emission.log_probs()
        rows = memory.select(torch.tensor([0, 0, 1, 1]))  # the chain at width 1
        chain, previous = decoder.start(rows), torch.zeros(4, dtype=torch.int64)
        for time in range(target.values.shape[1]):
            one, after = decoder.step(rows, chain, previous)
            valid = target.valid[:, time]
            torch.testing.assert_close(table[valid, time], one.log_probs()[valid], rtol=0, atol=1e-9)
            chain, previous = after.where(valid, chain), target.values[:, time]
        assert torch.equal(state.steps, chain.steps) and state.steps.tolist() == [5, 1, 0, 4]

        cut = 2
        head = Padded(target.values[:, :cut], target.valid[:, :cut])
        tail = Padded(target.values[:, cut:], target.valid[:, cut:])
        first, between = decoder.unroll(memory, head)
        second, last = decoder.unroll(memory, tail, between, target.values[:, cut - 1])
        pieces = torch.cat([first.log_prob(head.values), second.log_prob(tail.values)], 1)
        torch.testing.assert_close(pieces, emission.log_prob(target.values), rtol=0, atol=1e-9)

        assert last.constraint.steps.tolist() == state.constraint.steps.tolist() == [4, 0, 0, 3]
        following = torch.tensor([0, 3, 0, 0])
        for a, b in ((state, chain), (last, chain)):
            torch.testing.assert_close(
                decoder.step(memory, a, following)[0].log_probs(), decoder.step(rows, b, following)[0].log_probs()
            )


def test_constrained_probabilities_are_renormalised_and_trainable() -> None:
    decoder, target = constrained(), ragged()
    memory = memory_of([3, 6])
    emission, _ = decoder.unroll(memory, target)
    total = emission.log_probs().exp().sum(-1)[target.valid]
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-9)
    free, _ = decoder.decoder.unroll(memory, target)
    assert bool((emission.log_prob(target.values) > free.log_prob(target.values))[target.valid].any())
    assert bool(emission.log_probs()[target.valid][:, 2].isneginf().all())
    assert not bool(emission.log_prob(target.values)[~target.valid].any())
    (-emission.log_prob(target.values).sum()).backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.isfinite().all()), name
    assert float(decoder.decoder.recur.grad.abs().sum()) > 0


def test_a_search_sees_a_constrained_decoder_as_any_other() -> None:
    decoder, keys = constrained(), [1, 2, 3, 4, 5, 6]
    found = search(decoder, memory_of(keys), strategy=Beam(3), stop=EndSymbol(7), n_best=3)
    for source, key in enumerate(keys):
        for n, values in enumerate(ids(found, source)):
            assert no_pair_twice(values) and 2 not in values and (1, 1) not in pairwise(values)
            log_prob, _ = score(decoder, memory_of([key]), Padded.stack([torch.tensor(values)]))
            torch.testing.assert_close(found.log_prob[source, n], log_prob[0], rtol=0, atol=1e-9)
    wide = search(decoder, memory_of([3]), strategy=Beam(150), stop=EndSymbol(4), n_best=150)
    real = wide.log_prob[0, : wide.count[0]]
    torch.testing.assert_close(real.exp().sum(), torch.ones((), dtype=torch.float64), rtol=0, atol=1e-9)


def test_a_model_that_leaves_itself_no_way_on_is_blocked() -> None:
    decoder = Constrained(Recurrent(3, seed=1), All([NoRepeatNgram(1, 3), MinLength(9, 3)]))
    for strategy in (Greedy(), Beam(2), Sampling(2)):
        found = search(decoder, memory_of([1, 2]), strategy=strategy, stop=EndSymbol(9), n_best=2)
        assert set(found.stopped.flatten().tolist()) == {Stopped.BLOCKED}
        assert all(sorted(values) == [1, 2] for source in range(2) for values in ids(found, source))


def test_constrained_has_the_abilities_of_what_it_wraps() -> None:
    class Attentive(Recurrent):
        attends = True

    class Whole(Recurrent):
        whole = True

    assert Constrained(Attentive(3), MODEL_CONSTRAINT).attends and not constrained().attends
    with pytest.raises(UsageError, match="cannot be constrained"):
        Constrained(Whole(3), MODEL_CONSTRAINT)
