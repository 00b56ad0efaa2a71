"""Laws of emissions of vectors (2, 3, 5, 16), over every one of the catalogue, behind a recurrent decoder."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from anyseq.core import Decoder, Memory, Noise, Padded, Vectors
from anyseq.errors import UsageError
from anyseq.models.decoders.base import MemoryShape
from anyseq.models.decoders.rnn import RnnDecoderConfig
from anyseq.search import Beam, Greedy, Sampling, search
from anyseq.search.scoring import score
from anyseq.search.stops import AtBudget
from laws import cases

EMISSIONS = cases.named("emissions")
DIM = 3
BITS = torch.tensor([[0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1]], dtype=torch.float64)
TARGETS = Padded.stack([BITS[:4], BITS[4:6], BITS[6:]])


def decoder_of(name: str) -> Decoder:
    torch.manual_seed(1)
    config = RnnDecoderConfig(emission=EMISSIONS[name].config, **cases.STACK)
    return cases.unlike_new(config.build(MemoryShape(4, 5), Vectors(DIM)))


def memory_of(rows: int) -> Memory:
    summary = torch.linspace(-1, 1, 5 * rows, dtype=torch.float64).view(rows, 5)
    return Memory(item=torch.arange(rows), summary=summary)


EMPTY = Padded(torch.zeros(3, 0, DIM, dtype=torch.float64), torch.zeros(3, 0, dtype=torch.bool))


@pytest.mark.parametrize("name", EMISSIONS)
def test_unroll_is_a_chain_of_steps(name: str) -> None:
    decoder, memory = decoder_of(name), memory_of(3)
    fast, fast_state = decoder.unroll(memory, TARGETS)
    slow, slow_state = Decoder.unroll(decoder, memory, TARGETS)
    torch.testing.assert_close(fast.log_prob(TARGETS.values), slow.log_prob(TARGETS.values))
    torch.testing.assert_close(fast_state.cells.layer0.h, slow_state.cells.layer0.h)
    assert not bool(fast.log_prob(TARGETS.values)[~TARGETS.valid].any())
    picked = fast.at(TARGETS.valid).log_prob(TARGETS.values[TARGETS.valid])
    torch.testing.assert_close(picked, fast.log_prob(TARGETS.values)[TARGETS.valid])


@pytest.mark.parametrize("name", EMISSIONS)
def test_nothing_is_seen_of_what_comes(name: str) -> None:
    decoder, memory = decoder_of(name), memory_of(3)
    values = TARGETS.values.clone().requires_grad_()
    emission, _ = decoder.unroll(memory, Padded(values, TARGETS.valid))
    said = emission.parameters  # type: ignore[attr-defined]
    [gradient] = torch.autograd.grad(said[:, 1].sum(), values)
    assert bool(gradient[:, 0].any()) and not bool(gradient[:, 1:].any())


@pytest.mark.parametrize("name", EMISSIONS)
def test_greedy_takes_the_mode_and_is_scored_as_found(name: str) -> None:
    decoder, memory = decoder_of(name), memory_of(3)
    found = search(decoder, memory, strategy=Greedy(), stop=AtBudget(5), prefix=EMPTY)
    assert found.values.shape == (3, 1, 5, DIM)
    emission, _ = decoder.step(memory, decoder.start(memory), torch.zeros(3, DIM, dtype=torch.float64))
    torch.testing.assert_close(found.values[:, 0, 0], emission.mode().values)
    everywhere = torch.ones(3, 5, dtype=torch.bool)
    log_prob, _ = score(decoder, memory, Padded(found.values[:, 0], everywhere))
    torch.testing.assert_close(found.log_prob[:, 0], log_prob)
    with pytest.raises(UsageError, match="emits no symbols"):
        search(decoder, memory, strategy=Beam(2), stop=AtBudget(5), prefix=EMPTY)


@pytest.mark.parametrize("name", EMISSIONS)
def test_samples_are_as_the_distribution_says(name: str) -> None:
    """The empirical distribution of many draws against log_prob, by the mean of an even function of it."""
    decoder, memory = decoder_of(name), memory_of(1)
    emission, _ = decoder.step(memory, decoder.start(memory), torch.zeros(1, DIM, dtype=torch.float64))
    count = 20_000

    def drawn(seed: int) -> Tensor:
        rows = torch.zeros(count, dtype=torch.int64)
        wide = emission.like(emission.parameters.expand(count, -1), None, None)  # type: ignore[attr-defined]
        return wide.sample(Noise(seed, rows, torch.arange(count), rows)).values

    one, two = drawn(1), drawn(2)
    assert not torch.equal(one, two) and torch.equal(one, drawn(1))
    middle = emission.quantile(0.5)  # type: ignore[attr-defined]
    below = (one < middle).double().mean(0)
    at_most = (one <= middle).double().mean(0)
    assert bool((below < 0.52).all() and (at_most > 0.48).all())
    high = emission.quantile(0.9)  # type: ignore[attr-defined]
    assert bool(((one < high).double().mean(0) < 0.91).all() and ((one <= high).double().mean(0) > 0.89).all())


@pytest.mark.parametrize("name", EMISSIONS)
def test_a_sample_does_not_depend_on_its_neighbours(name: str) -> None:
    decoder = decoder_of(name)
    options = {"strategy": Sampling(2, seed=3), "stop": AtBudget(3), "n_best": 2}
    together = search(decoder, memory_of(3), prefix=EMPTY, **options)  # type: ignore[arg-type]
    first = torch.tensor([1])
    alone = search(decoder, memory_of(3).select(first), prefix=EMPTY.select(first), **options)  # type: ignore[arg-type]
    torch.testing.assert_close(alone.values[0], together.values[1])


@pytest.mark.parametrize("name", EMISSIONS)
def test_it_learns_vectors_by_heart(name: str) -> None:
    torch.manual_seed(2)
    config = RnnDecoderConfig(emission=EMISSIONS[name].config, embed_dim=8, hidden_dim=32, num_layers=1, dropout=0)
    decoder, memory = config.build(MemoryShape(4, 5), Vectors(DIM)).double(), memory_of(3)
    optimiser = torch.optim.Adam(decoder.parameters())

    def learnt() -> bool:
        found = search(decoder, memory, strategy=Greedy(), stop=AtBudget(4), prefix=EMPTY).values[:, 0]
        return bool(((found - TARGETS.values)[TARGETS.valid].abs() <= 0.45).all())

    for step in range(500):
        if step % 25 == 0 and learnt():
            break
        optimiser.param_groups[0]["lr"] = 0.02 * (1 - step / 500)
        optimiser.zero_grad()
        emission, _ = decoder.unroll(memory, TARGETS)
        emission.loss(TARGETS.values).backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimiser.step()
    assert learnt() and step > 0
