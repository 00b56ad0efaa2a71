"""Dropout whose mask is drawn a byte at a time."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zero a share of the elements while training and scale the rest up; nothing in evaluation.

    `F.dropout` draws a floating-point number per element, which takes longer than the matrix products around it on a
    CPU. Here eight elements share one random 64-bit word, so the share is a multiple of 1/256; the scale is that of
    the share really used, so expectations are exact.

    Args:
        p: Share of elements zeroed, in [0, 1); rounded to the nearest 1/256.

    Raises:
        ValueError: p is outside [0, 1).

    Source:
        Srivastava et al. 2014, JMLR 15.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout is a share in [0, 1), not {p}")
        self.threshold = min(round(p * 256), 255)

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return x with a share of its elements zeroed and the rest scaled up; x itself in evaluation."""
        if not self.training or not self.threshold:
            return x
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64, device=x.device).random_(-(2**63), None)
        drawn = words.view(torch.uint8)[: x.numel()].view(x.shape)
        # Written as floats at once: multiplying by a bool mask would convert it again, forward and backward.
        mask = torch.ge(drawn, self.threshold, out=torch.empty_like(x, requires_grad=False))
        return x * mask.mul_(256 / (256 - self.threshold))

    def extra_repr(self) -> str:
        """The share really used."""
        return f"p={self.threshold / 256:.4f}"
