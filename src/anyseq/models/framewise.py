"""A fold, and of each of its places what is said of it, whatever is said of the others."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Memory, Padded, PartConfig, State, Stream
from anyseq.models.decoders.aligned import said_at
from anyseq.models.encoders.base import EncoderConfig
from anyseq.models.seq2seq import Seq2Seq
from anyseq.nn.dropout import Dropout
from anyseq.nn.emissions import Table


class FramewiseDecoder(Decoder):
    """Symbol t is said of the source's place t alone: softmax of W vectors_t + b. Nothing is fed back.

    Its symbols are the places' own, and none is an end: an output is as long as its source. So what is said of a source
    that is folded in pieces is what is said of the pieces. Beyond the last place that one counts again.

    Args:
        dim: Width of `memory.vectors`.
        vocab_size: Symbols.
        dropout: Share of the vectors dropped in training.
    """

    whole: ClassVar[bool] = True

    def __init__(self, dim: int, vocab_size: int, dropout: float) -> None:
        super().__init__()
        self.output, self.dropout = nn.Linear(dim, vocab_size), Dropout(dropout)

    def prepare(self, memory: Memory) -> Memory:
        """Add W vectors + b, [source, place, symbol], and the last place."""
        last = (memory.valid.sum(1) - 1).clamp(min=0)
        return memory.replace(said=self.output(self.dropout(memory.vectors)), last=last)

    def start(self, memory: Memory) -> State:
        """Nothing but the count."""
        return State(steps=torch.zeros_like(memory.item))

    def step(self, memory: Memory, state: State, previous: Int[Tensor, " row"]) -> tuple[Table, State]:
        """What is said at the row's place."""
        said = said_at(memory, state.steps[:, None]).squeeze(1)
        return Table(said), State(steps=state.steps + 1)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Table, State]:
        """All places at once."""
        state, _ = self.begin(memory, target, state, previous)
        places = state.steps[:, None] + torch.arange(target.values.shape[1], device=state.steps.device)
        return Table(said_at(memory, places), valid=target.valid), State(steps=state.steps + target.lengths)


class FramewiseConfig(PartConfig):
    """An encoder, and a softmax over each of its places."""

    encoder: EncoderConfig = Field(description="the fold; one that reads from left to right goes on for ever")
    dropout: float = Field(0.0, ge=0, lt=1, description="share dropped of what the output layer reads")

    def build(self, source: Stream, vocab_size: int) -> Seq2Seq:
        """Make the model for a source of this stream."""
        encoder = self.encoder.build(source)
        return Seq2Seq(encoder, FramewiseDecoder(encoder.output_dim, vocab_size, self.dropout))
