"""Minimum risk training: the expected badness over a sample of outputs, taken as all there are."""

from __future__ import annotations

from typing import Self

import torch
from jaxtyping import Bool
from pydantic import Field, model_validator
from torch import Tensor

from anyseq.core import Batch, Decoder, LossPart, Memory, Noise, Padded
from anyseq.training.objectives.reward import FromReward, RewardSettings, needed
from anyseq.training.rollouts import Rollouts


class MinimumRisk(FromReward):
    """Σ_{y in S} Q(y) (1 - R(y)) with Q(y) = p(y)^α / Σ_{y' in S} p(y')^α, mean over sources.

    S are the outputs drawn for a source, each once, and its target.

    Args:
        rollouts, samples, likelihood, entropy, guard: As of `FromReward`.
        sharpness: α.
        target: Whether S holds the target.

    Source:
        Shen et al. 2016, arXiv:1512.02433, equations 10 to 12.
    """

    def __init__(
        self, rollouts: Rollouts, samples: int, likelihood: float, entropy: float, sharpness: float, target: bool,
        guard: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(rollouts, samples, likelihood, entropy, guard)
        self.sharpness, self.target = sharpness, target

    def parts(self, decoder: Decoder, memory: Memory, batch: Batch, noise: Noise) -> dict[str, LossPart]:
        """The risk."""
        outputs = self.drawn(decoder, memory, batch, noise)
        sources = batch.target.rows
        if self.target:
            outputs = beside(outputs, batch.target)
        badness = 1 - self.rollouts.reward(outputs, batch).view(sources, -1)
        emission = self.scores(decoder, memory, outputs)
        log_prob = emission.log_prob(outputs.values).sum(1).view(sources, -1)
        again = repeated(outputs, sources)
        share = (self.sharpness * log_prob).masked_fill(again, -torch.inf).softmax(1)
        risk = (share * badness.to(share)).sum()
        return self.with_entropy({"risk": LossPart(risk, torch.tensor(sources, device=risk.device))}, emission)


def beside(outputs: Padded, target: Padded) -> Padded:
    """Each source's outputs, and its target behind them."""
    sources, time = target.rows, max(outputs.values.shape[1], target.values.shape[1])

    def widened(table: Tensor, of: int) -> Tensor:
        grown = table.new_zeros(len(table), time)
        grown[:, : table.shape[1]] = table
        return grown.view(sources, of, time)

    each = outputs.rows // sources
    values = torch.cat([widened(outputs.values, each), widened(target.values, 1)], 1)
    valid = torch.cat([widened(outputs.valid, each), widened(target.valid, 1)], 1)
    return Padded(values.flatten(0, 1), valid.flatten(0, 1))


def repeated(outputs: Padded, sources: int) -> Bool[Tensor, "source output"]:
    """Which outputs of a source one before them equals."""
    rows = outputs.values.masked_fill(~outputs.valid, -1).view(sources, -1, outputs.values.shape[1])
    same = (rows[:, :, None] == rows[:, None]).all(-1)
    return same.tril(-1).any(2)


class MinimumRiskConfig(RewardSettings):
    """The expected badness over a sample of outputs and the target (minimum risk training)."""

    samples: int = Field(10, ge=1, description="outputs drawn for each source")
    sharpness: float = Field(0.005, gt=0, description="α: outputs count by p(y)^α; the larger, the more likely ones do")
    target: bool = Field(True, description="the target is one of the outputs, too")

    @model_validator(mode="after")
    def _several(self) -> Self:
        if self.samples + self.target < 2:
            raise ValueError("risk compares outputs, and there is one: set samples=2 or more, or target=true")
        return self

    def build(self, rollouts: Rollouts | None = None) -> MinimumRisk:
        """Make the objective."""
        given = needed(rollouts)
        return MinimumRisk(given, self.samples, self.likelihood, self.entropy, self.sharpness, self.target, self.guard)
