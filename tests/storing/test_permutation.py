import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anyseq.data import batching
from anyseq.data.batching import Position, TokenBatches
from anyseq.data.permutation import Mixture, Permutation


@given(st.integers(1, 3000), st.lists(st.integers(0, 2**40), min_size=1, max_size=3))
def test_it_is_a_bijection_of_which_any_place_is_found_alone(size, key):
    whole = Permutation(size, key)(np.arange(size))
    assert sorted(whole.tolist()) == list(range(size))
    place = size // 3
    assert Permutation(size, key)(np.array([place])).tolist() == [whole[place]]


def test_keys_give_other_permutations_which_look_random():
    size = 10_000_000
    places = np.arange(2000)
    one, other = (Permutation(size, (1, epoch))(places) for epoch in (0, 1))
    assert len(set(one.tolist())) == 2000 and one.max() < size
    assert (one == other).sum() < 5
    assert abs(one.mean() / size - 0.5) < 0.03
    assert abs(np.corrcoef(one[:-1], one[1:])[0, 1]) < 0.1


def test_an_epoch_of_one_pool_is_as_it_always_was():
    lengths = torch.from_numpy(np.random.default_rng(0).integers(1, 9, 500))
    random = np.random.default_rng((3, 2))
    order = random.permutation(500)
    order = order[np.argsort(lengths.numpy()[order], kind="stable")]
    cuts = list(batching.cut(order, lengths.numpy(), 40))
    wanted = [cuts[i].tolist() for i in random.permutation(len(cuts))]
    assert [rows.tolist() for rows in TokenBatches(lengths, 40, 3).epoch(2)] == wanted


@pytest.fixture
def pools(monkeypatch):
    monkeypatch.setattr(batching, "POOL_BATCHES", 3)
    return TokenBatches(torch.from_numpy(np.random.default_rng(0).integers(1, 9, 500)), 40, 3)


def test_several_pools_show_every_item_once_an_epoch(pools):
    assert pools.pools > 10
    for epoch in (0, 1):
        assert sorted(torch.cat(pools.epoch(epoch)).tolist()) == list(range(500))
    assert [rows.tolist() for rows in pools.epoch(0)] != [rows.tolist() for rows in pools.epoch(1)]


def test_any_position_goes_on_as_if_all_before_had_been_read(pools):
    stream = pools.batches(Position())
    read = [next(stream) for _ in range(300)]
    assert read[-1][1].epoch >= 2
    for place in (0, 1, 7, 100, 250):
        again = pools.batches(read[place][1])
        for rows, after in read[place + 1 : place + 20]:
            found, at = next(again)
            assert found.equal(rows) and at == after


def test_only_the_pool_of_a_position_is_planned(pools):
    planned = []
    plan = pools.pool
    pools.pool = lambda epoch, number: planned.append((epoch, number)) or plan(epoch, number)
    next(pools.batches(Position(5, 1, 7)))
    assert planned == [(5, 7)]


def test_weights_say_how_often_an_epoch_shows_an_item():
    mixture = Mixture((100, 50, 200), (1.0, 3.0, 0.25))
    batches = TokenBatches(torch.full((350,), 5), 40, 1, mixture)
    seen = [np.bincount(torch.cat(batches.epoch(epoch)).numpy(), minlength=350) for epoch in (0, 1)]
    for counts in seen:
        assert (counts[:100] == 1).all() and (counts[100:150] == 3).all()
        assert counts[150:].sum() == 50 and counts[150:].max() == 1
    assert (seen[0][150:] != seen[1][150:]).any()
    assert [rows.tolist() for rows in batches.epoch(1)] == [rows.tolist() for rows in batches.epoch(1)]
