"""The constraint, and what search writes under it."""

from __future__ import annotations

import itertools

import pytest
import torch

from anyseq.core import Constraint, Item, Memory, Padded
from anyseq.data.codecs.trees import TreesConfig
from anyseq.models.decoders.base import DecoderConfig, MemoryShape
from anyseq.models.decoders.rnn import RnnDecoderConfig
from anyseq.models.decoders.tree import TreeDecoderConfig
from anyseq.search import Beam, Constrained, EndSymbol, Sampling, score, search
from anyseq.search.trees import BRACKETS_A_WORD, BRACKETS_MORE, WellFormed
from laws.cases import unlike_new

torch.set_num_threads(1)
CODEC = TreesConfig(tags=True).fit(["(S (NP (NN a)) (VP (VB b)))"])
WORDS = [4, 1, 3]
SHAPE = {"cell": "lstm", "embed_dim": 4, "hidden_dim": 6}


def memory() -> Memory:
    torch.manual_seed(3)
    valid = torch.arange(5) < torch.tensor(WORDS)[:, None] + 1
    vectors, summary = torch.randn(3, 5, 4, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    return Memory(item=torch.arange(3), vectors=vectors, summary=summary, valid=valid)


def item(count: int) -> Item:
    return Item({"source": " ".join("abcd"[:count])})


@pytest.mark.parametrize("config", [TreeDecoderConfig(**SHAPE), RnnDecoderConfig(**SHAPE)], ids=["tree", "rnn"])
@pytest.mark.parametrize("strategy", [Beam(1), Beam(4), Sampling(20)], ids=["greedy", "beam", "samples"])
@pytest.mark.parametrize("budget", [500, 12])
def test_every_output_is_a_tree_over_exactly_the_words(config: DecoderConfig, strategy: Beam, budget: int) -> None:
    torch.manual_seed(2)
    decoder = Constrained(config.build(MemoryShape(4, 4), CODEC.stream), WellFormed(CODEC.stream))
    unlike_new(decoder)
    given, stop = memory(), EndSymbol(budget)
    fits = WellFormed(CODEC.stream, stop)
    found = search(decoder, given, strategy=strategy, stop=stop, n_best=strategy.width, constraint=fits)
    for source, count in enumerate(WORDS):
        for n in range(int(found.count[source])):
            values = found.values[source, n, : found.lengths[source, n]]
            assert CODEC.is_tree(values, item(count)) and len(values) <= budget
            log_prob, _ = score(decoder, given.select(torch.tensor([source])), Padded.stack([values]))
            torch.testing.assert_close(log_prob[0], found.log_prob[source, n])


def test_it_allows_every_tree_and_nothing_else() -> None:
    """Of all sequences of up to 7 symbols over two words, those it lets pass are those that the codec calls trees."""
    limit, given = WellFormed(CODEC.stream), memory().select(torch.tensor([0]))
    given = given.replace(valid=torch.arange(5)[None] < 3)
    symbols = [0, 4, 5, 6, 7, CODEC.stream.vocab_size - 1]
    passed, trees = set(), set()
    for length in range(1, 8):
        rows = torch.tensor(list(itertools.product(symbols, repeat=length)))
        rows = rows[(rows[:, -1] == 0) & (rows[:, :-1] != 0).all(1)]
        many = given.select(torch.zeros(len(rows), dtype=torch.int64))
        tables, _ = limit.unroll(many, limit.start(many), Padded(rows, torch.ones_like(rows, dtype=torch.bool)))
        lets = tables.gather(2, rows[:, :, None]).all(1)[:, 0]
        passed |= {tuple(row) for row in rows[lets].tolist()}
        trees |= {tuple(row.tolist()) for row in rows if CODEC.is_tree(row, item(2))}
    assert passed == trees and len(trees) == 14


@pytest.mark.parametrize("seed", range(4))
def test_all_of_a_target_at_once_is_its_chain_of_steps(seed: int) -> None:
    """Whatever stands there, tree or none, in pieces and with rows of unequal length."""
    draw = torch.Generator().manual_seed(seed)
    limit, given = WellFormed(CODEC.stream, EndSymbol(30)), memory()
    state = other = limit.start(given)
    for lengths in ([5, 7, 1], [9, 0, 9], [3, 3, 0]):
        valid = torch.arange(9) < torch.tensor(lengths)[:, None]
        target = Padded(torch.randint(CODEC.stream.vocab_size, (3, 9), generator=draw), valid)
        table, state = limit.unroll(given, state, target)
        expected, other = Constraint.unroll(limit, given, other, target)
        assert torch.equal(table[valid], expected[valid]) and torch.equal(state.steps, other.steps)
        for name in ("taken", "opened", "depth", "bare"):
            assert torch.equal(getattr(state.nest, name), getattr(other.nest, name)), name
        for level in range(9):
            for own, theirs in zip(state.nest.innermost(level), other.nest.innermost(level), strict=True):
                assert torch.equal(own, theirs), level


def test_chains_of_brackets_end() -> None:
    """Whoever opens whenever he may is stopped."""
    limit, given = WellFormed(CODEC.stream), memory()
    state, opened = limit.start(given), torch.zeros(3, dtype=torch.int64)
    for _ in range(200):
        allowed = limit.allowed(given, state)
        assert allowed.any(1).all() or bool((state.nest.depth == 0).any())
        chosen = torch.where(allowed[:, 4], 4, allowed.long().argmax(1))
        opened += chosen == 4
        state = limit.advance(given, state, chosen)
    assert opened.tolist() == [BRACKETS_A_WORD * count + BRACKETS_MORE for count in WORDS]
    assert (state.nest.depth == 0).all()
