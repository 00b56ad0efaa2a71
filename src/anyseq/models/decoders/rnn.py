"""Recurrent layers as an unfold, from the fold's final state alone."""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Memory, Padded, State, Stream, Tree
from anyseq.models.decoders.base import DecoderConfig, MemoryShape, output_layer, target_embedding
from anyseq.models.recurrent import RecurrentSettings
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import FedBack, SymbolEmbedding
from anyseq.nn.emissions import Attention, Categorical
from anyseq.nn.recurrent import RecurrentStack


class Bridge(nn.Module):
    """From the fold's summary to the unfold's first state: h_0 = tanh(W summary + b) in every layer.

    What else a cell carries (the LSTM's c) starts as always.

    Args:
        summary_dim: Width of `memory.summary`.
        stack: The recurrence to start, from left to right.

    Source:
        Cho et al. 2014, arXiv:1406.1078, section A.1.2; Bahdanau et al. 2015, arXiv:1409.0473, section A.2.2.
    """

    def __init__(self, summary_dim: int, stack: RecurrentStack) -> None:
        super().__init__()
        self.widths = [layer.output_dim for _, layer in stack.named_layers]
        self.linear = nn.Linear(summary_dim, sum(self.widths))
        nn.init.xavier_uniform_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, summary: Float[Tensor, "source summary_dim"], stack: RecurrentStack) -> Tree:
        """The first state of a stack, one row a source."""
        hidden = self.linear(summary).tanh().split(self.widths, 1)
        cells = {
            name: layer.start(summary).replace(h=h.contiguous())
            for (name, layer), h in zip(stack.named_layers, hidden, strict=True)
        }
        return Tree(**cells)


class SoftmaxHead(nn.Module):
    """Dropout, and the lazy softmax over symbols.

    Args:
        output: Output embedding; its weight may be the input's.
        dropout: Share of its input dropped in training.
    """

    def __init__(self, output: nn.Linear, dropout: float) -> None:
        super().__init__()
        self.output, self.dropout = output, Dropout(dropout)

    def forward(
        self, hidden: Float[Tensor, "row *time dim"], valid: Tensor | None = None, attention: Attention | None = None
    ) -> Categorical:
        """The emission of these vectors."""
        return Categorical(
            self.dropout(hidden), self.output.weight, self.output.bias, valid=valid, attention=attention
        )


class RnnDecoder(Decoder):
    """A recurrent stack that starts from the summary and reads its own output.

    Args:
        fed_back: The own output as input.
        stack: The recurrence, from left to right.
        bridge: Makes its first state.
        readout: From the top layer's output to what the head reads.
        head: The softmax.

    Source:
        Sutskever et al. 2014, arXiv:1409.3215; the bridge is Cho's.
    """

    def __init__(
        self, fed_back: FedBack, stack: RecurrentStack, bridge: Bridge, readout: nn.Module, head: SoftmaxHead
    ) -> None:
        super().__init__()
        self.fed_back, self.stack, self.bridge, self.readout, self.head = fed_back, stack, bridge, readout, head

    def start(self, memory: Memory) -> State:
        """The summary through the bridge."""
        return State(
            steps=torch.zeros(memory.rows, dtype=torch.int64, device=memory.item.device),
            cells=self.bridge(memory.summary, self.stack),
        )

    def step(self, memory: Memory, state: State, previous: Shaped[Tensor, " row"]) -> tuple[Categorical, State]:
        """One time step of the stack."""
        h, cells = self.stack.step(self.fed_back(previous, state.steps), state.cells)
        return self.head(self.readout(h)), State(steps=state.steps + 1, cells=cells)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Categorical, State]:
        """The whole target through the fused recurrence."""
        state, previous = self.begin(memory, target, state, previous)
        x = self.fed_back.shifted(target, previous, state.steps)
        h, cells = self.stack(x, target.valid, state.cells)
        return self.head(self.readout(h), target.valid), State(steps=state.steps + target.lengths, cells=cells)


class RnnSettings(RecurrentSettings):
    """What all recurrent decoders of symbols share."""

    tied: bool = Field(True, description="the output weights are the input embedding")

    def head(self, embed: SymbolEmbedding, dim: int) -> SoftmaxHead:
        """The softmax over what is `dim` wide, which is embed_dim where tied."""
        return SoftmaxHead(output_layer(embed, dim, self.tied), self.dropout)


class RnnDecoderConfig(RnnSettings, DecoderConfig):
    """A recurrent decoder without attention."""

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> RnnDecoder:
        """Make a decoder that starts from such a memory's summary and emits this stream of symbols."""
        own = target_embedding(target, embed, self.embed_dim)
        stack = self.make_stack(self.embed_dim)
        projected = self.tied and self.embed_dim != self.hidden_dim
        return RnnDecoder(
            fed_back=FedBack(own, self.embed_dim),
            stack=stack,
            bridge=Bridge(memory.summary_dim, stack),
            readout=nn.Linear(self.hidden_dim, self.embed_dim) if projected else nn.Identity(),
            head=self.head(own, self.embed_dim if projected else self.hidden_dim),
        )
