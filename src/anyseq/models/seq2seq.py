"""One encoder and one decoder over its memory."""

from __future__ import annotations

from pydantic import Field

from anyseq.core import Batch, Decoder, Encoder, Memory, Model, PartConfig, Stream
from anyseq.errors import ConfigError
from anyseq.models.decoders.base import DecoderConfig, MemoryShape
from anyseq.models.encoders.base import EncoderConfig


class Seq2Seq(Model):
    """Fold the source, unfold the target.

    Args:
        encoder: Reads `batch.source`.
        decoder: Reads the encoder's memory.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self._decoder = encoder, decoder

    def encode(self, batch: Batch) -> Memory:
        """Fold the batch's source; the memory's keys are those of the batch's items."""
        memory: Memory = self.encoder(batch.source)
        return memory.replace(item=batch.keys.to(memory.item.device))

    @property
    def decoder(self) -> Decoder:
        """The unfold."""
        return self._decoder


class Seq2SeqConfig(PartConfig):
    """An encoder-decoder."""

    encoder: EncoderConfig = Field(description="the fold")
    decoder: DecoderConfig = Field(description="the unfold")
    share_embeddings: bool = Field(False, description="source and target share one embedding (one joint codec)")

    def build(self, source: Stream, target: Stream) -> Seq2Seq:
        """Make the model for these two streams.

        Raises:
            ConfigError: the embeddings cannot be shared because the streams differ.
        """
        if self.share_embeddings and source != target:
            raise ConfigError(
                f"model.share_embeddings needs one vocabulary on both sides (codec.joint=true), not {source} / {target}"
            )
        encoder = self.encoder.build(source)
        embed = encoder.embed if self.share_embeddings else None
        return Seq2Seq(encoder, self.decoder.build(MemoryShape.of(encoder), target, embed))
