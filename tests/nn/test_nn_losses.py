"""The fused linear cross-entropy against torch's, and against finite differences."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from anyseq.nn import losses
from anyseq.nn.losses import linear_cross_entropy

torch.set_num_threads(1)


def draw(places: int = 7, dim: int = 3, symbols: int = 5, bias: bool = True) -> list[torch.Tensor | None]:
    torch.manual_seed(0)
    shapes = [(places, dim), (symbols, dim), (symbols,)]
    tensors = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    return [*tensors[: 2 + bias], *([None] * (not bias))]


@pytest.mark.parametrize("chunk", [2**20, 10, 1])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_value_and_gradients_are_those_of_torch(
    smoothing: float, bias: bool, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "CHUNK_ELEMENTS", chunk)
    hidden, weight, offset = given = draw(bias=bias)
    target = torch.tensor([0, 4, 2, 2, 1, 0, 3])
    own = linear_cross_entropy(hidden, weight, offset, target, smoothing)
    theirs = F.cross_entropy(F.linear(hidden, weight, offset), target, reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(own, theirs, rtol=0, atol=1e-9)
    wanted = [tensor for tensor in given if tensor is not None]
    # A factor from outside, as a mean or a weight would be.
    for one, two in zip(torch.autograd.grad(2.5 * own, wanted), torch.autograd.grad(2.5 * theirs, wanted), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_gradients_agree_with_finite_differences(smoothing: float) -> None:
    target = torch.tensor([0, 4, 2, 2, 1, 0, 3])
    assert torch.autograd.gradcheck(lambda *given: linear_cross_entropy(*given, target, smoothing), draw())


def test_no_place_and_no_gradient_are_allowed() -> None:
    hidden, weight, bias = draw(places=0)
    loss = linear_cross_entropy(hidden, weight, bias, torch.zeros(0, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0 and not weight.grad.any()
    with torch.no_grad():
        assert linear_cross_entropy(*draw(), torch.zeros(7, dtype=torch.int64)).item() > 0


def test_it_holds_in_float32() -> None:
    hidden, weight, bias = (tensor.detach().float().requires_grad_() for tensor in draw(places=50, symbols=30))
    target = torch.arange(50) % 30
    own = linear_cross_entropy(hidden, weight, bias, target, 0.1)
    theirs = F.cross_entropy(F.linear(hidden, weight, bias), target, reduction="sum", label_smoothing=0.1)
    torch.testing.assert_close(own, theirs, rtol=1e-5, atol=0)
    (one,), (two,) = torch.autograd.grad(own, [weight]), torch.autograd.grad(theirs, [weight])
    torch.testing.assert_close(one, two, rtol=0, atol=1e-4)


def test_under_autocast_products_are_lower_and_sums_are_not() -> None:
    hidden, weight, bias = (tensor.detach().float().requires_grad_() for tensor in draw(places=500, symbols=30))
    target = torch.arange(500) % 30
    theirs = F.cross_entropy(F.linear(hidden, weight, bias), target, reduction="sum", label_smoothing=0.1)
    wanted = torch.autograd.grad(theirs, [hidden, weight, bias])
    with torch.autocast("cpu", torch.bfloat16):
        own = linear_cross_entropy(hidden, weight, bias, target, 0.1)
    found = torch.autograd.grad(own, [hidden, weight, bias])
    assert own.dtype == torch.float32 and all(one.dtype == torch.float32 for one in found)
    for one, two in zip((own, *found), (theirs, *wanted), strict=True):
        assert (one - two).norm() < 0.01 * two.norm()


def test_without_gradients_none_are_made() -> None:
    """Of all products of the loss and its gradients the first is left."""
    hidden, weight, bias = draw()
    target = torch.tensor([0, 4, 2, 2, 1, 0, 3])
    counts = []
    for mode in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        with mode(), FlopCounterMode(display=False) as counter:
            linear_cross_entropy(hidden, weight, bias, target)
        counts.append(counter.get_total_flops() / (2 * hidden.numel() * weight.shape[0]))
    assert counts[0] > 1 and counts[1:] == [1, 1]
