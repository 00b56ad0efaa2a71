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
    sums: dict[str, list[Tensor]] = {}
    counts: dict[str, Tensor] = {}
    weights: dict[str, float] = {}
    first = torch.zeros(2)
    for loss in losses:
        names = list(loss.parts)
        for name, part in loss.parts.items():
            keep = name != names[-1]
            grads = torch.autograd.grad(part.sum, parameters, retain_graph=keep, materialize_grads=True)
            if name in sums:
                torch._foreach_add_(sums[name], list(grads))
            else:
                sums[name] = [grad.clone() for grad in grads]
            counts[name] = counts.get(name, torch.zeros_like(part.sum.detach())) + part.count
            weights[name] = part.weight
        part = loss.parts[names[0]]
        first = first.to(part.sum.device) + torch.stack([part.sum.detach(), part.count.to(part.sum)])
    for i, parameter in enumerate(parameters):
        parts_of = [weights[name] / counts[name] * sums[name][i] for name in sums]
        parameter.grad = torch.stack(parts_of).sum(0) if len(parts_of) > 1 else parts_of[0]
    return first
