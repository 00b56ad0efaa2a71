"""What a hypothesis is worth besides its probability: length and coverage."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from anyseq.errors import UsageError

_LEAST_COVERAGE = 1e-6


def length_normalised(
    log_prob: Float[Tensor, "*hypotheses"], length: Int[Tensor, "*hypotheses"], alpha: float
) -> Float[Tensor, "*hypotheses"]:
    """Make hypotheses of unequal length comparable.

    A summed log-probability falls with every symbol, so a search would favour stopping early. Divides by a penalty
    that grows with the length: score = log_prob / ((5 + length) / 6) ** alpha.

    Args:
        log_prob: Sum over all symbols, in nats, at most 0 for symbols.
        length: Symbols, end and prefix counted, at least 0.
        alpha: Strength, at least 0, no unit. 0 leaves log_prob unchanged; 1 is close to a mean per symbol.

    Returns:
        Nats per penalised symbol; higher is better, comparable only between hypotheses of one source. A hypothesis
        of length 1 keeps its log_prob.

    Source:
        Wu et al. 2016, arXiv:1609.08144, equation 14.

    Example:
        >>> length_normalised(torch.tensor([-6.0]), torch.tensor([7]), alpha=1.0)
        tensor([-3.])
    """
    return log_prob / ((5 + length.to(log_prob.dtype)) / 6) ** alpha


def uncovered(
    coverage: Float[Tensor, "*hypotheses time"], valid: Bool[Tensor, "*#hypotheses time"]
) -> Float[Tensor, "*hypotheses"]:
    """How much of the source a hypothesis never looked at: the sum over the source of log min(coverage, 1).

    Args:
        coverage: Attention each source position received, summed over the hypothesis' symbols; at least 0.
        valid: True where a source position is real.

    Returns:
        Nats, at most 0; 0 when every position was attended to at least once in sum.

    Source:
        Wu et al. 2016, equation 14, without the factor beta. A position with less than 1e-6 counts as 1e-6, so that
        hard attention, or a hypothesis of no symbols, keeps a finite score.
    """
    return coverage.clamp(_LEAST_COVERAGE, 1.0).log().masked_fill(~valid, 0.0).sum(-1)


@dataclass(frozen=True)
class Penalties:
    """Turns a log-probability into a score.

    Applied once, when a hypothesis is finished, and so to its rank among finished hypotheses. Which rows live on is
    decided between hypotheses of equal length by log_prob alone.

    Attributes:
        length: alpha of `length_normalised`, at least 0.
        coverage: beta, the weight of `uncovered`, at least 0. Needs a decoder that attends.

    Raises:
        UsageError: a strength is negative, which would reward what it is there to punish.
    """

    length: float = 0.0
    coverage: float = 0.0

    def __post_init__(self) -> None:
        for name, strength in (("length", self.length), ("coverage", self.coverage)):
            if not strength >= 0:
                raise UsageError(f"the {name} penalty is {strength}; it must be 0 (off) or more")

    def score(
        self,
        log_prob: Float[Tensor, " hypotheses"],
        length: Int[Tensor, " hypotheses"],
        uncovered: Float[Tensor, " hypotheses"],
    ) -> Float[Tensor, " hypotheses"]:
        """The score of finished hypotheses: Wu et al. 2016, equation 14."""
        return length_normalised(log_prob, length, self.length) + self.coverage * uncovered


NO_PENALTIES = Penalties()
