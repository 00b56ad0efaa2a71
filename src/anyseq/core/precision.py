"""Double precision where a result must not depend on rounding."""

from __future__ import annotations

import torch
from torch import Tensor


def doubled(x: Tensor) -> Tensor:
    """x in float64: on its device, or on the processor where the device has no such numbers (MPS)."""
    return (x.cpu() if x.device.type == "mps" else x).to(torch.float64)
