"""Constraints of pointers: what they allow, all places at once, and searches that give nothing else."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from anyseq.core import Constraint, Memory, Padded, Pointers, Symbols
from anyseq.errors import ConfigError
from anyseq.models.decoders.base import MemoryShape
from anyseq.models.decoders.pointer import PointerDecoderConfig
from anyseq.search import Beam, Constrained, Greedy, Sampling, search
from anyseq.search.pointing import Closing, EachOnce, Triples
from anyseq.search.scoring import score
from anyseq.search.stops import EndSymbol

CONSTRAINTS = {"each once": EachOnce(), "closing": Closing(), "triples": Triples()}
COUNTS = torch.tensor([5, 1, 3, 2, 4])
every = pytest.mark.parametrize("name", CONSTRAINTS)


def memory_of(counts: torch.Tensor = COUNTS, dim: int = 4) -> Memory:
    torch.manual_seed(1)
    rows, most = len(counts), int(counts.max())
    return Memory(
        item=torch.arange(rows),
        vectors=torch.randn(rows, most, dim, dtype=torch.float64),
        valid=torch.arange(most) < counts[:, None],
        summary=torch.randn(rows, dim, dtype=torch.float64),
    )


def drawn(constraint: Constraint, memory: Memory, width: int, time: int) -> Padded:
    """Targets that a constraint allows, at random; of ragged lengths."""
    sources = torch.arange(memory.rows).repeat_interleave(width)
    wide = memory.select(sources)
    state, columns = constraint.start(wide), []
    for _ in range(time):
        table = constraint.allowed(wide, state)
        table[~table.any(1), 0] = True  # behind the end
        columns.append(table.double().multinomial(1)[:, 0])
        state = constraint.advance(wide, state, columns[-1])
    values = torch.stack(columns, 1)
    ends = (values == 0).int().argmax(1) + 1
    lengths = torch.where((values == 0).any(1), ends, time)
    lengths[0], lengths[-1] = lengths[0] // 2, 0
    return Padded(values, torch.arange(time) < lengths[:, None])


@every
@pytest.mark.parametrize("width", [1, 3])
def test_all_places_at_once_are_the_loop(name: str, width: int) -> None:
    constraint, memory = CONSTRAINTS[name], memory_of()
    target = drawn(constraint, memory, width, 8)
    state = constraint.start(memory).select(torch.arange(memory.rows).repeat_interleave(width))
    for cut in (0, 2, 8):  # in two pieces
        pieces = [Padded(part.values, part.valid) for part in _split(target, cut)]
        fast = slow = state
        for piece in pieces:
            quick, fast = constraint.unroll(memory, fast, piece)
            if piece.values.shape[1]:
                table, slow = Constraint.unroll(constraint, memory, slow, piece)
                assert torch.equal(quick[piece.valid], table[piece.valid])
        for field, value in fast:
            assert torch.equal(value, slow.get(field)), field


def _split(target: Padded, cut: int) -> list[Padded]:
    return [
        Padded(target.values[:, :cut], target.valid[:, :cut]), Padded(target.values[:, cut:], target.valid[:, cut:])
    ]  # fmt: skip


def obeys(name: str, output: list[int], count: int) -> bool:
    body, end = output[:-1], output[-1]
    if end != 0:
        return False
    if name == "each once":
        return sorted(body) == list(range(1, count + 1))
    if name == "closing":
        corners = body[:-1]
        enough = len(corners) >= min(3, count)
        return enough and len(set(corners)) == len(corners) and body[-1] == body[0] and max(corners) <= count
    triples = [body[at : at + 3] for at in range(0, len(body), 3)]
    right = all(len(each) == 3 and all(a < b for a, b in pairwise(each)) for each in triples)
    return right and (len(body) > 0) == (count >= 3) and max(body, default=0) <= count


def model(constraint: Constraint) -> Constrained:
    torch.manual_seed(2)
    config = PointerDecoderConfig(embed_dim=4, hidden_dim=6, attention_dim=3, glimpses=1, clip=3.0)
    decoder = config.build(MemoryShape(4, 4), Pointers()).double().eval()
    for parameter in decoder.parameters():
        parameter.data.add_(0.5 * torch.randn_like(parameter))
    return Constrained(decoder, constraint)


@every
@pytest.mark.parametrize("strategy", [Greedy(), Beam(4), Sampling(6, seed=3)], ids=["greedy", "beam", "samples"])
def test_searches_give_nothing_else(name: str, strategy: Greedy | Beam | Sampling) -> None:
    memory, decoder = memory_of(), model(CONSTRAINTS[name])
    found = search(decoder, memory, strategy=strategy, stop=EndSymbol(40), n_best=strategy.width)
    for source, count in enumerate(COUNTS.tolist()):
        for n in range(int(found.count[source])):
            length = int(found.lengths[source, n])
            output = found.values[source, n, :length].tolist()
            # Triples may go on for ever; what is cut has no end.
            assert obeys(name, output, count) or (name == "triples" and length == 40), (count, output)
    if strategy.width == 4:  # what search reports is what a score of the same says
        best = Padded(found.values[:, 0], torch.arange(found.values.shape[2]) < found.lengths[:, :1])
        log_prob, _ = score(decoder, memory, best)
        torch.testing.assert_close(log_prob, found.log_prob[:, 0])


@every
def test_probabilities_of_all_that_is_allowed_sum_to_one(name: str) -> None:
    memory, decoder = memory_of(torch.tensor([4, 3])), model(CONSTRAINTS[name])
    found = search(decoder, memory, strategy=Beam(400), stop=EndSymbol(5 if name == "triples" else 9), n_best=400)
    totals = found.log_prob.masked_fill(torch.arange(400) >= found.count[:, None], -torch.inf).logsumexp(1)
    torch.testing.assert_close(totals, torch.zeros(2, dtype=torch.float64))


@every
def test_chains_of_steps_and_neighbours(name: str) -> None:
    memory, decoder = memory_of(), model(CONSTRAINTS[name])
    target = drawn(CONSTRAINTS[name], memory, 2, 7)
    prepared = decoder.prepare(memory)
    fast, _ = decoder.unroll(prepared, target)
    slow, _ = super(Constrained, decoder).unroll(prepared, target)
    torch.testing.assert_close(fast.log_prob(target.values), slow.log_prob(target.values))
    assert bool(fast.log_prob(target.values).isfinite().all())
    for row in (4, 5):
        alone = memory.select(torch.tensor([row // 2]))
        alone = alone.replace(vectors=alone.vectors[:, :3], valid=alone.valid[:, :3])
        own = Padded(target.values[row : row + 1], target.valid[row : row + 1])
        emission, _ = decoder.unroll(decoder.prepare(alone), own)
        torch.testing.assert_close(emission.log_prob(own.values)[0], fast.log_prob(target.values)[row])


def test_an_empty_target_and_nothing_to_point_into() -> None:
    memory, decoder = memory_of(), model(EachOnce()).decoder
    empty = Padded(torch.zeros(5, 0, dtype=torch.int64), torch.zeros(5, 0, dtype=torch.bool))
    emission, state = decoder.unroll(decoder.prepare(memory), empty)
    assert emission.log_probs().shape == (5, 0, 6) and not state.steps.any()
    with pytest.raises(ConfigError, match=r"codec\.target\.kind=pointers"):
        PointerDecoderConfig().build(MemoryShape(4, 4), Symbols(5))
    with pytest.raises(ConfigError, match="give an encoder"):
        PointerDecoderConfig().build(MemoryShape(0, 0), Pointers())
