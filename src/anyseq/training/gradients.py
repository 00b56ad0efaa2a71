"""Gradients of a loss whose parts are each divided by their own count over all micro-batches and ranks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from anyseq.core import Loss
from anyseq.training.distributed import add_gradients, over_ranks


def backward(losses: Iterable[Loss], parameters: Sequence[nn.Parameter], micro_batches: int) -> Tensor:
    """Leave in each parameter's `grad` the gradient of sum over parts of weight * (sum of sums) / (sum of counts).

    The counts are known only when the last micro-batch was seen, so with several of them each part's gradient is added
    up by itself first. Several ranks have each a share of every micro-batch, and the same parts.

    Args:
        losses: One for each micro-batch, made one after the other so that only one graph lives.
        parameters: What the gradient is taken of.
        micro_batches: How many losses there are.

    Returns:
        [sum, count] of the first part over all micro-batches and ranks, to be reported.
    """
    if micro_batches == 1:
        (loss,) = losses
        parts = list(loss.parts.values())
        first, all_counts = over_ranks(parts[0].sum.detach(), [part.count for part in parts])
        each = zip(parts, all_counts, strict=True)
        sum((part.weight * part.sum / count for part, count in each), torch.zeros(())).backward()
        add_gradients(parameters)
        return torch.stack([first, all_counts[0].to(first)])
    sums: dict[str, list[Tensor | None]] = {}
    counts: dict[str, Tensor] = {}
    weights: dict[str, float] = {}
    first = torch.zeros(())
    for loss in losses:
        names = list(loss.parts)
        for name, part in loss.parts.items():
            grads: Sequence[Tensor | None] = [None] * len(parameters)
            if part.sum.requires_grad:  # else it is of nothing that learns
                grads = torch.autograd.grad(part.sum, parameters, retain_graph=name != names[-1], allow_unused=True)
            before = sums.get(name, [None] * len(grads))
            sums[name] = [_added(one, other) for one, other in zip(before, grads, strict=True)]
            counts[name] = counts.get(name, torch.zeros_like(part.sum.detach())) + part.count
            weights[name] = part.weight
        first = first.to(loss.parts[names[0]].sum) + loss.parts[names[0]].sum.detach()
    first, totals = over_ranks(first, list(counts.values()))
    counts = dict(zip(counts, totals, strict=True))
    for i, parameter in enumerate(parameters):
        parameter.grad = None  # what no part uses keeps none, as after `backward`
        for name, grads_of in sums.items():
            grad = grads_of[i]
            parameter.grad = _added(parameter.grad, None if grad is None else weights[name] / counts[name] * grad)
    add_gradients(parameters)
    return torch.stack([first, totals[0].to(first)])


def _added(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return other if one is None else one if other is None else one + other
