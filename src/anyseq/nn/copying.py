"""The emission of a pointer-generator: symbols of the vocabulary, or copies of what stands in the source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from anyseq.nn.emissions import Categorical, Discrete, Table
from anyseq.nn.losses import linear_mixture_cross_entropy

NOTHING = -1
"""What a place of padding stands for; no symbol."""


def first_places(symbols: Int[Tensor, "source time"]) -> Int[Tensor, "source time"]:
    """For each place, the first place of its row that holds the same."""
    time = torch.arange(symbols.shape[1], device=symbols.device)
    same = symbols[:, :, None] == symbols[:, None, :]
    return torch.where(same, time, symbols.shape[1]).amin(2)


class Copying(Discrete):
    """p(y) = g softmax(y) + (1 - g) (attention on the places of the source that hold y), with a gate g.

    Symbols from the softmax's size on are the source's own: nothing but a copy gives them, and they mean something else
    for each source. The table is as wide as the softmax and `own` together; an own symbol the source does not hold
    has probability 0.

    A symbol the source does hold never quite reaches 0, however little is looked at it, so that a loss stays finite.

    Args:
        generated: The softmax, and where the places are real.
        gate: g before its logistic function.
        weights: Over the source, each row's sum is 1, 0 at padding.
        symbols: What each place of the row's source stands for; `NOTHING` at padding.
        first: As `first_places` gives it.
        own: Symbols beyond the softmax's.
        label_smoothing: Share of the target's probability that `loss` spreads over the softmax's symbols, as the
            softmax gives them: what copying adds to some of them is not counted, so this is a bound from above.

    Source:
        See et al. 2017, arXiv:1704.04368, equations 8 and 9. CopyNet (Gu et al. 2016, arXiv:1603.06393, equation 5)
        instead lets one softmax run over the vocabulary and the source's places together, with scores of their own
        for copying, and needs no gate.
    """

    def __init__(
        self,
        generated: Categorical,
        gate: Float[Tensor, "row *time"],
        weights: Float[Tensor, "row *time source_time"],
        symbols: Int[Tensor, "row source_time"],
        first: Int[Tensor, "row source_time"],
        own: int,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(generated.valid, lambda: weights)
        self.generated, self.gate, self.weights = generated, gate, weights
        self.symbols, self.first, self.own, self.label_smoothing = symbols, first, own, label_smoothing

    @property
    def _vocab_size(self) -> int:
        return self.generated.weight.shape[0]

    def logits(self) -> Float[Tensor, "row *time symbol"]:
        """The table, which is normalised already."""
        return self.log_probs()

    def log_probs(self) -> Float[Tensor, "row *time symbol"]:
        """The whole table, in nats; only the columns of what stands in the source are touched twice."""
        shape, size, last = self.weights.shape, self._vocab_size, self._vocab_size + self.own
        spread = (slice(None), *(None,) * (self.weights.dim() - 2))
        first = self.first[spread].expand(shape)
        mass = torch.zeros_like(self.weights).scatter_add(-1, first, self.weights)
        # Places that hold nothing new go to a column of their own, which is left off.
        new = (self.first == torch.arange(shape[-1], device=first.device)) & (self.symbols != NOTHING)
        column = self.symbols.where(new, last)[spread].expand(shape)
        table, share = self.generated.log_probs(), F.logsigmoid(self.gate)[..., None]
        generated = table.gather(-1, column.clamp(max=size - 1)).masked_fill(column >= size, -torch.inf)
        both = torch.logaddexp(generated + share, _log(mass) + F.logsigmoid(-self.gate)[..., None])
        wide = F.pad(table, (0, self.own + 1), value=-torch.inf).add_(share)
        return wide.scatter_(-1, column, both)[..., :last]

    def log_prob(self, x: Int[Tensor, "row *time"]) -> Float[Tensor, "row *time"]:
        """Log-probability of given symbols, in nats; 0 where not valid. A column of the table, no more."""
        x = x if self.valid is None else x.masked_fill(~self.valid, 0)  # which is possible, whatever stood there
        share, copied = self._ways(x)
        generated = self.generated.log_prob(x.clamp(max=self._vocab_size - 1))
        both = torch.logaddexp(share + generated, copied)
        return both if self.valid is None else both.masked_fill(~self.valid, 0.0)

    def loss(self, x: Int[Tensor, "row time"]) -> Float[Tensor, ""]:
        """The summed (smoothed) cross-entropy at the valid places, in nats; no table outlives its chunk."""
        share, copied = self._ways(x)
        places = torch.ones_like(x, dtype=torch.bool) if self.valid is None else self.valid
        total = linear_mixture_cross_entropy(
            self.generated.hidden[places], self.generated.weight, self.generated.bias,
            x.clamp(max=self._vocab_size - 1)[places], share[places], copied[places], self.label_smoothing,
        )  # fmt: skip
        if self.label_smoothing:
            total = total - self.label_smoothing * F.logsigmoid(self.gate)[places].sum()
        return total

    def _ways(self, x: Int[Tensor, "row *time"]) -> tuple[Tensor, Tensor]:
        """The logs of the softmax's share in x (-inf where it has no such symbol), and of x's probability as a copy."""
        known = x < self._vocab_size
        share = F.logsigmoid(self.gate).masked_fill(~known, -torch.inf)
        symbols = self.symbols if x.dim() == 1 else self.symbols[:, None]
        here = symbols == x[..., None]
        copied = _log((self.weights * here).sum(-1)).masked_fill(~here.any(-1), -torch.inf)
        return share, copied + F.logsigmoid(-self.gate)

    def sharpen(self, temperature: float) -> Table:
        """Divide the logs of the mixture by the temperature."""
        return Table(self.log_probs() / temperature, self.valid, self.attention, self.label_smoothing)

    def smooth(self, label_smoothing: float) -> Copying:
        """Let `loss` spread this share of the target's probability over the softmax's symbols."""
        return Copying(self.generated, self.gate, self.weights, self.symbols, self.first, self.own, label_smoothing)

    def at(self, places: Bool[Tensor, "row time"]) -> Copying:
        """The distributions at these places."""
        rows = places.nonzero()[:, 0]
        return Copying(
            self.generated.at(places), self.gate[places], self.weights[places], self.symbols[rows], self.first[rows],
            self.own, self.label_smoothing,
        )  # fmt: skip

    @classmethod
    def stack(cls, emissions: Sequence[Self], valid: Bool[Tensor, "row time"]) -> Copying:
        """Steps side by side; they share the projection and the source."""
        one = emissions[0]
        return Copying(
            Categorical.stack([emission.generated for emission in emissions], valid),
            torch.stack([emission.gate for emission in emissions], 1),
            torch.stack([emission.weights for emission in emissions], 1),
            one.symbols, one.first, one.own,
        )  # fmt: skip


def _log(mass: Tensor) -> Tensor:
    return mass.clamp(min=torch.finfo(mass.dtype).tiny).log()
