"""Laws 1, 5, 6, 7, 9, 15 and 16 over whole models: every encoder and decoder of the table through the one search."""

from __future__ import annotations

import itertools
from itertools import pairwise

import pytest
import torch

from anyseq.core import Padded, Stopped
from anyseq.models.seq2seq import Seq2Seq
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
from laws.cases import FREE_OF
from laws.whole_models import BOUND, EVERY, KINDS, PLAIN, Pair, each_of, make, memory_of, named, outputs
from signs import forbidden

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("unchecked")
KEYS = [4, 0, 7, 13, 2]
BEAM_AND_SAMPLES = pytest.mark.parametrize("strategy", [Beam(3), Sampling(3)], ids=lambda s: type(s).__name__)
every_kind = pytest.mark.parametrize("pair", each_of(KINDS))
every_variant = pytest.mark.parametrize("pair", EVERY, ids=named)


def penalties_for(model: Seq2Seq, length: float) -> Penalties:
    return Penalties(length, 0.7 if model.decoder.attends else 0.0)


@BEAM_AND_SAMPLES
@every_kind
def test_1_neighbours_order_and_padding_change_nothing(pair: Pair, strategy: Beam) -> None:
    model = make(pair, sharpness=2.0)
    options = {
        "strategy": strategy, "penalties": penalties_for(model, 3.0), "stop": EndSymbol(9, 1.5, 2), "n_best": 3,
    }  # fmt: skip
    whole = search(model.decoder, memory_of(model, KEYS), **options)
    for place, key in enumerate(KEYS):
        alone = search(model.decoder, memory_of(model, [key]), **options)
        assert outputs(alone, 0) == outputs(whole, place)
        torch.testing.assert_close(alone.score[0], whole.score[place], **BOUND)
    turned = search(model.decoder, memory_of(model, KEYS[::-1], padding=2), **options)
    for place in range(len(KEYS)):
        assert outputs(turned, place) == outputs(whole, len(KEYS) - 1 - place)


@pytest.mark.parametrize("pair", each_of(PLAIN))
def test_1_in_float32_texts_are_the_same_or_as_good(pair: Pair) -> None:
    model = make(pair, dtype=torch.float32, sharpness=2.0)
    options = {"strategy": Beam(3), "penalties": penalties_for(model, 3.0), "stop": EndSymbol(9, 1.5, 2)}
    whole = search(model.decoder, memory_of(model, KEYS, padding=3), **options)
    for place, key in enumerate(KEYS):
        alone = search(model.decoder, memory_of(model, [key]), **options)
        close = abs(float(alone.score[0, 0] - whole.score[place, 0])) < 1e-4
        assert outputs(alone, 0) == outputs(whole, place) or close


@every_kind
def test_5_a_beam_of_one_is_greedy(pair: Pair) -> None:
    model = make(pair)
    one, greedy = (
        search(model.decoder, memory_of(model, KEYS), strategy=strategy, stop=EndSymbol(9), penalties=Penalties(1.0))
        for strategy in (Beam(1), Greedy())
    )
    for name in ("values", "lengths", "log_prob", "score", "stopped", "count"):
        assert torch.equal(getattr(one, name), getattr(greedy, name)), name


@pytest.mark.parametrize(("strategy", "cut"), [(Beam(3), False), (Beam(3), True), (Sampling(3), False)])
@every_variant
def test_6_reported_numbers_are_those_of_scoring_alone_and_unpadded(pair: Pair, strategy: Beam, cut: bool) -> None:
    """With prefixes of unequal length, which only a search takes in at once and then goes on from step by step."""
    model, keys = make(pair), [4, 7, 13]
    penalties = penalties_for(model, 0.8)
    prefix = Padded.stack([torch.tensor(p, dtype=torch.int64) for p in ([2, 4], [], [1])])
    found = search(
        model.decoder, memory_of(model, keys, padding=1), strategy=strategy, stop=EndSymbol(6), penalties=penalties,
        constraint=MinLength(7, 5) if cut else None, prefix=prefix, n_best=3,
    )  # fmt: skip
    for source, key in enumerate(keys):
        for n, values in enumerate(outputs(found, source)):
            assert values[: prefix.lengths[source]] == prefix.values[source, : prefix.lengths[source]].tolist()
            one = memory_of(model, [key])
            log_prob, value = score(model.decoder, one, Padded.stack([torch.tensor(values)]), penalties)
            torch.testing.assert_close(found.log_prob[source, n], log_prob[0], **BOUND)
            torch.testing.assert_close(found.score[source, n], value[0], **BOUND)
            if cut:
                assert 0 not in values and found.stopped[source, n] in (Stopped.BUDGET, Stopped.BLOCKED)


def every_output(symbols: int, budget: int) -> list[list[int]]:
    complete = [
        [*body, 0] for length in range(budget) for body in itertools.product(range(1, symbols), repeat=length)
    ]
    return complete + [list(body) for body in itertools.product(range(1, symbols), repeat=budget)]


@pytest.mark.parametrize("alpha", [0.0, 4.0])
@every_kind
def test_7_a_wide_beam_is_an_exhaustive_search(pair: Pair, alpha: float) -> None:
    model, budget, keys = make(pair, symbols=4), 3, [4, 6]
    everything, penalties = every_output(4, budget), penalties_for(model, alpha)
    found = search(
        model.decoder, memory_of(model, keys), strategy=Beam(len(everything)), stop=EndSymbol(budget),
        penalties=penalties, n_best=len(everything),
    )  # fmt: skip
    targets = Padded.stack([torch.tensor(values) for values in everything * 2])
    log_probs, values = score(model.decoder, memory_of(model, keys), targets, penalties)  # at this width, at once
    torch.testing.assert_close(log_probs.exp().view(2, -1).sum(1), torch.ones(2, dtype=torch.float64), **BOUND)
    for source in range(2):
        own = range(source * len(everything), (source + 1) * len(everything))
        ranked = [
            (everything[i % len(everything)][-1] != 0, -float(values[i]), everything[i % len(everything)])
            for i in own
            if log_probs[i] > -torch.inf
        ]
        wanted = [output for *_, output in sorted(ranked)]
        if "fed_back" in FREE_OF.get(pair[1], {}):  # beyond its source's last place each order is as likely
            assert sorted(outputs(found, source)) == sorted(wanted)
        else:
            assert outputs(found, source) == wanted
        expected = -torch.tensor([x for _, x, _ in sorted(ranked)], dtype=torch.float64)
        torch.testing.assert_close(found.score[source, : len(ranked)], expected, **BOUND)


@pytest.mark.parametrize("strategy", [Greedy(), Beam(3), Sampling(2)], ids=lambda s: type(s).__name__)
@every_kind
def test_9_every_search_ends_within_its_budget(pair: Pair, strategy: Beam) -> None:
    model, stop = make(pair), EndSymbol(7, 1.0, 1)
    memory = memory_of(model, KEYS)
    budget = stop.budget(memory)
    assert budget.tolist() == [min(7, 2 + key % 5) for key in KEYS]
    endless = search(model.decoder, memory, strategy=strategy, stop=stop, constraint=MinLength(99, 5), n_best=2)
    assert bool((endless.count >= 1).all()) and bool((endless.lengths <= budget[:, None]).all())
    reached = endless.stopped[:, 0] == Stopped.BUDGET
    assert bool((endless.lengths[:, 0] == budget)[reached].all())
    assert bool((reached | (endless.stopped[:, 0] == Stopped.BLOCKED)).all()) and bool(reached.any())
    nothing = All([MinLength(99, 5), forbidden([[symbol] for symbol in range(1, 5)], 5)])
    blocked = search(model.decoder, memory, strategy=strategy, stop=stop, constraint=nothing)
    assert blocked.stopped[:, 0].tolist() == [Stopped.BLOCKED] * len(KEYS)
    assert blocked.count.tolist() == [1] * len(KEYS) and not blocked.lengths.any() and not blocked.log_prob.any()


def obeys(values: list[int]) -> bool:
    pairs = list(pairwise(values))
    return len(set(pairs)) == len(pairs) and (1, 2) not in pairs and 3 not in values


@BEAM_AND_SAMPLES
@every_kind
def test_15_what_a_search_returns_under_a_constraint_obeys_it(pair: Pair, strategy: Beam) -> None:
    model = make(pair)
    options = {"strategy": strategy, "stop": EndSymbol(10), "n_best": 3}
    long = MinLength(7, 5)
    constraint = All([NoRepeatNgram(2, 5), forbidden([[1, 2], [3]], 5), long])
    free = search(model.decoder, memory_of(model, KEYS), constraint=long, **options)
    found = search(model.decoder, memory_of(model, KEYS), constraint=constraint, **options)
    assert not all(obeys(values) for s in range(len(KEYS)) for values in outputs(free, s)), "else this sees nothing"
    assert all(obeys(values) for s in range(len(KEYS)) for values in outputs(found, s))


@every_kind
def test_16_samples_come_as_often_as_the_model_says(pair: Pair) -> None:
    model, budget, keys, draws = make(pair, symbols=4), 3, [4, 6], 2000
    everything = every_output(4, budget)
    targets = Padded.stack([torch.tensor(values) for values in everything * 2])
    expected = score(model.decoder, memory_of(model, keys), targets)[0].exp().view(2, -1)
    found = search(
        model.decoder, memory_of(model, keys), strategy=Sampling(draws), stop=EndSymbol(budget), n_best=draws
    )
    for source in range(2):
        drawn = outputs(found, source)
        assert len(drawn) == draws
        share = torch.tensor([drawn.count(values) / draws for values in everything], dtype=torch.float64)
        spread = (expected[source] * (1 - expected[source]) / draws).sqrt()
        assert bool(((share - expected[source]).abs() <= 4.5 * spread + 1 / draws).all())
        assert not bool(share[expected[source] == 0].any())
