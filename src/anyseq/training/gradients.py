"""Gradients of a loss whose parts are each divided by their own count over all micro-batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from anyseq.core import Loss


def backward(losses: Iterable[Loss], parameters: Sequence[nn.Parameter], micro_batches: int) -> Tensor:
    """Leave in each parameter's `grad` the gradient of sum over parts of weight * (sum of sums) / (sum of counts).

    The counts are known only when the last micro-batch was seen, so with several of them each part's gradient is added
    up by itself first.

    Args:
        losses: One for each micro-batch, made one after the other so that only one graph lives.
        parameters: What the gradient is taken of.
        micro_batches: How many losses there are.

    Returns:
        [sum, count] of the first part over all micro-batches, to be reported.
    """
    if micro_batches == 1:
        (loss,) = losses
        parts = list(loss.parts.values())
        sum((part.weight * part.sum / part.count for part in parts), torch.zeros(())).backward()
        return torch.stack([parts[0].sum.detach(), parts[0].count.to(parts[0].sum)])
    sums: dict[str, list[Tensor | None]] = {}
    counts: dict[str, Tensor] = {}
    weights: dict[str, float] = {}
    first = torch.zeros(2)
    for loss in losses:
        names = list(loss.parts)
        for name, part in loss.parts.items():
            grads = torch.autograd.grad(part.sum, parameters, retain_graph=name != names[-1], allow_unused=True)
            before = sums.get(name, [None] * len(grads))
            sums[name] = [_added(one, other) for one, other in zip(before, grads, strict=True)]
            counts[name] = counts.get(name, torch.zeros_like(part.sum.detach())) + part.count
            weights[name] = part.weight
        part = loss.parts[names[0]]
        first = first.to(part.sum.device) + torch.stack([part.sum.detach(), part.count.to(part.sum)])
    for i, parameter in enumerate(parameters):
        parameter.grad = None  # what no part uses keeps none, as after `backward`
        for name, grads_of in sums.items():
            grad = grads_of[i]
            parameter.grad = _added(parameter.grad, None if grad is None else weights[name] / counts[name] * grad)
    return first


def _added(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return other if one is None else one if other is None else one + other
