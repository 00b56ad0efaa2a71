"""Emission: the distribution a decoder puts over what comes next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from anyseq.core.noise import Noise


class Choice(NamedTuple):
    """Values chosen from an emission, with the model's own log-probability of each (-inf: there is none)."""

    values: Shaped[Tensor, "row *choice"]
    log_prob: Float[Tensor, "row *k"]


class Emission(ABC):
    """A distribution for each row after `step`, for each row and time after `unroll`.

    Lazy: it holds hidden vectors and how to project them, so that a loss never builds the whole table.

    Attributes:
        valid: Bool[row, time] after `unroll` (log_prob and loss are 0 elsewhere); None after `step`.
        attention: None, or a function that gives the weights over the source, Float[row, source] after `step`,
            Float[row, time, source] after `unroll`. Called only by whoever wants them (coverage, alignments, plots).
    """

    valid: Bool[Tensor, "row time"] | None
    attention: Callable[[], Tensor] | None

    @abstractmethod
    def log_prob(self, x: Shaped[Tensor, "row *time"]) -> Float[Tensor, "row *time"]:
        """Log-probability of given values, in nats; differentiable."""

    def loss(self, x: Shaped[Tensor, "row *time"]) -> Float[Tensor, ""]:
        """The summed loss over all valid places, in nats; by default -log_prob."""
        return -self.log_prob(x).sum()

    def weighted_loss(
        self, x: Shaped[Tensor, "row *time"], weights: Float[Tensor, "row *time"]
    ) -> Float[Tensor, ""]:
        """The sum of -weights * log_prob over all valid places, in nats; the weights are no function of anything."""
        return -(self.log_prob(x) * weights.detach()).sum()

    @abstractmethod
    def mode(self, allowed: Bool[Tensor, "row symbol"] | None = None) -> Choice:
        """The likeliest allowed value of each row."""

    @abstractmethod
    def sample(self, noise: Noise, allowed: Bool[Tensor, "row symbol"] | None = None) -> Choice:
        """One value a row, drawn among the allowed; its log_prob is that of the unrestricted table."""

    @abstractmethod
    def candidates(self, k: int, allowed: Bool[Tensor, "row symbol"] | None = None) -> Choice:
        """The k likeliest allowed values of each row, best first, ties to the lowest symbol: [row, k].

        Where fewer than k are allowed (or exist) the rest have log_prob -inf. Discrete emissions only.
        """

    @abstractmethod
    def log_probs(self) -> Float[Tensor, "row *time symbol"]:
        """The whole table, in nats. Discrete emissions only."""

    @abstractmethod
    def restrict(self, allowed: Bool[Tensor, "row *time symbol"]) -> Self:
        """Forbid symbols as part of the model: the rest is renormalised."""

    @abstractmethod
    def sharpen(self, temperature: float) -> Emission:
        """Divide the logits by a temperature > 0: below 1 sharper, above 1 flatter."""

    @abstractmethod
    def smooth(self, label_smoothing: float) -> Emission:
        """Let `loss` (alone) put this share of the target's probability uniformly on all symbols."""

    @abstractmethod
    def at(self, places: Bool[Tensor, "row time"]) -> Self:
        """The distributions at these places of what `unroll` gave, one a row, in order: as if each were a step's."""

    @classmethod
    @abstractmethod
    def mix(cls, emissions: Sequence[Emission]) -> Emission:
        """The mean of the probabilities: an ensemble."""

    @classmethod
    @abstractmethod
    def stack(cls, emissions: Sequence[Self], valid: Bool[Tensor, "row time"]) -> Self:
        """Emissions of consecutive steps as the one an `unroll` gives."""
