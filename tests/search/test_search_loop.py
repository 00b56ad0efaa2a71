from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from search_toys import (
    Attending,
    Cache,
    EndsWith,
    Fixed,
    Recurrent,
    Short,
    Surely,
    every_output,
    log_probs_after,
    memory_of,
    plain_beam,
)

from anyseq.core import Hypotheses, Memory, Padded, Stopped
from anyseq.errors import RunError, UsageError
from anyseq.search import (
    All,
    Beam,
    EndSymbol,
    Greedy,
    MinLength,
    NoRepeatNgram,
    Penalties,
    Sampling,
    score,
    search,
)
from signs import forbidden

torch.set_num_threads(1)
TIGHT = {"rtol": 0.0, "atol": 1e-9}
STRATEGIES = [Greedy(), Beam(1), Beam(2), Beam(5), Sampling(3), Sampling(3, temperature=0.7, top_k=3, top_p=0.9)]


def outputs(found: Hypotheses, source: int) -> list[list[int]]:
    return [found.values[source, n, : found.lengths[source, n]].tolist() for n in range(int(found.count[source]))]


@pytest.mark.parametrize(
    ("decoder", "penalties"),
    [
        (Recurrent(3, seed=1), Penalties()),
        (Recurrent(3, seed=1), Penalties(3.0)),
        (Attending(3, seed=2), Penalties(0.0, 2.0)),
        (Attending(3, seed=2), Penalties(1.0, 0.7)),
    ],
)
def test_a_wide_beam_finds_every_output(decoder: Recurrent, penalties: Penalties) -> None:
    memory, budget = memory_of([5, 6, 3]), 4
    everything = list(every_output(3, budget))
    found = search(
        decoder, memory, strategy=Beam(40), stop=EndSymbol(budget), penalties=penalties, n_best=len(everything) + 3
    )
    assert found.count.tolist() == [len(everything)] * 3
    for source in range(3):
        one = memory.select(torch.tensor([source]))
        assert sorted(outputs(found, source)) == sorted(map(list, everything))
        real = slice(0, len(everything))
        torch.testing.assert_close(found.log_prob[source, real].exp().sum(), torch.tensor(1.0).double(), **TIGHT)
        padded = Padded.stack([torch.tensor(values) for values in outputs(found, source)])
        log_prob, value = score(decoder, one, padded, penalties)
        torch.testing.assert_close(found.log_prob[source, real], log_prob, **TIGHT)
        torch.testing.assert_close(found.score[source, real], value, **TIGHT)
        complete = torch.tensor([values[-1] == 0 for values in outputs(found, source)])
        assert complete.tolist() == sorted(complete.tolist(), reverse=True), "cut before complete"
        assert value[complete].tolist() == sorted(value[complete].tolist(), reverse=True)
        assert value[~complete].tolist() == sorted(value[~complete].tolist(), reverse=True)
        assert bool((found.stopped[source, real] == torch.where(complete, Stopped.END, Stopped.BUDGET)).all())
    rest = slice(len(everything), None)
    assert bool((found.score[:, rest] == -torch.inf).all() and (found.lengths[:, rest] == 0).all())


def test_the_strong_length_penalty_changes_the_best() -> None:
    """Otherwise the test above would not see a penalty that is ignored."""
    decoder, memory = Recurrent(4, seed=3), memory_of(list(range(12)))
    plain, strong = (
        search(decoder, memory, strategy=Beam(60), stop=EndSymbol(4), penalties=Penalties(alpha))
        for alpha in (0.0, 3.0)
    )
    assert bool((strong.lengths >= plain.lengths).all()) and bool((strong.lengths > plain.lengths).any())


@pytest.mark.parametrize("beam_size", [1, 2, 3, 7])
@pytest.mark.parametrize("ends", [{0}, {0, 2, 3}])
def test_beam_search_is_what_its_docstring_says(beam_size: int, ends: set[int]) -> None:
    decoder, keys, budget = Recurrent(5, seed=4, sharpness=1.0), [3, 1, 8, 4, 7], 5
    found = search(decoder, memory_of(keys), strategy=Beam(beam_size), stop=EndsWith(ends, budget), n_best=beam_size)
    for source, key in enumerate(keys):
        expected = plain_beam(decoder, memory_of([key]), beam_size, budget, ends, beam_size)[:beam_size]
        assert outputs(found, source) == [values for *_, values in expected]
        count = int(found.count[source])
        assert found.stopped[source, :count].tolist() == [reason for reason, *_ in expected]
        torch.testing.assert_close(
            found.log_prob[source, :count], torch.tensor([x for _, x, _ in expected], dtype=torch.float64), **TIGHT
        )


@pytest.mark.parametrize("n_best", [1, 3])
def test_without_penalties_nothing_better_comes_after_the_end(n_best: int) -> None:
    keys, budget, early = list(range(40)), 7, 0
    for seed in range(4):
        decoder = Recurrent(5, seed=seed, sharpness=1.5, end=-1.0)
        decoder.seen_rows = []
        found = search(decoder, memory_of(keys), strategy=Beam(3), stop=EndSymbol(budget), n_best=n_best)
        for source, key in enumerate(keys):
            to_the_last = [h for h in plain_beam(decoder, memory_of([key]), 3, budget, {0}) if h[0] == 0][:n_best]
            if len(to_the_last) < n_best:
                continue
            assert outputs(found, source) == [values for *_, values in to_the_last]
            early += max(len(values) for *_, values in to_the_last) < budget - 1
    assert early > 20, "some should have ended long before the budget"


def test_a_beam_finds_what_a_sure_model_means_to_say() -> None:
    """However many hypotheses have ended: here every other row ends at once, and the likeliest is the longest."""
    decoder = Surely([1, 2, 3, 4, 1, 2, 3, 4, 0], 5)
    for penalties in Penalties(), Penalties(1.0), Penalties(1.0, 0.5):
        greedy, beam = (
            search(decoder, memory_of([1, 2]), strategy=strategy, stop=EndSymbol(20), penalties=penalties)
            for strategy in (Greedy(), Beam(4))
        )
        assert outputs(beam, 0) == outputs(beam, 1) == outputs(greedy, 0) == [decoder.said]
        torch.testing.assert_close(beam.log_prob, greedy.log_prob)


def test_without_penalties_a_beam_ends_with_its_best() -> None:
    for n_best, penalties, steps in (1, Penalties(), 2), (2, Penalties(), 20), (1, Penalties(1.0), 20):
        decoder = Short()
        found = search(
            decoder, memory_of([1, 2]), strategy=Beam(2), stop=EndSymbol(20), n_best=n_best, penalties=penalties
        )
        assert outputs(found, 0)[0] == outputs(found, 1)[0] == [1, 0]
        assert decoder.steps == steps


def test_ties_go_to_the_lowest_symbol_then_the_lowest_row() -> None:
    decoder = Fixed([-1.0, 0.0, 0.0, 0.0])
    greedy = search(decoder, memory_of([1]), strategy=Greedy(), stop=EndSymbol(3))
    assert outputs(greedy, 0) == [[1, 1, 1]]
    beam = search(decoder, memory_of([1]), strategy=Beam(2), stop=EndSymbol(3), n_best=2)
    # Rows 1 and 2 live after one step; both rows' child 1 comes before any row's child 2.
    assert outputs(beam, 0) == [[1, 1, 1], [2, 1, 1]]
    assert outputs(beam, 0) == [v for *_, v in plain_beam(decoder, memory_of([1]), 2, 3, {0})[:2]]


@pytest.mark.parametrize("end", [-2.0, 0.0, 2.0])
def test_a_beam_of_one_is_greedy(end: float) -> None:
    decoder, memory = Recurrent(6, seed=5, end=end), memory_of(list(range(30)))
    one, greedy = (
        search(decoder, memory, strategy=strategy, stop=EndSymbol(9), penalties=Penalties(1.0))
        for strategy in (Beam(1), Greedy())
    )
    for name in ("values", "lengths", "log_prob", "score", "stopped", "count"):
        assert torch.equal(getattr(one, name), getattr(greedy, name)), name
    by_hand: list[int] = []
    while len(by_hand) < 9 and by_hand[-1:] != [0]:
        by_hand.append(int(log_probs_after(decoder, memory_of([7]), by_hand).argmax()))
    assert outputs(greedy, 7) == [by_hand]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: f"{type(s).__name__}{s.width}")
def test_neighbours_order_and_padding_change_nothing(strategy: Beam) -> None:
    decoder, keys = Attending(7, seed=6, end=1.0), [9, 2, 14, 3, 21, 8, 11, 5]
    options = {
        "strategy": strategy, "penalties": Penalties(2.0, 0.5), "n_best": strategy.width,
        "stop": EndSymbol(12, max_length_ratio=2.0, max_length_extra=3), "constraint": NoRepeatNgram(2, 7),
    }  # fmt: skip
    whole = search(decoder, memory_of(keys), **options)
    assert len(set(whole.lengths[:, 0].tolist())) > 2, "the sources should stop at different steps"
    for place, key in enumerate(keys):
        alone = search(decoder, memory_of([key], padding=3), **options)
        assert outputs(alone, 0) == outputs(whole, place)
        torch.testing.assert_close(alone.score[0], whole.score[place], **TIGHT)
    other = search(decoder, memory_of(keys[::-1]), **options)
    assert [outputs(other, 7 - place) for place in range(8)] == [outputs(whole, place) for place in range(8)]


@pytest.mark.parametrize("reason", list(Stopped))
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: f"{type(s).__name__}{s.width}")
def test_reported_numbers_are_those_of_scoring(strategy: Beam, reason: Stopped) -> None:
    decoder, keys, penalties = Attending(5, seed=7), [3, 6, 9, 10], Penalties(0.8, 0.4)
    budget, constraint = {
        Stopped.END: (9, NoRepeatNgram(1, 5)),
        Stopped.BUDGET: (6, MinLength(7, 5)),
        Stopped.BLOCKED: (9, All([NoRepeatNgram(1, 5), MinLength(7, 5)])),
    }[reason]
    prefix = Padded.stack([torch.tensor(p, dtype=torch.int64) for p in ([2, 3], [], [1], [4, 4, 1])])
    found = search(
        decoder, memory_of(keys), strategy=strategy, stop=EndSymbol(budget), penalties=penalties,
        n_best=strategy.width, prefix=prefix, constraint=constraint,
    )  # fmt: skip
    assert found.stopped[:, 0].tolist() == [reason] * 4
    for source, key in enumerate(keys):
        for n, values in enumerate(outputs(found, source)):
            log_prob, value = score(decoder, memory_of([key]), Padded.stack([torch.tensor(values)]), penalties)
            by_hand = sum(log_probs_after(decoder, memory_of([key]), values[:t])[values[t]] for t in range(len(values)))
            torch.testing.assert_close(log_prob[0], by_hand, **TIGHT)
            torch.testing.assert_close(found.log_prob[source, n], log_prob[0], **TIGHT)
            torch.testing.assert_close(found.score[source, n], value[0], **TIGHT)


def test_scores_of_several_outputs_a_source_are_those_of_each_alone() -> None:
    decoder, penalties = Attending(5, seed=8), Penalties(1.0, 1.0)
    rows = [[1, 2, 0], [3, 0], [4, 4, 4, 4], [0]]
    log_prob, value = score(decoder, memory_of([2, 7]), Padded.stack([torch.tensor(r) for r in rows]), penalties)
    for place, row in enumerate(rows):
        alone = score(decoder, memory_of([[2, 7][place // 2]]), Padded.stack([torch.tensor(row)]), penalties)
        torch.testing.assert_close(torch.stack(alone).flatten(), torch.stack([log_prob[place], value[place]]), **TIGHT)


def test_score_is_the_formula() -> None:
    decoder, memory = Attending(5, seed=8), memory_of([7])
    log_prob, value = score(decoder, memory, Padded.stack([torch.tensor([1, 2, 0])]), Penalties(0.6, 0.2))
    with torch.no_grad():
        emission, _ = decoder.unroll(memory, Padded.stack([torch.tensor([1, 2, 0])]))
    looked = emission.attention()[0].sum(0)
    assert bool((looked < 1).any()) and bool((looked > 1).any())
    coverage = float(looked.clamp(max=1.0).log().sum())
    assert float(value[0]) == pytest.approx(float(log_prob[0]) / ((5 + 3) / 6) ** 0.6 + 0.2 * coverage, abs=1e-9)


def test_n_best_are_sorted_and_distinct() -> None:
    found = search(
        Recurrent(6, seed=9), memory_of(list(range(9))), strategy=Beam(6), stop=EndSymbol(8),
        penalties=Penalties(1.0), n_best=6,
    )  # fmt: skip
    for source in range(9):
        texts = outputs(found, source)
        assert len(set(map(tuple, texts))) == len(texts)
        ranks = list(zip(found.stopped[source].tolist(), (-found.score[source]).tolist(), strict=True))
        assert ranks == sorted(ranks)


@pytest.mark.parametrize("strategy", [Greedy(), Beam(4), Sampling(3)], ids=lambda s: type(s).__name__)
def test_every_search_ends_within_its_budget(strategy: Beam) -> None:
    decoder, memory = Recurrent(4, seed=10, end=3.0), memory_of([1, 2, 3, 7])
    stop = EndSymbol(9, max_length_ratio=1.5, max_length_extra=1)
    found = search(decoder, memory, strategy=strategy, stop=stop, constraint=MinLength(99, 4), n_best=4)
    assert stop.budget(memory).tolist() == [4, 6, 7, 7]
    assert bool((found.count >= 1).all())
    for source, budget in enumerate([4, 6, 7, 7]):
        assert found.lengths[source, : found.count[source]].unique().tolist() == [budget]
        assert found.stopped[source, : found.count[source]].unique().tolist() == [Stopped.BUDGET]


@pytest.mark.parametrize("strategy", [Greedy(), Beam(4), Sampling(3)], ids=lambda s: type(s).__name__)
def test_a_search_without_a_way_on_is_blocked(strategy: Beam) -> None:
    decoder, memory = Recurrent(4, seed=10), memory_of([1, 2, 3])
    nothing = All([MinLength(99, 4), forbidden([[1], [2], [3]], 4)])
    found = search(decoder, memory, strategy=strategy, stop=EndSymbol(9), constraint=nothing)
    assert found.count.tolist() == [1, 1, 1] and found.stopped.unique().tolist() == [Stopped.BLOCKED]
    assert found.lengths.tolist() == [[0]] * 3 and found.score.tolist() == [[0.0]] * 3
    # Each symbol once, and no end: three symbols, then nothing.
    once = All([MinLength(99, 4), NoRepeatNgram(1, 4)])
    found = search(decoder, memory, strategy=strategy, stop=EndSymbol(9), constraint=once, n_best=4)
    assert {Stopped.BLOCKED} == set(found.stopped.flatten().tolist())
    for source in range(3):
        assert all(sorted(values) == [1, 2, 3] for values in outputs(found, source))
    found = search(Fixed([-torch.inf] * 3), memory, strategy=strategy, stop=EndSymbol(9))
    assert found.count.tolist() == [1, 1, 1] and found.stopped.unique().tolist() == [Stopped.BLOCKED]


def test_a_ragged_prefix_is_forced() -> None:
    decoder, keys, prefixes = Attending(5, seed=11), [4, 7, 10, 2], [[2, 1], [], [3], [4, 4, 4, 4, 1, 2]]
    padded = Padded.stack([torch.tensor(prefix, dtype=torch.int64) for prefix in prefixes])
    found = search(decoder, memory_of(keys), strategy=Greedy(), stop=EndSymbol(5), prefix=padded)
    for source, (key, prefix) in enumerate(zip(keys, prefixes, strict=True)):
        values = list(prefix)
        while len(values) < 5 and values[-1:] != [0]:
            values.append(int(log_probs_after(decoder, memory_of([key]), values).argmax()))
        assert outputs(found, source) == [values]
        reason = Stopped.END if values[-1] == 0 else Stopped.BUDGET
        assert found.stopped[source, 0] == reason
        assert found.lengths[source, 0] == len(values)


def test_a_prefix_moves_the_constraint_on() -> None:
    decoder = Fixed([-5.0, 0.0, 3.0, 1.0])
    prefix = Padded.stack([torch.tensor([1, 2]), torch.tensor([3]), torch.tensor([], dtype=torch.int64)])
    once, memory = NoRepeatNgram(1, 4), memory_of([1, 2, 3])
    found = search(decoder, memory, strategy=Greedy(), stop=EndSymbol(4), prefix=prefix, constraint=once)
    assert [outputs(found, s)[0] for s in range(3)] == [[1, 2, 3, 0], [3, 2, 1, 0], [2, 3, 1, 0]]


def test_an_impossible_prefix_is_blocked() -> None:
    prefix = Padded.stack([torch.tensor([1]), torch.tensor([2])])
    found = search(Fixed([0.0, -torch.inf, 0.0]), memory_of([1, 2]), strategy=Beam(2), stop=EndSymbol(4), prefix=prefix)
    assert found.stopped[:, 0].tolist() == [Stopped.BLOCKED, Stopped.END] and outputs(found, 0) == [[1]]


def test_greedy_copies_no_cache() -> None:
    Cache.copies = 0
    search(Fixed([0.0, 1.0, 2.0]), memory_of([1, 2, 3]), strategy=Greedy(), stop=EndSymbol(20))
    search(Fixed([0.0, 1.0, 2.0]), memory_of([1, 2, 3]), strategy=Beam(1), stop=EndSymbol(20))
    assert Cache.copies == 0
    search(Fixed([0.0, 1.0, 2.0]), memory_of([1, 2, 3]), strategy=Sampling(4), stop=EndSymbol(1))
    assert Cache.copies == 1, "only to give each sample its row"


def test_sources_that_are_done_leave() -> None:
    decoder, memory = Recurrent(4, seed=12, end=0.5), memory_of(list(range(40)))
    found = search(decoder, memory, strategy=Beam(2), stop=EndSymbol(40))
    rows, longest = decoder.seen_rows, int(found.lengths.max())
    assert rows == sorted(rows, reverse=True) and rows[0] == 80 and rows[-1] <= 20
    assert len(rows) >= longest
    jumps = [(a, b) for a, b in pairwise(rows) if b < a]
    assert all(b <= 0.75 * a for a, b in jumps)


def test_a_source_that_is_done_finds_nothing_more_while_it_waits_to_leave() -> None:
    """A longer hypothesis would win under this penalty, had the source gone on for its neighbours' sake."""
    decoder, keys = Recurrent(5, seed=13, end=1.0, sharpness=0.7), list(range(30))
    options = {"strategy": Beam(2), "stop": EndSymbol(12), "penalties": Penalties(3.0), "n_best": 2}
    whole = search(decoder, memory_of(keys), **options)
    for key in keys:
        assert outputs(search(decoder, memory_of([key]), **options), 0) == outputs(whole, key)


@pytest.mark.parametrize("strategy", [Greedy(), Beam(2), Sampling(2)], ids=lambda s: type(s).__name__)
def test_probabilities_that_are_no_numbers_are_an_error(strategy: Beam) -> None:
    with pytest.raises(RunError, match="nan"):
        search(Fixed([0.0, torch.nan, 0.0]), memory_of([1]), strategy=strategy, stop=EndSymbol(4))


def test_what_a_decoder_cannot_do_is_refused() -> None:
    with pytest.raises(UsageError, match="coverage penalty needs attention"):
        search(Recurrent(3), memory_of([1]), strategy=Beam(2), stop=EndSymbol(3), penalties=Penalties(0.0, 0.1))
    with pytest.raises(UsageError, match="coverage penalty needs attention"):
        score(Recurrent(3), memory_of([1]), Padded.stack([torch.tensor([0])]), Penalties(0.0, 0.1))

    class Whole(Fixed):
        whole = True

    with pytest.raises(UsageError, match="whole output at once"):
        search(Whole([0.0, 0.0]), memory_of([1]), strategy=Greedy(), stop=EndSymbol(3))


def test_attention_is_read_only_for_coverage() -> None:
    class Shy(Recurrent):
        attends = True

        def step(self, memory, state, previous):  # type: ignore[no-untyped-def]
            emission, state = super().step(memory, state, previous)

            def look() -> torch.Tensor:
                raise AssertionError("nobody asked")

            emission.attention = look
            return emission, state

    search(Shy(3), memory_of([1, 2]), strategy=Beam(2), stop=EndSymbol(3), penalties=Penalties(1.0))
    with pytest.raises(AssertionError, match="nobody asked"):
        search(Shy(3), memory_of([1, 2]), strategy=Beam(2), stop=EndSymbol(3), penalties=Penalties(1.0, 0.1))


def test_a_memory_of_keys_alone_is_enough() -> None:
    found = search(Fixed([0.0, 1.0]), Memory(item=torch.arange(2)), strategy=Beam(2), stop=EndSymbol(5, 2.0))
    assert found.count.tolist() == [1, 1] and EndSymbol(5, 2.0).budget(Memory(item=torch.arange(2))).tolist() == [5, 5]


def test_budgets_follow_the_source() -> None:
    memory = memory_of([0, 1, 2, 3])
    assert EndSymbol(9).budget(memory).tolist() == [9, 9, 9, 9]
    assert EndSymbol(9, 1.5).budget(memory).tolist() == [2, 3, 5, 6]
    assert EndSymbol(5, 1.5, 1).budget(memory).tolist() == [3, 4, 5, 5]
    long = Memory(item=torch.arange(1), valid=torch.ones(1, 30, dtype=torch.bool))
    assert EndSymbol(99, 0.1).budget(long).tolist() == [3], "0.1 * 30 is a little more than 3 in floating point"


def test_a_beam_cuts_through_equals_by_the_lowest_symbol() -> None:
    found = search(Fixed([0.0] * 9), memory_of([0, 1, 2]), strategy=Beam(2), stop=EndSymbol(3))
    for source in range(3):
        assert outputs(found, source)[0] == [0]
