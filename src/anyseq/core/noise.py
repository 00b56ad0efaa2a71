"""Random numbers that depend on what is drawn, never on where it stands in a batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from anyseq.core.precision import doubled

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed word
_MIX1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX2 = -7723592293110705685  # 0x94D049BB133111EB


@dataclass(frozen=True)
class Noise:
    """Keyed random numbers: a counter hash of (seed, item, sample, step, draw).

    Attributes:
        seed: The run's seed, at most 2**63 - 1.
        item: Key of each row's source.
        sample: Which of the source's samples the row is.
        step: Inputs the row has consumed.

    Source:
        The finaliser of SplitMix64 (Steele, Lea, Flood 2014), applied once per key.
    """

    seed: int
    item: Int[Tensor, " row"]
    sample: Int[Tensor, " row"]
    step: Int[Tensor, " row"]

    def uniform(self, draw: int = 0) -> Float64[Tensor, " row"]:
        """Return one number a row, inside (0, 1); another `draw` gives independent ones."""
        word = torch.full_like(self.item, self.seed)
        for key in (self.item, self.sample, self.step, torch.full_like(self.item, draw)):
            word = _mix(word + _GOLDEN + key)
        # 52 bits: with 53 the largest would round to 1.
        return (doubled((word >> 12) & (2**52 - 1)) + 0.5) * 2.0**-52


def _mix(word: Tensor) -> Tensor:
    word = (word ^ ((word >> 30) & (2**34 - 1))) * _MIX1
    word = (word ^ ((word >> 27) & (2**37 - 1))) * _MIX2
    return word ^ ((word >> 31) & (2**33 - 1))
