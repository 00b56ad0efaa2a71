"""What every decoder's configuration offers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from anyseq.core import Decoder, PartConfig, Stream


@dataclass(frozen=True)
class MemoryShape:
    """What a decoder may expect of a Memory.

    Attributes:
        vectors_dim: Width of `memory.vectors`.
        summary_dim: Width of `memory.summary`.
    """

    vectors_dim: int
    summary_dim: int


class DecoderConfig(PartConfig):
    """Settings of a decoder."""

    section: ClassVar[str] = "decoders"

    @abstractmethod
    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> Decoder:
        """Make a decoder that reads such a memory and emits this stream.

        Args:
            memory: What the encoder leaves.
            target: What is emitted.
            embed: The encoder's input layer, where both sides share one; its width must be this decoder's input width.

        Raises:
            ConfigError: the parts cannot go together (a shared embedding of another width, a stream it cannot emit).
        """
