"""The fused linear cross-entropy: projection, softmax, loss and all its gradients in one pass over chunks."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

# A chunk's table should stay in the last-level cache: 2**20 float32 are 4 MiB.
CHUNK_ELEMENTS = 2**20


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, smoothing: float
    ) -> Tensor:
        symbols = weight.shape[0]
        rows = max(1, CHUNK_ELEMENTS // symbols)
        total = hidden.new_zeros(())
        wanted = any(ctx.needs_input_grad[:3])
        grad_hidden = torch.empty_like(hidden) if wanted else None
        grad_weight = torch.zeros_like(weight) if wanted else None
        grad_bias = torch.zeros_like(bias) if wanted and bias is not None else None
        for first in range(0, hidden.shape[0], rows):
            part = slice(first, first + rows)
            table = torch.nn.functional.linear(hidden[part], weight, bias)
            right = target[part, None]
            chosen = table.gather(1, right)
            mean = table.mean(1, keepdim=True) if smoothing else chosen
            norm = table.logsumexp(1, keepdim=True)
            total += (norm - (1 - smoothing) * chosen - smoothing * mean).sum()
            if grad_hidden is None or grad_weight is None:
                continue
            # The table becomes its own gradient: softmax minus the (smoothed) target.
            table.sub_(norm).exp_()
            if smoothing:
                table.sub_(smoothing / symbols)
            table.scatter_add_(1, right, torch.full_like(chosen, smoothing - 1))
            torch.mm(table, weight, out=grad_hidden[part])
            grad_weight.addmm_(table.t(), hidden[part])
            if grad_bias is not None:
                grad_bias += table.sum(0)
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        gradients = [None if saved is None else saved * grad for saved in ctx.saved_tensors]
        return (*gradients, None, None)


def linear_cross_entropy(
    hidden: Float[Tensor, "place dim"],
    weight: Float[Tensor, "symbol dim"],
    bias: Float[Tensor, " symbol"] | None,
    target: Int[Tensor, " place"],
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Summed cross-entropy of softmax(hidden weightᵀ + bias) against the target, without keeping the table.

    Equals `F.cross_entropy(F.linear(hidden, weight, bias), target, reduction="sum", label_smoothing=...)`. The
    gradients are made in the forward pass, chunk by chunk, so that no table of [place, symbol] outlives its chunk.
    It can be differentiated once.

    Args:
        hidden: One vector for each valid place.
        weight: The output embedding.
        bias: One number a symbol, or None.
        target: The right symbol at each place.
        label_smoothing: Share of the target's probability spread uniformly over all symbols, in [0, 1).

    Returns:
        The sum over places, in nats.

    Source:
        Szegedy et al. 2016, arXiv:1512.00567, section 7 (label smoothing).
    """
    return _LinearCrossEntropy.apply(hidden, weight, bias, target, label_smoothing)
