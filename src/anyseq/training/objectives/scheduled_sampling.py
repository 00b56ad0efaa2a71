"""Scheduled sampling: the decoder learns to go on from its own outputs, more and more of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool
from pydantic import Field
from torch import Tensor

from anyseq.core import Decoder, Memory, Noise, Padded
from anyseq.errors import UsageError
from anyseq.training.objectives.cross_entropy import CrossEntropy, CrossEntropyConfig
from anyseq.training.rollouts import Rollouts

Decay = Literal["linear", "exponential", "inverse_sigmoid"]


def _inverse_sigmoid(step: int, k: int) -> float:
    """k / (k + exp(step / k)), written so that nothing overflows."""
    return 1 / (1 + math.exp(min(step / k - math.log(k), 700.0)))


DECAYS: dict[Decay, Callable[[int, int], float]] = {
    "linear": lambda step, decay_steps: 1 - step / decay_steps,
    "exponential": lambda step, decay_steps: math.exp(-step / decay_steps),
    "inverse_sigmoid": _inverse_sigmoid,
}


def teacher_forcing(decay: Decay, step: int, decay_steps: int, least: float) -> float:
    """The probability, ε, that a symbol the decoder reads is the target's.

    Args:
        decay: `linear` is 1 - step / decay_steps; `exponential` exp(-step / decay_steps), which is Bengio's k^step;
            `inverse_sigmoid` k / (k + exp(step / k)) with k = decay_steps: it stays near 1 for some k updates, is 1/2
            at k ln k, and falls within some k updates more.
        step: Updates so far.
        decay_steps: At least 1.
        least: ε falls no further.

    Source:
        Bengio et al. 2015, arXiv:1506.03099, section 2.4.
    """
    return max(least, DECAYS[decay](step, decay_steps))


class ScheduledSampling(CrossEntropy):
    """Cross-entropy of the target, where the decoder reads each symbol before from the target with probability ε.

    Else it reads its own: drawn from what it says there, or the likeliest. ε falls with the updates, from 1 (the
    inverse sigmoid from k / (k + 1)). The own symbols come from unrolls without gradients that the model reads like a
    target, so that decoders of every kind keep their parallel `unroll`: the first says what comes after the target's
    symbols, each further pass what comes after the mixture the last one left. One pass is Mihaylova and Martins'; with
    as many passes as there are symbols every own symbol follows the mixture itself, as in Bengio et al., where the
    mixture grows step by step (up to dropout, which each pass draws anew). What is drawn depends on (seed, item, place,
    update) alone. In evaluation mode this is plain cross-entropy.

    Args:
        label_smoothing: As of `CrossEntropy`.
        decay: How ε falls.
        decay_steps: How fast; see `teacher_forcing`.
        least: ε falls no further; 1 is cross-entropy.
        sample: Own symbols are drawn; else the likeliest.
        passes: Unrolls made to find own symbols, each as costly as the forward pass of an update.

    Source:
        Bengio et al. 2015, arXiv:1506.03099; Mihaylova and Martins 2019, arXiv:1906.07651, of whose ways to feed
        a prediction these are the sampled and the likeliest symbol, not the mixtures of embeddings.
    """

    def __init__(
        self, label_smoothing: float, decay: Decay, decay_steps: int, least: float, sample: bool, passes: int
    ) -> None:
        super().__init__(label_smoothing)
        self.decay: Decay = decay
        self.decay_steps, self.least, self.sample, self.passes = decay_steps, least, sample, passes

    def fed(self, decoder: Decoder, memory: Memory, target: Padded, noise: Noise) -> Padded:
        """The target with some of its symbols exchanged for the decoder's own.

        Raises:
            UsageError: the decoder feeds nothing back, or is under a constraint of the model, to which the target may
                be impossible after another symbol than its own.
        """
        if decoder.whole or decoder.constrained:
            what = "feeds nothing back" if decoder.whole else "is under a constraint, which the mixture may break"
            raise UsageError(f"objective scheduled_sampling: this decoder {what}; use objective=cross_entropy")
        own = self.own_places(target, noise)
        if not bool(own.any()):
            return target
        rows, places = own.nonzero(as_tuple=True)
        draws = Noise(noise.seed, noise.item[rows], places, noise.step[rows])
        own = own.to(target.valid.device)
        mixed = target
        with torch.no_grad():
            for _ in range(self.passes):
                emission, _ = decoder.unroll(memory, mixed)
                said = emission.at(own)
                chosen = said.sample(draws) if self.sample else said.mode()
                values = target.values.clone()
                values[own] = chosen.values
                mixed = Padded(values, target.valid)
        # Autocast keeps what it has cast; until torch issue 65766 was mended (in 2.10), without its gradient too.
        torch.clear_autocast_cache()
        return mixed

    def own_places(self, target: Padded, noise: Noise) -> Bool[Tensor, "row time"]:
        """Where the decoder is to read its own symbol; not at a row's last place, which nothing follows."""
        rows, time = target.valid.shape
        epsilon = teacher_forcing(self.decay, int(noise.step[0]), self.decay_steps, self.least)
        place, item, step = torch.arange(time), noise.item.repeat_interleave(time), noise.step.repeat_interleave(time)
        level = Noise(noise.seed, item, place.repeat(rows), step).uniform(draw=1).view(rows, time)
        return (level >= epsilon) & (place < target.lengths.to(level.device)[:, None] - 1)


class ScheduledSamplingConfig(CrossEntropyConfig):
    """Maximum likelihood, reading more and more of the model's own symbols instead of the target's."""

    decay: Decay = Field(
        "inverse_sigmoid", description="how the share of the target's symbols falls from 1 with the updates"
    )
    decay_steps: int = Field(
        1000,
        ge=1,
        description="how fast: linear: gone after so many updates; exponential: 1/e after so many; inverse_sigmoid: "
        "the k of Bengio 2015, half after k ln k (6,900 of 1,000)",
    )
    least: float = Field(0.5, ge=0, le=1, description="the share of the target's symbols falls no further; 1: all")
    sample: bool = Field(True, description="draw the model's own symbols; false: take the likeliest")
    passes: int = Field(
        1, ge=1, description="1: own symbols follow the target's; more: each pass lets them follow those of the last"
    )

    def build(self, rollouts: Rollouts | None = None) -> ScheduledSampling:
        """Make the objective."""
        return ScheduledSampling(
            self.label_smoothing, self.decay, self.decay_steps, self.least, self.sample, self.passes
        )
