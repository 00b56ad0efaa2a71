"""What every encoder's configuration offers."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from anyseq.core import Encoder, PartConfig, Stream


class EncoderConfig(PartConfig):
    """Settings of an encoder."""

    section: ClassVar[str] = "encoders"

    @abstractmethod
    def build(self, source: Stream) -> Encoder:
        """Make an encoder that reads this stream. It owns its input layer, as `embed`."""
