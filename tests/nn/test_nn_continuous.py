"""Distributions over real numbers: densities against numbers worked out by hand, and against their own integrals."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from anyseq.core import Noise
from anyseq.errors import UsageError
from anyseq.nn.continuous import Continuous, Normal, SquaredError
from anyseq.nn.quantiles import Quantiles
from anyseq.nn.student import StudentT, standard_quantile

RAW = torch.tensor([[0.3, -0.2, 0.5]], dtype=torch.float64)
EACH: dict[str, Continuous] = {
    "normal": Normal.of(RAW[:, :2]),
    "squared error": SquaredError(RAW[:, :1], deviation=0.7),
    "student": StudentT.of(RAW),
    "quantiles": Quantiles.of(RAW, None, None, (0.1, 0.4, 0.8)),
    "two quantiles": Quantiles.of(RAW[:, :2], None, None, (0.3, 0.6)),
}
every = pytest.mark.parametrize("name", EACH)


def masses(emission: Continuous, low: float, high: float, places: int = 200_001) -> tuple[Tensor, Tensor]:
    """Values, and the mass of the distribution up to each."""
    x = torch.linspace(low, high, places, dtype=torch.float64)
    density = emission.like(emission.parameters.expand(places, -1), None, None).densities(x[:, None])[:, 0].exp()
    return x, torch.cumulative_trapezoid(density, x)


@every
def test_the_density_is_that_of_the_quantiles(name: str) -> None:
    emission = EACH[name]
    x, mass = masses(emission, -60, 60)
    assert mass[-1].item() == pytest.approx(1, abs=2e-3)
    for share in (0.05, 0.2, 0.5, 0.55, 0.9, 0.97):
        place = torch.searchsorted(x, emission.quantile(share)[0, 0].item())
        assert mass[place].item() == pytest.approx(share, abs=2e-3)


@every
def test_in_other_units(name: str) -> None:
    """x * 3 - 1 has the density of x by 3, its quantiles three times as far apart, less 1."""
    emission, x = EACH[name], torch.tensor([[0.8]], dtype=torch.float64)
    moved = emission.moved(torch.tensor(-1.0), torch.tensor(3.0))
    torch.testing.assert_close(moved.middle(), emission.middle() * 3 - 1)
    if name == "squared error":  # its deviation is fixed
        torch.testing.assert_close(moved.losses(x * 3 - 1), emission.losses(x) * 9)
        return
    torch.testing.assert_close(moved.quantile(0.9), emission.quantile(0.9) * 3 - 1)
    torch.testing.assert_close(moved.densities(x * 3 - 1), emission.densities(x) - math.log(3))


def test_by_hand() -> None:
    x = torch.tensor([[2.0]], dtype=torch.float64)
    normal = Normal(torch.tensor([[1.0, 0.5]], dtype=torch.float64))
    assert normal.densities(x).item() == pytest.approx(-2 - math.log(0.5 * math.sqrt(2 * math.pi)))
    squared = SquaredError(torch.tensor([[0.5]], dtype=torch.float64))
    assert squared.loss(x).item() == pytest.approx(2.25)
    assert squared.log_prob(x).item() == pytest.approx(-1.125 - 0.5 * math.log(2 * math.pi))
    # Three degrees of freedom: 6 sqrt(3) / (π (3 + t²)²), at t = 1.
    student = StudentT(torch.tensor([[0.0, 2.0, 3.0]], dtype=torch.float64))
    assert student.densities(x).item() == pytest.approx(math.log(6 * math.sqrt(3) / (math.pi * 16) / 2))
    # Levels .25 and .75 at 1 and 3: the density between is .25; what is above 3 falls by 1 a unit.
    quantiles = Quantiles(torch.tensor([[1.0, 3.0]], dtype=torch.float64), None, None, (0.25, 0.75))
    assert quantiles.densities(x).item() == pytest.approx(math.log(0.25))
    assert quantiles.densities(x + 2).item() == pytest.approx(math.log(0.25) - 1)
    # Pinball: .25 of what is 1 above the first, .25 of what is 1 below the second; their mean, twice.
    assert quantiles.loss(x).item() == pytest.approx(0.5)
    assert quantiles.quantile(0.5).item() == pytest.approx(2)


def test_quantiles_of_t_are_those_of_the_tables() -> None:
    freedom = torch.tensor([3.0, 5.0, 30.0, 1e5], dtype=torch.float64)
    found = standard_quantile(torch.tensor(0.975, dtype=torch.float64), freedom)
    assert found.tolist() == pytest.approx([3.182446, 2.570582, 2.042272, 1.959988], abs=2e-6)
    assert standard_quantile(torch.tensor(0.1), torch.tensor(4.0)).item() == pytest.approx(-1.533206, abs=1e-5)


def test_quantiles_of_t_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    freedom = torch.tensor([2.001, 2.5, 4, 7.3, 39, 41, 1e3, 1e5, 1e6, 1e9], dtype=torch.float64)
    for share in (0.5, 0.501, 0.8, 0.99, 0.9999, 0.1, 1e-4):
        found = standard_quantile(torch.tensor(share, dtype=torch.float64), freedom)
        assert found.tolist() == pytest.approx(stats.t.ppf(share, freedom.numpy()).tolist(), rel=1e-8)
    assert standard_quantile(torch.tensor(1.0), freedom).isposinf().all()


def test_one_quantile_of_many_t_is_that_of_each() -> None:
    """Of a share that is one number it comes from a table."""
    freedom = torch.cat([2 + torch.logspace(-6, 9, 500, dtype=torch.float64), torch.linspace(2, 3, 99).double()])
    place, scale = torch.full_like(freedom, 3), torch.full_like(freedom, 2)
    emission = StudentT(torch.cat([place, scale, freedom])[None])
    for share in (1e-4, 0.1, 0.5, 0.995):
        wanted = standard_quantile(torch.tensor(share, dtype=torch.float64), freedom)
        torch.testing.assert_close(emission.quantile(share)[0], 3 + 2 * wanted, rtol=1e-8, atol=1e-10)
    assert emission.quantile(1.0).isposinf().all()
    few = StudentT(torch.tensor([[0.0, 1.0, 1.0]]))  # a cool one of Cauchy's
    assert few.quantile(0.75).item() == pytest.approx(1, rel=1e-5)


def test_an_interval_of_many_t_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a solution of each: forecasts of ETTh1 are two million values."""
    solved: list[int] = []

    def counted(share: torch.Tensor, freedom: torch.Tensor) -> torch.Tensor:
        solved.append(freedom.numel())
        return standard_quantile(share, freedom)

    monkeypatch.setattr("anyseq.nn.student.standard_quantile", counted)
    emission = StudentT.of(torch.randn(50, 100, 30, generator=torch.Generator().manual_seed(1)))
    assert emission.quantile(0.123).shape == (50, 100, 10) and sum(solved) < 2000


def test_the_density_of_many_degrees_of_freedom_is_the_normal_s() -> None:
    x = torch.tensor([[0.5, 2.0]])
    found = StudentT(torch.tensor([[0.0, 0, 1, 1, 1e6, 1e8]])).densities(x)
    torch.testing.assert_close(found, -(x**2) / 2 - 0.5 * math.log(2 * math.pi), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in EACH if "quantiles" not in name])
def test_temperature_divides_the_logarithm_of_the_density(name: str) -> None:
    emission, x = EACH[name], torch.linspace(-2, 3, 7, dtype=torch.float64)[:, None]
    wide = emission.like(emission.parameters.expand(7, -1), None, None)
    cool = wide.sharpen(0.5).densities(x) - 2 * wide.densities(x)
    torch.testing.assert_close(cool, cool[:1].expand_as(cool))


def test_quantiles_have_no_temperature() -> None:
    with pytest.raises(UsageError, match="temperature"):
        EACH["quantiles"].sharpen(0.5)


def test_draws_of_t_have_its_quantiles() -> None:
    count = 40_000
    emission = EACH["student"].like(EACH["student"].parameters.expand(count, -1), None, None)
    rows = torch.zeros(count, dtype=torch.int64)
    drawn = emission.sample(Noise(3, rows, torch.arange(count), rows)).values
    for share in (0.01, 0.1, 0.3, 0.9, 0.99):
        assert (drawn < emission.quantile(share)).double().mean().item() == pytest.approx(share, abs=0.006)
