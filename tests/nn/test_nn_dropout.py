"""Dropout whose mask is drawn a byte at a time."""

from __future__ import annotations

import pytest
import torch

from anyseq.nn.dropout import Dropout

torch.set_num_threads(1)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_share_is_right_and_the_mean_is_kept(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    dropped = Dropout(p)(torch.ones(250_001, dtype=dtype))
    share = min(round(p * 256), 255) / 256
    zero = float((dropped == 0).double().mean())
    assert zero == pytest.approx(share, abs=5 * (share * (1 - share) / 250_001) ** 0.5)
    kept = dropped[dropped != 0].double()
    assert bool((kept == kept[0]).all()) and float(kept[0]) == pytest.approx(1 / (1 - share), rel=1e-2)


def test_the_gradient_passes_where_the_value_does() -> None:
    torch.manual_seed(1)
    x = torch.randn(4, 50, dtype=torch.float64, requires_grad=True)
    dropped = Dropout(0.4)(x)
    (gradient,) = torch.autograd.grad(dropped.sum(), x)
    torch.testing.assert_close(dropped, x * gradient)
    assert 0 < int((gradient == 0).sum()) < 200


def test_places_are_dropped_independently() -> None:
    """Eight elements share a random word, in it each its own byte."""
    torch.manual_seed(2)
    kept = (Dropout(0.5)(torch.ones(20_000, 8)) != 0).double()
    correlation = torch.corrcoef(kept.t()) - torch.eye(8, dtype=torch.float64)
    assert float(correlation.abs().max()) < 0.04
    neighbours = torch.corrcoef(torch.stack([kept[:-1].flatten(), kept[1:].flatten()]))[0, 1]
    assert abs(float(neighbours)) < 0.02


def test_the_seed_decides_and_every_call_draws_anew() -> None:
    layer, x = Dropout(0.5), torch.ones(999)
    torch.manual_seed(3)
    first, second = layer(x), layer(x)
    torch.manual_seed(3)
    assert torch.equal(layer(x), first) and not torch.equal(first, second)


def test_nothing_is_dropped_in_evaluation_or_at_zero() -> None:
    x = torch.randn(5, 3)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
    assert Dropout(0.5)(torch.zeros(0, 3)).shape == (0, 3)


def test_views_are_dropped_like_any_other() -> None:
    torch.manual_seed(4)
    x = torch.ones(6, 400).t()
    dropped = Dropout(0.25)(x)
    assert dropped.shape == x.shape and 0.1 < float((dropped == 0).double().mean()) < 0.4


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5])
def test_shares_outside_the_range_are_refused(p: float) -> None:
    with pytest.raises(ValueError, match="share in"):
        Dropout(p)
