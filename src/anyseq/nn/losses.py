"""The fused linear cross-entropy: projection, softmax, loss and all its gradients in one pass over chunks."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

# A chunk's table should stay in the last-level cache: 2**20 float32 are 4 MiB.
CHUNK_ELEMENTS = 2**20


def rows_at_once(symbols: int) -> int:
    """Rows of a table over so many symbols that make a chunk."""
    return max(1, CHUNK_ELEMENTS // symbols)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, smoothing: float,
        share: Tensor | None, other: Tensor | None, worth: Tensor | None, learns: bool,
    ) -> Tensor:  # fmt: skip
        symbols = weight.shape[0]
        rows = rows_at_once(symbols)
        # `hidden` settles the type of the products; softmax and sums are of the weights' own (autocast: bf16, float32).
        narrow_weight, narrow_bias = weight.to(hidden.dtype), None if bias is None else bias.to(hidden.dtype)
        total = weight.new_zeros(())
        wanted = learns and any(ctx.needs_input_grad)  # which says True under no_grad, too
        grad_hidden = torch.empty_like(hidden) if wanted else None
        grad_weight = torch.zeros_like(weight) if wanted else None
        grad_bias = torch.zeros_like(weight[:, 0]) if wanted and bias is not None else None
        of_softmax = None if share is None else torch.empty_like(share)
        for first in range(0, hidden.shape[0], rows):
            part, right = hidden[first : first + rows], target[first : first + rows, None]
            log_probs = F.linear(part, narrow_weight, narrow_bias).log_softmax(1, dtype=weight.dtype)
            chosen = log_probs.gather(1, right)
            if share is not None and other is not None and of_softmax is not None:
                own = chosen + share[first : first + rows, None]
                chosen = torch.logaddexp(own, other[first : first + rows, None])
                of_softmax[first : first + rows] = (own - chosen).exp().squeeze(1)
            weights = None if worth is None else worth[first : first + rows, None]
            if weights is not None:
                chosen = chosen * weights
            total -= (1 - smoothing) * chosen.sum()
            if smoothing:
                total -= smoothing * log_probs.mean(1).sum()
            if grad_hidden is None or grad_weight is None:
                continue
            # In the same place: softmax minus the target. What smoothing takes from every symbol alike is taken
            # below, from sums, which spares a pass over the table.
            table, scale = log_probs.exp_(), None
            if of_softmax is None:
                table.scatter_add_(1, right, weight.new_full(right.shape, smoothing - 1))
                scale = weights
            else:  # rows have shares of their own: they fall on what is multiplied with the table, not on the table
                pull = (1 - smoothing) * of_softmax[first : first + rows, None]
                scale = pull + smoothing
                table.scatter_add_(1, right, -pull / scale.clamp(min=torch.finfo(scale.dtype).tiny))
            narrow = table.to(hidden.dtype)
            torch.mm(narrow, narrow_weight, out=grad_hidden[first : first + rows])
            if scale is not None:
                grad_hidden[first : first + rows] *= scale
                part = part * scale.to(part.dtype)
            if narrow is table:
                grad_weight.addmm_(table.t(), part)
            else:
                grad_weight += narrow.t() @ part
            if grad_bias is not None:
                grad_bias += table.sum(0) if scale is None else table.t().mv(scale.squeeze(1))
        if smoothing and grad_hidden is not None and grad_weight is not None:
            grad_hidden -= smoothing / symbols * weight.sum(0)
            grad_weight -= smoothing / symbols * hidden.sum(0, dtype=weight.dtype)
            if grad_bias is not None:
                grad_bias -= smoothing / symbols * hidden.shape[0]
        grad_share = None if of_softmax is None else of_softmax * (smoothing - 1)
        grad_other = None if of_softmax is None else (1 - of_softmax) * (smoothing - 1)
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias, grad_share, grad_other)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        gradients = [None if saved is None else saved * grad for saved in ctx.saved_tensors]
        return (*gradients[:3], None, None, *gradients[3:], None, None)


def linear_cross_entropy(
    hidden: Float[Tensor, "place dim"],
    weight: Float[Tensor, "symbol dim"],
    bias: Float[Tensor, " symbol"] | None,
    target: Int[Tensor, " place"],
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Summed cross-entropy of softmax(hidden weightᵀ + bias) against the target, without keeping the table.

    Equals `F.cross_entropy(F.linear(hidden, weight, bias), target, reduction="sum", label_smoothing=...)`. The
    gradients, where they are on, are made in the forward pass, chunk by chunk, so that no table of [place, symbol]
    outlives its chunk.
    It can be differentiated once. Under autocast its products are of the lower type, the rest of the weights'.

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
    return _apply(hidden, weight, bias, target, label_smoothing, None, None, None)


def weighted_linear_cross_entropy(
    hidden: Float[Tensor, "place dim"],
    weight: Float[Tensor, "symbol dim"],
    bias: Float[Tensor, " symbol"] | None,
    target: Int[Tensor, " place"],
    worth: Float[Tensor, " place"],
) -> Float[Tensor, ""]:
    """The same with a weight for each place, of which it is no function: Σ worth * cross-entropy.

    Args:
        hidden, weight, bias, target: As of `linear_cross_entropy`.
        worth: Of any sign.

    Returns:
        The sum over places, in nats.
    """
    return _apply(hidden, weight, bias, target, 0.0, None, None, worth.detach().to(weight.dtype))


def linear_mixture_cross_entropy(
    hidden: Float[Tensor, "place dim"],
    weight: Float[Tensor, "symbol dim"],
    bias: Float[Tensor, " symbol"] | None,
    target: Int[Tensor, " place"],
    share: Float[Tensor, " place"],
    other: Float[Tensor, " place"],
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """The same where the softmax is one of two ways to the target: -log(exp(share) softmax(...)[target] + exp(other)).

    Args:
        hidden: One vector for each valid place.
        weight: The output embedding.
        bias: One number a symbol, or None.
        target: The right symbol at each place; any where `share` is -inf.
        share: Log of the softmax's weight; -inf where the target is none of its symbols.
        other: Log-probability of the target by the other way, its weight included; -inf where there is none.
        label_smoothing: Share of the target's probability spread over the softmax, as if it were the only way: the
            mean over symbols of -log softmax(...), in [0, 1).

    Returns:
        The sum over places, in nats.
    """
    narrow = (share.to(weight.dtype), other.to(weight.dtype))
    return _apply(hidden, weight, bias, target, label_smoothing, *narrow, None)


def _apply(hidden: Tensor, *rest: Any) -> Tensor:
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        hidden = hidden.to(torch.get_autocast_dtype(device))
    with torch.autocast(device, enabled=False):  # what it would cast is settled here
        return _LinearCrossEntropy.apply(hidden, *rest, torch.is_grad_enabled())
