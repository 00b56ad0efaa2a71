"""How good forecasts are: errors of numbers, and how often an interval holds what came."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

Numbers = Float[np.ndarray, "*shape"]


def mse(forecast: Numbers, actual: Numbers) -> float:
    """Mean squared error."""
    return float(np.mean((forecast - actual) ** 2))


def mae(forecast: Numbers, actual: Numbers) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(forecast - actual)))


def mape(forecast: Numbers, actual: Numbers) -> float | None:
    """Mean absolute error by the actual value, in percent; None where one of these is 0."""
    if not np.all(actual):
        return None
    return float(100 * np.mean(np.abs((forecast - actual) / actual)))


def mase(forecast: Numbers, actual: Numbers, naive: Float[np.ndarray, "*#shape"]) -> float | None:
    """Mean absolute error by that of the seasonal naive forecast over train, where things changed at all there.

    Args:
        forecast, actual: Alike.
        naive: That error, of each value's variable.

    Source:
        Hyndman and Koehler 2006, "Another look at measures of forecast accuracy".
    """
    by = np.broadcast_to(naive, actual.shape)
    return float(np.mean(np.abs(forecast - actual)[by > 0] / by[by > 0])) if np.any(by > 0) else None


def coverage(lower: Numbers, upper: Numbers, actual: Numbers) -> float:
    """How often the actual value is within the interval, its ends included, in percent."""
    return float(100 * np.mean((lower <= actual) & (actual <= upper)))


def quantile_loss(forecast: Numbers, actual: Numbers, level: float) -> float:
    """Twice the mean pinball loss of a quantile; of the median that is the mean absolute error.

    Args:
        forecast: The quantiles.
        actual: Alike.
        level: The share of the distribution below them.
    """
    above = actual - forecast
    return float(2 * np.mean(np.maximum(level * above, (level - 1) * above)))
