"""One vector of numbers for a whole source: several labels at once, or measurements."""

from __future__ import annotations

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Memory, Padded, State, Stream, Vectors
from anyseq.errors import ConfigError
from anyseq.models.decoders.aligned import Pooled, make_pooling
from anyseq.models.decoders.base import DecoderConfig, MemoryShape
from anyseq.models.emissions.base import EmissionConfig, VectorHead
from anyseq.nn.continuous import Continuous
from anyseq.nn.pooling import Pooling


class VectorDecoder(Decoder):
    """A distribution over vectors, said of the source as one place; what was said before plays no role.

    Args:
        pooling: Makes one vector of a source's.
        head: Makes the distribution of it.
    """

    discrete = False

    def __init__(self, pooling: Pooling, head: VectorHead) -> None:
        super().__init__()
        self.pooling, self.head = pooling, head

    def prepare(self, memory: Memory) -> Memory:
        """Add the one vector, once per source."""
        return memory.replace(whole=self.pooling(memory.vectors, memory.valid))

    def start(self, memory: Memory) -> State:
        """Nothing but the count."""
        return State(steps=torch.zeros_like(memory.item))

    def step(self, memory: Memory, state: State, previous: Float[Tensor, "row value"]) -> tuple[Continuous, State]:
        """The same at every step."""
        whole = memory.whole.repeat_interleave(state.rows // memory.rows, 0)
        return self.head(whole), State(steps=state.steps + 1)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Continuous, State]:
        """All places at once."""
        state, _ = self.begin(memory, target, state, previous)
        whole = memory.whole.repeat_interleave(target.rows // memory.rows, 0)
        places = whole[:, None].expand(-1, target.values.shape[1], -1)
        return self.head(places, target.valid), State(steps=state.steps + target.lengths)


class VectorDecoderConfig(DecoderConfig):
    """One vector of numbers for the whole source: several labels (emission bernoulli), or measurements."""

    pooling: Pooled = Field("max", description="how the source becomes one vector")
    dropout: float = Field(0.2, ge=0, lt=1, description="share dropped of what the output layer reads")
    emission: EmissionConfig = Field(description="the distribution of each value")

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> VectorDecoder:
        """Make a decoder that says a vector of this stream of all the memory's vectors together."""
        if not isinstance(target, Vectors):
            raise ConfigError("model.decoder.kind=vector gives numbers, and the target's are symbols: choose another")
        head = VectorHead(self.emission, memory.vectors_dim, target.dim, self.dropout)
        return VectorDecoder(make_pooling(self.pooling, memory.vectors_dim), head)
