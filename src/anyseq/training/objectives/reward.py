"""What all learning from reward shares: the model's own outputs, their rewards, a share of likelihood, a guard."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Batch, Decoder, Emission, Loss, LossPart, Memory, Model, Noise, Objective, Padded, ranks
from anyseq.errors import UsageError
from anyseq.metrics.base import MetricConfig
from anyseq.training.objectives.base import ObjectiveConfig
from anyseq.training.objectives.cross_entropy import CrossEntropy
from anyseq.training.rollouts import Rollouts

_WATCHED = ("loss", "length_ratio", "distinct_bigrams", "entropy")
_LEAST_RISE = 0.1  # nats: below it, twice nothing is nothing
_KEPT = 0.95  # of the mean entropy, from update to update


class FromReward(Objective):
    """Outputs are drawn from the model, and made likelier the better they are.

    The source is folded once; the samples of a source share its memory, in drawing and in scoring. They are drawn with
    the decoder at rest (without dropout), and scored so: else one distribution is scored and another drawn from, and a
    baseline is no longer free. In evaluation mode this is plain cross-entropy.

    Args:
        rollouts: The model's outputs and their rewards.
        samples: Drawn for each source.
        likelihood: Weight of the target's cross-entropy per symbol, which keeps a model near what it has learnt.
        entropy: Weight of the mean entropy of what the model says at a symbol, which is to stay high.
        guard: Whether `watch` may stop training.
    """

    def __init__(
        self, rollouts: Rollouts, samples: int, likelihood: float, entropy: float, guard: bool = True
    ) -> None:
        super().__init__()
        self.rollouts, self.samples, self.likelihood, self.entropy = rollouts, samples, likelihood, entropy
        self.guard = guard
        self.plain = CrossEntropy(0.0)
        self.first: Tensor
        self.mean_entropy: Tensor
        self.register_buffer("first", torch.full((len(_WATCHED),), math.nan))
        self.register_buffer("mean_entropy", torch.tensor(math.nan))

    def forward(self, model: Model, batch: Batch, noise: Noise) -> Loss:
        """Draw, judge, score."""
        if not model.training:
            return self.plain(model, batch, noise)
        decoder = model.decoder
        if decoder.whole or not decoder.discrete:
            raise UsageError("learning from reward draws outputs symbol by symbol, and this decoder gives none so")
        memory = model.encode(batch)
        parts = self.parts(decoder, memory, batch, noise)
        if self.likelihood:
            emission, _ = decoder.unroll(decoder.prepare(memory), batch.target)
            parts["likelihood"] = LossPart(
                emission.loss(batch.target.values), batch.target.valid.sum(), weight=self.likelihood
            )
        return Loss(parts)

    def scores(self, decoder: Decoder, memory: Memory, outputs: Padded) -> Emission:
        """What the decoder says of outputs that were drawn, to be differentiated."""
        with at_rest(decoder):
            emission, _ = decoder.unroll(decoder.prepare(memory), outputs)
        return emission

    @abstractmethod
    def parts(self, decoder: Decoder, memory: Memory, batch: Batch, noise: Noise) -> dict[str, LossPart]:
        """The parts of the loss that come of rewards.

        Args:
            decoder: In training mode.
            memory: Not prepared.
            batch: With targets.
            noise: What is drawn depends on.
        """

    def drawn(
        self, decoder: Decoder, memory: Memory, batch: Batch, noise: Noise, prefix: Padded | None = None,
        spread: bool = False,
    ) -> Padded:  # fmt: skip
        """Outputs of the model, `samples` for each source."""
        with torch.no_grad(), at_rest(decoder):
            values, log_prob = self.rollouts.draw(memory, batch, self.samples, _seed(noise), prefix, spread)
        if prefix is None:  # else much of it was not drawn
            mean = -(log_prob.sum() / values.valid.sum()).to(self.mean_entropy)
            kept = torch.where(self.mean_entropy.isnan(), mean, _KEPT * self.mean_entropy + (1 - _KEPT) * mean)
            self.mean_entropy.copy_(kept)
        return values

    def with_entropy(self, parts: dict[str, LossPart], emission: Emission) -> dict[str, LossPart]:
        """Add the part that keeps the entropy high, where there is one: it needs the whole table."""
        if self.entropy and emission.valid is not None:
            log_probs = emission.log_probs()
            at_symbols = -(log_probs.exp() * log_probs.masked_fill(log_probs == -torch.inf, 0.0)).sum(-1)
            total = at_symbols.masked_fill(~emission.valid, 0.0).sum()
            parts["entropy"] = LossPart(-total, emission.valid.sum(), weight=self.entropy)
        return parts

    def agree(self) -> None:
        """The mean entropy is that of all ranks that drew something."""
        known = ~self.mean_entropy.isnan()
        total, count = ranks.total(torch.stack([self.mean_entropy.nan_to_num(0.0), known.to(self.mean_entropy)]))
        self.mean_entropy.copy_(total / count)

    def watch(self, figures: Mapping[str, float]) -> str | None:
        """Whether the model has learnt to please the metric and forgotten the rest.

        Against the first validation: the loss of dev has doubled, and risen by a tenth of a nat at least, or half as
        much while what the model says has lost all but a twentieth of its entropy; outputs have less than half, or more
        than twice its length; or half of their different pairs of words are gone.
        """
        found = {**figures, "entropy": float(self.mean_entropy)}
        now = torch.tensor([found.get(name, math.nan) for name in _WATCHED])
        self.first.copy_(torch.where(self.first.isnan(), now.to(self.first), self.first))
        if not self.guard:
            return None
        before = dict(zip(_WATCHED, self.first.tolist(), strict=True))
        of_first = {name: found.get(name, math.nan) / before[name] if before[name] else 1.0 for name in _WATCHED}
        worse = found["loss"] > before["loss"] + _LEAST_RISE
        told = {
            "loss": worse and of_first["loss"] > 2,
            "length_ratio": not 0.5 <= of_first["length_ratio"] <= 2 if "length_ratio" in found else False,
            "distinct_bigrams": of_first["distinct_bigrams"] < 0.5,
            "entropy": worse and of_first["loss"] > 1.5 and of_first["entropy"] < 0.05,
        }
        gone = [f"{name} {before[name]:.3g} -> {found[name]:.3g}" for name, wrong in told.items() if wrong]
        if not gone:
            return None
        return (
            f"the reward is being gamed ({'; '.join(gone)}): begin again --from the model it began with, with more "
            "objective.likelihood or less training.learning_rate; --more-steps goes on all the same, objective.guard="
            "false never stops"
        )


class RewardSettings(ObjectiveConfig):
    """What all learning from reward shares."""

    outline: ClassVar[tuple[str, ...]] = ("samples",)

    reward: MetricConfig = Field(
        description="the metric outputs are to be good by, one by one; or a function of your own, my_module:name"
    )
    samples: int = Field(5, ge=1, description="outputs drawn for each source")
    likelihood: float = Field(
        0.1, ge=0, description="weight of the target's cross-entropy per symbol: keeps what the model has learnt"
    )
    entropy: float = Field(0.0, ge=0, description="weight of the mean entropy per symbol, which is to stay high")
    guard: bool = Field(True, description="stop where the metric is pleased and the rest forgotten")

    @property
    def rewarded_by(self) -> MetricConfig:
        """The metric."""
        return self.reward


def needed(rollouts: Rollouts | None) -> Rollouts:
    """The rollouts, which learning from reward cannot do without.

    Raises:
        UsageError: there are none.
    """
    if rollouts is None:
        raise UsageError("learning from reward needs a task that draws outputs and judges them")
    return rollouts


@contextmanager
def at_rest(decoder: nn.Module) -> Iterator[None]:
    """A decoder in evaluation mode for a while."""
    before = decoder.training
    decoder.eval()
    try:
        yield
    finally:
        decoder.train(before)


def per_row(rewards: Float[Tensor, " source"], rows: int) -> Float[Tensor, " row"]:
    """What each source has, for each of its rows."""
    return rewards.repeat_interleave(rows // len(rewards))


def _seed(noise: Noise) -> int:
    """Of the draws of an update: the run's, and the update's number."""
    return (noise.seed * 1_000_003 + int(noise.step[0])) % 2**62
