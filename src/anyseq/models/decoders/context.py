"""Recurrent layers as an unfold that reads one vector of the source at every step."""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from anyseq.core import Decoder, Memory, Padded, State, Stream
from anyseq.models.decoders.base import DecoderConfig, MemoryShape, target_embedding
from anyseq.models.decoders.rnn import Bridge, RnnSettings, SoftmaxHead
from anyseq.nn.embeddings import FedBack
from anyseq.nn.emissions import Categorical
from anyseq.nn.recurrent import RecurrentStack


class MaxoutReadout(nn.Module):
    """What the softmax reads: the larger of each pair of O_h h + O_y E y + O_c c + b.

    Args:
        read_dim: Width of h and E y side by side.
        context_dim: Width of c.
        output_dim: Number of pairs.

    Source:
        Cho et al. 2014, arXiv:1406.1078, section A.1.2; maxout: Goodfellow et al. 2013, arXiv:1302.4389.
    """

    def __init__(self, read_dim: int, context_dim: int, output_dim: int) -> None:
        super().__init__()
        self.output_dim = output_dim
        self.read = nn.Linear(read_dim, 2 * output_dim)
        self.context = nn.Linear(context_dim, 2 * output_dim, bias=False)
        nn.init.xavier_uniform_(self.read.weight)
        nn.init.zeros_(self.read.bias)
        nn.init.xavier_uniform_(self.context.weight)

    def forward(
        self, read: Float[Tensor, "source query read_dim"], from_context: Float[Tensor, "source pairs_dim"]
    ) -> Float[Tensor, "source query output_dim"]:
        """The larger ones; O_c c was computed once per source."""
        return torch.maximum(*(self.read(read) + from_context[:, None]).chunk(2, -1))


class ContextDecoder(Decoder):
    """A recurrent stack that reads the source's one vector, the context c, at every step, and so does its output.

    c = tanh(V summary + b),  h_t = stack([E y_{t-1}; c], h_{t-1}) with h_0 = tanh(V' c + b'),
    p(y_t) = softmax of maxout(h_t, E y_{t-1}, c)

    Args:
        fed_back: The own output as input, E.
        context: V.
        stack: The recurrence, from left to right; its bottom layer reads both inputs side by side.
        bridge: V'.
        readout: The maxout layer.
        head: The softmax.

    Source:
        Cho et al. 2014, arXiv:1406.1078, sections 2.2 and A.1.2 (theirs has no b but in the GRU's place).
    """

    def __init__(
        self,
        fed_back: FedBack,
        context: nn.Linear,
        stack: RecurrentStack,
        bridge: Bridge,
        readout: MaxoutReadout,
        head: SoftmaxHead,
    ) -> None:
        super().__init__()
        self.fed_back, self.context, self.stack, self.bridge = fed_back, context, stack, bridge
        self.readout, self.head, self.output_dim = readout, head, head.output.in_features

    def prepare(self, memory: Memory) -> Memory:
        """Add the context, and what it adds to the readout."""
        context = self.context(memory.summary).tanh()
        return memory.replace(context=context, from_context=self.readout.context(context))

    def start(self, memory: Memory) -> State:
        """The context through the bridge."""
        steps = torch.zeros(memory.rows, dtype=torch.int64, device=memory.item.device)
        return State(steps=steps, cells=self.bridge(memory.replace(summary=memory.context), self.stack))

    def step(self, memory: Memory, state: State, previous: Shaped[Tensor, " row"]) -> tuple[Categorical, State]:
        """One time step of the stack over both inputs."""
        x = self.fed_back(previous, state.steps)
        h, cells = self.stack.step(_beside(x, memory.context), state.cells)
        return self.head(self._read(h, x, memory)), State(steps=state.steps + 1, cells=cells)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Categorical, State]:
        """The whole target through the fused recurrence."""
        state, previous = self.begin(memory, target, state, previous)
        x = self.fed_back.shifted(target, previous, state.steps)
        h, cells = self.stack(_beside(x, memory.context), target.valid, state.cells)
        state = State(steps=state.steps + target.lengths, cells=cells)
        return self.head(self._read(h, x, memory), target.valid), state

    def _read(
        self, h: Float[Tensor, "row *time hidden_dim"], x: Float[Tensor, "row *time embed_dim"], memory: Memory
    ) -> Float[Tensor, "row *time output_dim"]:
        """The readout, with the rows of a source folded into its queries."""
        read = self.readout(_queries(torch.cat([h, x], -1), memory.rows), memory.from_context)
        return read.view(*h.shape[:-1], self.readout.output_dim)


def _queries(x: Float[Tensor, "row *time dim"], sources: int) -> Float[Tensor, "source query dim"]:
    """Row r belongs to source r // (row / source)."""
    return x.reshape(sources, x.shape[:-1].numel() // sources, x.shape[-1])


def _beside(
    x: Float[Tensor, "row *time dim"], context: Float[Tensor, "source context_dim"]
) -> Float[Tensor, "row *time both_dim"]:
    """[x; c of its source]."""
    queries = _queries(x, context.shape[0])
    spread = context[:, None].expand(-1, queries.shape[1], -1)
    return torch.cat([queries, spread], 2).view(*x.shape[:-1], x.shape[-1] + context.shape[1])


class ContextDecoderConfig(RnnSettings, DecoderConfig):
    """A recurrent decoder that reads the source's one vector at every step; no attention.

    The context is hidden_dim wide, the maxout layer embed_dim.
    """

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> ContextDecoder:
        """Make a decoder that reads such a memory's summary and emits this stream of symbols."""
        own = target_embedding(target, embed, self.embed_dim)
        stack = RecurrentStack(self.make_layers(self.embed_dim + self.hidden_dim))
        context = nn.Linear(memory.summary_dim, self.hidden_dim)
        nn.init.xavier_uniform_(context.weight)
        nn.init.zeros_(context.bias)
        return ContextDecoder(
            fed_back=FedBack(own, self.embed_dim),
            context=context,
            stack=stack,
            bridge=Bridge(self.hidden_dim, stack),
            readout=MaxoutReadout(self.hidden_dim + self.embed_dim, self.hidden_dim, self.embed_dim),
            head=self.head(own, self.embed_dim),
        )
