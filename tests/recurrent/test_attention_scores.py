"""Scores and the reader against their equations, place by place."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from anyseq.core import Memory
from anyseq.nn.attention_scores import (
    AdditiveScores,
    AroundPredicted,
    DotScores,
    Everywhere,
    GeneralScores,
    Reader,
    Scores,
)


def make(name: str) -> Scores:
    torch.manual_seed(7)
    made: dict[str, Scores] = {
        "dot": DotScores(3, 3), "general": GeneralScores(3, 3), "additive": AdditiveScores(3, 3, 4)
    }  # fmt: skip
    return made[name].double()


@pytest.mark.parametrize("name", ["dot", "general", "additive"])
def test_reading_is_what_the_papers_print(name: str) -> None:
    """Rows 0, 1 look at source 0, rows 2, 3 at source 1, which has one place less."""
    scores = make(name)
    reader = Reader(scores, Everywhere(), 2).double()
    torch.nn.init.normal_(reader.hidden.bias)
    memory = Memory(
        item=torch.arange(2),
        vectors=torch.randn(2, 3, 3, dtype=torch.float64),
        valid=torch.tensor([[True] * 3, [True, True, False]]),
    )
    h = torch.randn(4, 2, 3, dtype=torch.float64)
    with torch.no_grad():
        read, weights = reader(h, reader.prepare(memory))
        for row in range(4):
            vectors = memory.vectors[row // 2][memory.valid[row // 2]]
            for time in range(2):
                query = h[row, time]
                if isinstance(scores, DotScores):
                    table = [query @ vector for vector in vectors]
                elif isinstance(scores, GeneralScores):
                    table = [query @ scores.key.weight @ vector for vector in vectors]
                else:
                    assert isinstance(scores, AdditiveScores)
                    inner = [scores.query.weight @ query + scores.key.weight @ v + scores.key.bias for v in vectors]
                    table = [scores.value @ part.tanh() for part in inner]
                expected = torch.stack(table).softmax(0)
                context = expected @ vectors
                torch.testing.assert_close(weights[row, time, : len(vectors)], expected)
                assert not weights[row, time, len(vectors) :].any()
                joined = reader.value.weight @ context + reader.hidden.weight @ query + reader.hidden.bias
                torch.testing.assert_close(read[row, time], joined.tanh())


@pytest.mark.parametrize("window", [1, 2, 9])
@pytest.mark.parametrize("name", ["dot", "general", "additive"])
def test_local_attention_is_what_the_paper_prints(name: str, window: int) -> None:
    """Equations 9 and 10, with S each source's own length; here the weights sum to 1."""
    torch.manual_seed(3)
    reader = Reader(make(name), AroundPredicted(3, window), 2).double()
    reader.focus.place.weight.data.mul_(4)  # so that the predicted places are far apart
    lengths = [6, 3, 1]
    memory = Memory(
        item=torch.arange(3),
        vectors=torch.randn(3, 6, 3, dtype=torch.float64),
        valid=torch.arange(6) < torch.tensor(lengths)[:, None],
    )
    h = 3 * torch.randn(6, 4, 3, dtype=torch.float64)
    shut = 0
    with torch.no_grad():
        _, plain = Reader(reader.scores, Everywhere(), 2).double()(h, reader.prepare(memory))
        _, weights = reader(h, reader.prepare(memory))
        for row, time in itertools.product(range(6), range(4)):
            length = lengths[row // 2]
            inner = (reader.focus.query.weight @ h[row, time]).tanh()
            p = length * float((reader.focus.place.weight @ inner).sigmoid())
            gaussian = torch.tensor([math.exp(-((s - p) ** 2) / (2 * (window / 2) ** 2)) for s in range(length)])
            inside = torch.tensor([abs(s - p) <= window for s in range(length)])
            expected = plain[row, time, :length] * gaussian * inside
            torch.testing.assert_close(weights[row, time, :length], expected / expected.sum(), rtol=1e-6, atol=1e-9)
            assert not weights[row, time, length:].any()
            shut += int((~inside).sum())
    assert (shut > 0) == (window < 6)


def test_dot_scores_need_equal_widths() -> None:
    with pytest.raises(ValueError, match="not 3 and 4"):
        DotScores(3, 4)
