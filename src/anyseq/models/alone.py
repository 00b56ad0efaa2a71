"""A decoder alone: a language model, which unfolds what was never folded."""

from __future__ import annotations

from pydantic import Field

from anyseq.core import Batch, Decoder, Memory, Model, PartConfig, Stream
from anyseq.errors import ConfigError
from anyseq.models.decoders.base import NOTHING_FOLDED, DecoderConfig


class Alone(Model):
    """No fold, one unfold.

    Args:
        decoder: Reads no field of the memory but `item`.
    """

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self._decoder = decoder

    def encode(self, batch: Batch) -> Memory:
        """An empty memory for each item of the batch."""
        return Memory(item=batch.keys.to(next(self._decoder.parameters()).device))

    @property
    def decoder(self) -> Decoder:
        """The unfold."""
        return self._decoder


class AloneConfig(PartConfig):
    """A decoder without an encoder."""

    decoder: DecoderConfig = Field(description="the unfold; rnn or transformer")

    def build(self, target: Stream) -> Alone:
        """Make the model for this stream.

        Raises:
            ConfigError: the decoder needs something to look at.
        """
        if not self.decoder.alone:
            raise ConfigError("model.decoder: this kind reads a source, and there is none: choose rnn or transformer")
        return Alone(self.decoder.build(NOTHING_FOLDED, target))
