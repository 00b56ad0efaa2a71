"""One encoder and one decoder over its memory."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from anyseq.core import Batch, Decoder, Encoder, Memory, Model, PartConfig, Stream
from anyseq.errors import ConfigError
from anyseq.models.decoders.base import DecoderConfig, MemoryShape
from anyseq.models.encoders.base import EncoderConfig
from anyseq.nn.embeddings import FedBack, SymbolEmbedding

Side = Literal["source", "target"]


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
        """Fold the batch's source; the memory's keys are those of the batch's items, and it has their other fields."""
        memory: Memory = self.encoder(batch.source)
        others = {name: field for name, field in batch.fields.items() if name not in ("source", "target")}
        return memory.replace(item=batch.keys.to(memory.item.device), **others)

    @property
    def decoder(self) -> Decoder:
        """The unfold."""
        return self._decoder

    def embedding(self, side: Side) -> SymbolEmbedding:
        """The input embedding of a side's symbols: the encoder's, or the decoder's.

        Raises:
            ConfigError: that side has none.
        """
        decoders = (module.embed for module in self.decoder.modules() if isinstance(module, FedBack))
        found = self.encoder.embed if side == "source" else next(decoders, None)
        if not isinstance(found, SymbolEmbedding):
            raise ConfigError(f"model.vectors.{side}: this model embeds no symbols of the {side}; leave it out")
        return found


class VectorsConfig(PartConfig):
    """Word vectors that embeddings start from."""

    source: str | None = Field(
        None, description="file of word vectors (word2vec text, GloVe, fastText .vec; plain or .gz) the source's "
        "embedding starts from; words it lacks start as usual",
    )  # fmt: skip
    target: str | None = Field(None, description="the same for the target's embedding")
    freeze: bool = Field(False, description="leave these embeddings as they start, words without a vector too")

    @property
    def files(self) -> dict[Side, str]:
        """What is given, by side."""
        given: dict[Side, str | None] = {"source": self.source, "target": self.target}
        return {side: path for side, path in given.items() if path is not None}

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if self.freeze and not self.files:
            raise ValueError("freeze keeps embeddings that start from word vectors: give source=FILE or target=FILE")
        return self


class Seq2SeqConfig(PartConfig):
    """An encoder-decoder."""

    encoder: EncoderConfig = Field(description="the fold")
    decoder: DecoderConfig = Field(description="the unfold")
    share_embeddings: bool = Field(False, description="source and target share one embedding (one joint codec)")
    vectors: VectorsConfig = Field(
        default_factory=VectorsConfig, description="word vectors that embeddings start from"
    )

    @model_validator(mode="after")
    def _one_embedding(self) -> Self:
        if self.share_embeddings and self.vectors.target is not None:
            raise ValueError("with share_embeddings there is one embedding: give vectors.source, not vectors.target")
        return self

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
        model = Seq2Seq(encoder, self.decoder.build(MemoryShape.of(encoder), target, embed))
        for side in self.vectors.files if self.vectors.freeze else ():
            model.embedding(side).weight.requires_grad_(False)
        return model
