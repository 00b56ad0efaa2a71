from __future__ import annotations

import pytest
import torch
from search_toys import Fixed, Recurrent, every_output, log_probs_after, memory_of
from torch import Tensor

from anyseq.core import Choice, Decoder, Emission, Hypotheses, Memory, Noise, Padded, State
from anyseq.errors import UsageError
from anyseq.search import Beam, EndSymbol, Sampling, search
from anyseq.search.strategies import LEAST_TEMPERATURE
from signs import forbidden


def drawn(found: Hypotheses, source: int) -> list[tuple[int, ...]]:
    count = int(found.count[source])
    return [tuple(found.values[source, n, : found.lengths[source, n]].tolist()) for n in range(count)]


def assert_frequencies(counts: Tensor, probabilities: Tensor) -> None:
    """Chi-square; the bound is exceeded by chance in about one of 10,000 seeds."""
    expected = probabilities * counts.sum()
    common = expected >= 5
    counts = torch.cat([counts[common], counts[~common].sum()[None]])
    expected = torch.cat([expected[common], expected[~common].sum()[None].clamp(min=1e-3)])
    freedom = len(counts) - 1
    assert float(((counts - expected) ** 2 / expected).sum()) < freedom + 4 * (2 * freedom) ** 0.5 + 4


def test_frequencies_are_the_probabilities() -> None:
    decoder, memory, samples = Recurrent(3, seed=1, sharpness=1.0), memory_of([3, 8]), 4000
    found = search(decoder, memory, strategy=Sampling(samples, seed=5), stop=EndSymbol(4), n_best=samples)
    everything = list(every_output(3, 4))
    for source, key in enumerate([3, 8]):
        outputs = drawn(found, source)
        assert len(outputs) == samples
        counts = torch.tensor([outputs.count(values) for values in everything], dtype=torch.float64)
        steps = [
            [log_probs_after(decoder, memory_of([key]), list(v[:t]))[v[t]].item() for t in range(len(v))]
            for v in everything
        ]
        assert_frequencies(counts, torch.tensor([sum(s) for s in steps], dtype=torch.float64).exp())


@pytest.mark.parametrize(
    ("options", "weights"),
    [
        ({"temperature": 0.5}, [1.0, 4.0, 16.0, 4.0]),
        ({"temperature": 2.0}, [1.0, 2**0.5, 2.0, 2**0.5]),
        ({"top_k": 2}, [0.0, 2.0, 4.0, 0.0]),
        ({"top_k": 99}, [1.0, 2.0, 4.0, 2.0]),
        ({"top_p": 0.5}, [0.0, 2.0, 4.0, 0.0]),
        ({"top_p": 0.4}, [0.0, 0.0, 4.0, 0.0]),
        ({"top_p": 0.7, "top_k": 2}, [0.0, 2.0, 4.0, 0.0]),
        ({"top_p": 0.6, "top_k": 2}, [0.0, 0.0, 4.0, 0.0]),
        ({"top_p": 0.7, "temperature": 0.5}, [0.0, 4.0, 16.0, 0.0]),
    ],
)
def test_what_narrows_the_draw(options: dict[str, float], weights: list[float]) -> None:
    """Probabilities 1, 2, 4, 2 ninths; the reported log_prob stays theirs."""
    decoder = Fixed(torch.tensor([1.0, 2.0, 4.0, 2.0]).log().tolist())
    found = search(decoder, memory_of([1]), strategy=Sampling(3000, **options), stop=EndSymbol(1), n_best=3000)
    first = found.values[0, :, 0]
    wanted = torch.tensor(weights, dtype=torch.float64)
    counts = first.bincount(minlength=4).double()
    assert bool((counts[wanted == 0] == 0).all())
    assert_frequencies(counts, wanted / wanted.sum())
    plain = torch.tensor([1.0, 2.0, 4.0, 2.0], dtype=torch.float64) / 9
    torch.testing.assert_close(found.log_prob[0], plain.log()[first], rtol=0, atol=1e-6)


def test_top_k_chooses_among_what_is_allowed() -> None:
    decoder = Fixed(torch.tensor([1.0, 2.0, 4.0, 2.0]).log().tolist())
    for options in ({"top_k": 1}, {"top_p": 0.3}):
        found = search(
            decoder, memory_of([1]), strategy=Sampling(20, **options), stop=EndSymbol(1), n_best=20,
            constraint=forbidden([[2]], 4),
        )  # fmt: skip
        assert found.values.unique().tolist() == [1]


def test_draws_are_keyed_by_item_sample_and_step() -> None:
    decoder, keys = Recurrent(6, seed=2, sharpness=0.7), [5, 17, 4, 30]
    stop = EndSymbol(8)
    whole = search(decoder, memory_of(keys), strategy=Sampling(6, seed=3), stop=stop, n_best=6)
    assert len(set(drawn(whole, 0))) > 3, "samples differ"
    for source, key in enumerate(keys):
        alone = search(decoder, memory_of([key]), strategy=Sampling(6, seed=3), stop=stop, n_best=6)
        assert drawn(alone, 0) == drawn(whole, source)
        fewer = search(decoder, memory_of([key]), strategy=Sampling(2, seed=3), stop=stop, n_best=2)
        assert set(drawn(fewer, 0)) <= set(drawn(whole, source)), "a sample does not depend on how many there are"
    other = search(decoder, memory_of(keys), strategy=Sampling(6, seed=4), stop=stop, n_best=6)
    assert [drawn(other, s) for s in range(4)] != [drawn(whole, s) for s in range(4)]
    same_content = memory_of([5, 5]).replace(item=torch.tensor([5, 6]))
    twins = search(decoder, same_content, strategy=Sampling(6, seed=3), stop=stop, n_best=6)
    assert drawn(twins, 0) != drawn(twins, 1), "the key, not the content, decides"


class Gaussian(Emission):
    """Two independent standard normals around a mean."""

    valid = attention = None

    def __init__(self, mean: Tensor) -> None:
        self.mean = mean

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.distributions.Normal(self.mean, 1.0).log_prob(x).sum(-1)

    def sample(self, noise: Noise, allowed: Tensor | None = None) -> Choice:
        radius = (-2 * noise.uniform(0).log()).sqrt()
        angle = 2 * torch.pi * noise.uniform(1)
        x = self.mean + torch.stack([radius * angle.cos(), radius * angle.sin()], 1)
        return Choice(x, self.log_prob(x))

    mode = candidates = log_probs = restrict = sharpen = smooth = at = mix = stack = None  # type: ignore[assignment]


class Walk(Decoder):
    """Vectors, each drawn around the one before."""

    discrete = False

    def start(self, memory: Memory) -> State:
        return State(steps=torch.zeros_like(memory.item))

    def step(self, memory: Memory, state: State, previous: Tensor) -> tuple[Gaussian, State]:
        return Gaussian(torch.where(state.steps[:, None] == 0, 10.0, previous)), State(steps=state.steps + 1)


class Far(EndSymbol):
    """Done once a point is far from the origin."""

    def done(self, memory: Memory, state: State, length: Tensor, last: Tensor) -> Tensor:
        return last.norm(dim=-1) > 15


def test_vectors_can_be_sampled() -> None:
    empty = Padded(torch.zeros(2, 0, 2, dtype=torch.float64), torch.zeros(2, 0, dtype=torch.bool))
    options = {"stop": Far(6), "prefix": empty, "n_best": 50}
    found = search(Walk(), memory_of([1, 2]), strategy=Sampling(50), **options)
    assert found.values.shape == (2, 50, 6, 2) and found.lengths.unique().tolist()[-1] == 6
    ended = found.stopped == 0
    assert bool(ended.any()) and not bool(ended.all())
    for source, n in ended.nonzero().tolist():
        path = found.values[source, n, : found.lengths[source, n]]
        assert float(path[-1].norm()) > 15 and bool((path[:-1].norm(dim=-1) <= 15).all())
        steps = path - torch.cat([torch.full((1, 2), 10.0, dtype=torch.float64), path[:-1]])
        log_prob = torch.distributions.Normal(torch.zeros(2, dtype=torch.float64), 1.0).log_prob(steps).sum()
        torch.testing.assert_close(found.log_prob[source, n], log_prob)


@pytest.mark.parametrize("strategy", [Beam(2), Sampling(2, top_k=3), Sampling(2, top_p=0.5)])
def test_vectors_cannot_be_ranked(strategy: Beam) -> None:
    with pytest.raises(UsageError, match="emits no symbols"):
        search(Walk(), memory_of([1]), strategy=strategy, stop=Far(3))
    with pytest.raises(UsageError, match="emits no symbols"):
        search(Walk(), memory_of([1]), strategy=Sampling(2), stop=Far(3), constraint=forbidden([[1]], 3))


def test_the_least_temperature_is_greedy() -> None:
    """In float32, where less would leave no numbers."""
    decoder, memory, stop = Fixed([-30.0, 80.0, 79.9, 0.0]), memory_of([1, 2]), EndSymbol(3)
    found = search(decoder, memory, strategy=Sampling(5, LEAST_TEMPERATURE), stop=stop, n_best=5)
    assert found.values.unique().tolist() == [1] and bool(found.log_prob.isfinite().all())
