"""MIXER: the beginning of a target by likelihood, its end by reward, from the last symbols on more and more of it."""

from __future__ import annotations

import torch
from pydantic import Field

from anyseq.core import Batch, Decoder, LossPart, Memory, Noise, Padded
from anyseq.training.objectives.reinforce import Baseline, BaselineSettings, Reinforce
from anyseq.training.objectives.reward import needed
from anyseq.training.rollouts import Rollouts


class Mixer(Reinforce):
    """Of a target of T symbols the first T - s are given, and learnt by likelihood; what follows them is drawn, and
    learnt by REINFORCE. s grows by `growth` every `every` updates, until all of an output is drawn.

    Args:
        rollouts, samples, likelihood, entropy, baseline, decay, guard: As of `Reinforce`; `likelihood` is the weight of
            the whole target's, beside.
        growth: Symbols that s grows by; it begins with as many.
        every: After how many updates.

    Source:
        Ranzato et al. 2016, arXiv:1511.06732, section 3.2.2 (theirs grows with epochs).
    """

    def __init__(
        self, rollouts: Rollouts, samples: int, likelihood: float, entropy: float, baseline: Baseline, decay: float,
        growth: int, every: int, guard: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(rollouts, samples, likelihood, entropy, baseline, decay, guard)
        self.growth, self.every = growth, every

    def parts(self, decoder: Decoder, memory: Memory, batch: Batch, noise: Noise) -> dict[str, LossPart]:
        """Both losses, weighted by how many symbols each is of."""
        target = batch.target
        drawn_at_end = self.growth * (1 + int(noise.step[0]) // self.every)
        given = (target.lengths - drawn_at_end).clamp(min=0)
        most = int(given.amax())
        count = torch.tensor(target.rows, device=given.device)  # as of the rewards: a sum over an output's symbols
        if not most:  # there may be more in other batches of the update
            nothing = LossPart(memory.vectors.new_zeros(()), count)
            return {**super().parts(decoder, memory, batch, noise), "given": nothing}
        places = torch.arange(target.values.shape[1], device=given.device) < given[:, None]
        prefix = Padded(target.values[:, :most], places[:, :most])
        outputs = self.drawn(decoder, memory, batch, noise, prefix)
        first_own = given.repeat_interleave(self.samples)[:, None]
        own = torch.arange(outputs.values.shape[1], device=given.device) >= first_own
        parts = self.scored(decoder, memory, batch, noise, outputs, own.to(memory.vectors), prefix)
        emission, _ = decoder.unroll(decoder.prepare(memory), target)
        parts["given"] = LossPart(emission.weighted_loss(target.values, places.to(memory.vectors)), count)
        return parts


class MixerConfig(BaselineSettings):
    """The beginning of each target by likelihood, its end by reward, more and more of it (MIXER)."""

    growth: int = Field(3, ge=1, description="symbols at the end that are drawn: at first so many, later so many more")
    every: int = Field(200, ge=1, description="updates after which they grow")

    def build(self, rollouts: Rollouts | None = None) -> Mixer:
        """Make the objective."""
        return Mixer(
            needed(rollouts), self.samples, self.likelihood, self.entropy, self.baseline, self.decay, self.growth,
            self.every, self.guard,
        )  # fmt: skip
