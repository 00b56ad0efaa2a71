"""Mean and standard deviation of training values: what codecs of numbers share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from anyseq.errors import ModelFolderError

_ROUNDING = 1e-10


@dataclass(frozen=True)
class Measured:
    """Of each channel of vectors, or one for all of them.

    Attributes:
        mean: Of train.
        deviation: Standard deviation there; above 0.
    """

    mean: Float[Tensor, " channel"]
    deviation: Float[Tensor, " channel"]

    @classmethod
    def of(cls, total: Tensor, squares: Tensor, count: int) -> Measured:
        """From sums over `count` vectors, in float64; a channel that never changes keeps its scale."""
        mean = total / count
        variance = squares / count - mean**2
        constant = variance <= _ROUNDING * squares / count  # what is left of the difference is rounding
        return cls(mean.float(), torch.where(constant, 1.0, variance.clamp(min=0).sqrt()).float())

    def scaled(self, values: Float[Tensor, "*place channel"]) -> Float[Tensor, "*place channel"]:
        """Less the mean, by the deviation."""
        return (values - self.mean) / self.deviation

    def original(self, values: Float[Tensor, "*place channel"]) -> Float[Tensor, "*place channel"]:
        """The way back."""
        return values * self.deviation + self.mean

    def as_lists(self) -> dict[str, list[float]]:
        """For JSON."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    @classmethod
    def read(cls, path: Path) -> dict[str, Any]:
        """The content of a codec's file that has `measured` among its fields.

        Raises:
            ModelFolderError: it is missing or is none of ours.
        """
        try:
            content = dict(json.loads(path.read_text(encoding="utf-8")))
            own = content.pop("measured")
            return {**content, "measured": cls(torch.tensor(own["mean"]), torch.tensor(own["deviation"]))}
        except (OSError, ValueError, TypeError, KeyError) as fault:
            raise ModelFolderError(
                f"{path} is no codec of this kind ({fault!r}); copy the model folder again, whole"
            ) from None
