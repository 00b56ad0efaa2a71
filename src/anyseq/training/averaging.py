"""A moving average of the weights, which predicts better than the last weights do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Bool
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of a model's parameters.

    The decay rises as (1 + n) / (10 + n) towards its value, so that the start is soon forgotten.

    Args:
        model: Whose parameters.
        decay: In (0, 1): 0.999 remembers about a thousand updates.

    Source:
        Polyak and Juditsky 1992; the rising decay is TensorFlow's.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.parameters = list(model.parameters())
        self.average: list[Tensor] = [parameter.detach().clone() for parameter in self.parameters]

    @torch.no_grad()
    def update(self, made: Bool[Tensor, ""]) -> None:
        """Take in the present weights, where the update was `made`; that is not read from the device."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        share = made * (1 - decay)
        weights = [parameter.data for parameter in self.parameters]
        torch._foreach_lerp_(self.average, weights, [share.to(each.dtype) for each in weights])

    def restart(self, updates: int) -> None:
        """Take the present weights for the average after some updates."""
        self.average, self.updates = [parameter.detach().clone() for parameter in self.parameters], updates

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model with the average as its weights, for as long as the context lasts."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for i, parameter in enumerate(self.parameters):
            parameter.data, self.average[i] = self.average[i], parameter.data
