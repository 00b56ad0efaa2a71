"""What learning from reward needs besides a model: its own outputs, and how good they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from anyseq.core import Batch, Memory, Padded


class Drawn(NamedTuple):
    """Outputs that were drawn, row r of source r // samples.

    Attributes:
        values: Prefix included.
        log_prob: The model's own, as it was when it drew them.
    """

    values: Padded
    log_prob: Float[Tensor, " row"]


class Rollouts(ABC):
    """Outputs of a model and their rewards. Nothing here is differentiated.

    Attributes:
        memory_dim: Width of `memory.vectors`, which a learned baseline reads.
    """

    memory_dim: int

    @abstractmethod
    def draw(
        self, memory: Memory, batch: Batch, samples: int, seed: int, prefix: Padded | None = None, spread: bool = False
    ) -> Drawn:
        """Draw outputs from the model, as many for each source; those of a source share its memory.

        Args:
            memory: As `Model.encode` gives it, of the batch.
            batch: With targets.
            samples: Of each source.
            seed: Another one gives other outputs.
            prefix: What each source's outputs begin with; None: nothing.
            spread: The first symbols of a source's outputs are its likeliest, a different one each.
        """

    @abstractmethod
    def greedy(self, memory: Memory, batch: Batch, prefix: Padded | None = None) -> Padded:
        """The likeliest symbol at every step, behind the prefix: one output a source."""

    @abstractmethod
    def reward(self, outputs: Padded, batch: Batch) -> Float[Tensor, " row"]:
        """How good outputs are, row r of source r // (rows / sources); the higher the better, mostly 0 to 1."""
