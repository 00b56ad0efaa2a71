"""Maximum likelihood: the cross-entropy of the known target, each symbol given those before it."""

from __future__ import annotations

from pydantic import Field

from anyseq.core import Batch, Decoder, Loss, LossPart, Memory, Model, Noise, Objective, Padded
from anyseq.training.objectives.base import ObjectiveConfig
from anyseq.training.rollouts import Rollouts


class CrossEntropy(Objective):
    """Teacher-forced cross-entropy per target symbol, end symbol included, in nats.

    Args:
        label_smoothing: Share of the target's probability spread over all symbols while training; the loss reported
            in evaluation mode is the plain one.
    """

    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, model: Model, batch: Batch, noise: Noise) -> Loss:
        """Score the whole target at once."""
        memory = model.decoder.prepare(model.encode(batch))
        fed = self.fed(model.decoder, memory, batch.target, noise) if model.training else batch.target
        emission, _ = model.decoder.unroll(memory, fed)
        if model.training and self.label_smoothing:
            emission = emission.smooth(self.label_smoothing)
        return Loss({"cross_entropy": LossPart(emission.loss(batch.target.values), batch.target.valid.sum())})

    def fed(self, decoder: Decoder, memory: Memory, target: Padded, noise: Noise) -> Padded:
        """What the decoder reads of the target while training: here all of it."""
        return target


class CrossEntropyConfig(ObjectiveConfig):
    """Maximum likelihood."""

    label_smoothing: float = Field(0.1, ge=0, lt=1, description="share of probability spread over all symbols")

    def build(self, rollouts: Rollouts | None = None) -> CrossEntropy:
        """Make the objective."""
        return CrossEntropy(self.label_smoothing)
