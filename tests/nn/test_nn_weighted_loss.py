"""Cross-entropy with a weight for each place: of the fused kernel, and of what has a table."""

from __future__ import annotations

import torch

from anyseq.nn import losses
from anyseq.nn.emissions import Categorical, Table


def test_the_fused_loss_is_the_plain_one(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(losses, "CHUNK_ELEMENTS", 21)  # several chunks
    torch.manual_seed(1)
    hidden = torch.randn(4, 5, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(7, 6, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(7, dtype=torch.float64, requires_grad=True)
    x, worth = torch.randint(7, (4, 5)), torch.randn(4, 5, dtype=torch.float64)
    valid = torch.arange(5) < torch.tensor([5, 3, 1, 4])[:, None]
    results = []
    for emission in (
        Categorical(hidden, weight, bias, valid=valid),
        Table(torch.nn.functional.linear(hidden, weight, bias), valid),
    ):
        loss = emission.weighted_loss(x, worth)
        results.append((loss, *torch.autograd.grad(loss, (hidden, weight, bias), retain_graph=True)))
    for fused, plain in zip(*results, strict=True):
        torch.testing.assert_close(fused, plain)
    ones = Categorical(hidden, weight, bias, valid=valid)
    torch.testing.assert_close(ones.weighted_loss(x, torch.ones(4, 5).double()), ones.loss(x))
