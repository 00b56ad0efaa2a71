"""How well scores tell what is odd from what is not."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def auc(usual: Float[np.ndarray, " n"], odd: Float[np.ndarray, " m"]) -> float:
    """The chance that something odd has a higher score than something usual; equal ones count half.

    That is the area under the receiver operating characteristic (Mann and Whitney 1947).
    """
    ordered = np.sort(usual)
    below = np.searchsorted(ordered, odd, "left") + np.searchsorted(ordered, odd, "right")
    return float(below.mean() / (2 * len(usual)))
