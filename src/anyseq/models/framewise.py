"""A fold, and of each of its places what is said of it, whatever is said of the others."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import nn

from anyseq.core import PartConfig, Stream
from anyseq.models.decoders.aligned import PlacewiseDecoder
from anyseq.models.encoders.base import EncoderConfig
from anyseq.models.seq2seq import Seq2Seq


class FramewiseDecoder(PlacewiseDecoder):
    """Symbol t is said of the source's place t alone: softmax of W vectors_t + b. Nothing is fed back.

    Its symbols are the places' own, and none is an end: an output is as long as its source. So what is said of a source
    that is folded in pieces is what is said of the pieces.

    Args:
        dim: Width of `memory.vectors`.
        vocab_size: Symbols.
        dropout: Share of the vectors dropped in training.
    """

    whole: ClassVar[bool] = True

    def __init__(self, dim: int, vocab_size: int, dropout: float) -> None:
        super().__init__(nn.Linear(dim, vocab_size), dropout)


class FramewiseConfig(PartConfig):
    """An encoder, and a softmax over each of its places."""

    encoder: EncoderConfig = Field(description="the fold; one that reads from left to right goes on for ever")
    dropout: float = Field(0.0, ge=0, lt=1, description="share dropped of what the output layer reads")

    def build(self, source: Stream, vocab_size: int) -> Seq2Seq:
        """Make the model for a source of this stream."""
        encoder = self.encoder.build(source)
        return Seq2Seq(encoder, FramewiseDecoder(encoder.output_dim, vocab_size, self.dropout))
