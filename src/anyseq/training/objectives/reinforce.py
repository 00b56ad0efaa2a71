"""REINFORCE: the log-probability of a drawn output, weighted by how much better it is than expected."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from anyseq.core import Batch, Decoder, LossPart, Memory, Noise, Padded, ranks
from anyseq.training.objectives.reward import FromReward, RewardSettings, at_rest, needed, per_row
from anyseq.training.rollouts import Rollouts

Baseline = Literal["none", "moving_average", "learned", "greedy", "shared"]


class Reinforce(FromReward):
    """-(R(y) - b) log p(y | x), mean over drawn y; its mean gradient is that of -E R(y), whatever b is.

    The baseline b may be anything that y is independent of:
    - `moving_average`: of rewards of former updates;
    - `learned`: w2 · tanh(W1 m + b1) + b2 of the mean m of the memory's vectors, fitted to the rewards by least squares
      (no gradient of it goes into the model);
    - `greedy`: the reward of the greedy output (self-critical);
    - `shared`: the mean reward of the source's other samples (leave one out).

    Args:
        rollouts, samples, likelihood, entropy, guard: As of `FromReward`.
        baseline: Which.
        decay: Of the moving average: what stays of it at an update.
        spread: The first symbols of a source's samples are its likeliest, a different one each, and nothing is learnt
            of them: for outputs that may begin anywhere (POMO, with `shared`).

    Source:
        Williams 1992; greedy: Rennie et al. 2017, arXiv:1612.00563; shared: Kool et al. 2019, "Buy 4 REINFORCE samples,
        get a baseline for free!"; learned: Ranzato et al. 2016, arXiv:1511.06732 (theirs predicts at every symbol);
        spread: Kwon et al. 2020, arXiv:2010.16011.
    """

    def __init__(
        self, rollouts: Rollouts, samples: int, likelihood: float, entropy: float, baseline: Baseline, decay: float,
        guard: bool = True, spread: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(rollouts, samples, likelihood, entropy, guard)
        self.baseline, self.decay, self.spread = baseline, decay, spread
        dim = rollouts.memory_dim
        layers = (nn.Linear(dim, dim), nn.Tanh(), nn.Linear(dim, 1))
        self.critic = nn.Sequential(*layers) if baseline == "learned" else None
        # The average of former updates; sum and count of rewards of the present one, and its number.
        self.average: Tensor
        self.register_buffer("average", torch.tensor([torch.nan, 0.0, 0.0, -1.0]))

    def parts(self, decoder: Decoder, memory: Memory, batch: Batch, noise: Noise) -> dict[str, LossPart]:
        """The weighted log-probability of each output."""
        outputs, drawn = self.drawn(decoder, memory, batch, noise, spread=self.spread), None
        if self.spread:
            drawn = torch.ones(outputs.values.shape, device=outputs.values.device)
            drawn[:, :1] = 0.0
        return self.scored(decoder, memory, batch, noise, outputs, drawn)

    def scored(
        self, decoder: Decoder, memory: Memory, batch: Batch, noise: Noise, outputs: Padded,
        given: Float[Tensor, "row time"] | None = None, prefix: Padded | None = None,
    ) -> dict[str, LossPart]:  # fmt: skip
        """The loss of outputs that were drawn.

        Args:
            decoder, memory, batch, noise: As of `parts`.
            outputs: Row r of source r // samples.
            given: 1 where a symbol was drawn, 0 where it was given; None: all were drawn.
            prefix: What was given.
        """
        rewards = self.rollouts.reward(outputs, batch)
        expected, parts = self._expected(decoder, memory, batch, noise, rewards, prefix)
        emission = self.scores(decoder, memory, outputs)
        weights = (rewards - expected.detach())[:, None].expand(outputs.values.shape)
        if given is not None:
            weights = weights * given
        loss = emission.weighted_loss(outputs.values, weights.to(memory.vectors))
        return self.with_entropy({"reward": LossPart(loss, _count(rewards)), **parts}, emission)

    def _expected(
        self, decoder: Decoder, memory: Memory, batch: Batch, noise: Noise, rewards: Float[Tensor, " row"],
        prefix: Padded | None,
    ) -> tuple[Float[Tensor, " row"], dict[str, LossPart]]:  # fmt: skip
        """The baseline of each row, and what is lost by predicting it badly."""
        if self.baseline == "shared":
            own = rewards.view(-1, self.samples)
            return ((own.sum(1, keepdim=True) - own) / (self.samples - 1)).flatten(), {}
        if self.baseline == "greedy":
            with torch.no_grad(), at_rest(decoder):
                best = self.rollouts.greedy(memory, batch, prefix)
            return per_row(self.rollouts.reward(best, batch), len(rewards)), {}
        if self.critic is not None:
            summed = (memory.vectors * memory.valid[..., None]).sum(1) / memory.valid.sum(1, keepdim=True)
            predicted = per_row(self.critic(summed.detach()).squeeze(1), len(rewards))
            return predicted, {"critic": LossPart((predicted - rewards).square().sum(), _count(rewards))}
        if self.baseline == "moving_average":
            return torch.full_like(rewards, self._moving(rewards, int(noise.step[0]))), {}
        return torch.zeros_like(rewards), {}

    def agree(self) -> None:
        """The rewards of the present update are those of all ranks."""
        super().agree()
        if self.baseline == "moving_average":
            self.average[1:3] = ranks.total(self.average[1:3])

    def _moving(self, rewards: Float[Tensor, " row"], step: int) -> float:
        """The average over former updates, 0 before the first; takes in the rewards of this one."""
        average, total, count, last = self.average.tolist()
        if step != last and count:  # an update is over, of however many batches it was
            mean = total / count
            average = mean if average != average else self.decay * average + (1 - self.decay) * mean
            total = count = 0.0
        self.average.copy_(torch.tensor([average, total + float(rewards.sum()), count + len(rewards), step]))
        return 0.0 if average != average else average


def _count(rewards: Tensor) -> Tensor:
    return torch.tensor(len(rewards), device=rewards.device)


class BaselineSettings(RewardSettings):
    """What is expected of an output, as all that weigh outputs by it share."""

    baseline: Baseline = Field(
        "shared",
        description="what is expected of an output: none, a moving_average, learned from the source, the reward of the "
        "greedy output, or (shared) of the source's other samples",
    )
    decay: float = Field(0.95, ge=0, lt=1, description="of the moving average: what stays of it at an update")

    @model_validator(mode="after")
    def _others(self) -> Self:
        if self.baseline == "shared" and self.samples < 2:
            raise ValueError("baseline=shared compares a source's samples: set samples=2 or more, or another baseline")
        return self


class ReinforceConfig(BaselineSettings):
    """Outputs drawn from the model, made likelier by how much better they are than expected (REINFORCE)."""

    spread: bool = Field(
        False, description="the samples of a source begin with different symbols, which are not learnt: for outputs "
        "that may begin anywhere, such as tours, with as many samples as cities (POMO)"
    )

    def build(self, rollouts: Rollouts | None = None) -> Reinforce:
        """Make the objective."""
        return Reinforce(
            needed(rollouts), self.samples, self.likelihood, self.entropy, self.baseline, self.decay, self.guard,
            self.spread,
        )  # fmt: skip


class SelfCriticalConfig(ReinforceConfig):
    """The same against the model's own greedy output (self-critical sequence training)."""

    outline: ClassVar[tuple[str, ...]] = ("samples", "baseline")
    baseline: Baseline = Field("greedy", description="what is expected of an output")
