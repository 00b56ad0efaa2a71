"""Gated convolutions as an unfold: every layer sees the last places, and looks at the memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Int, Shaped
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Memory, Padded, State, Stream, Tree
from anyseq.models.conv import ConvSettings, changed
from anyseq.models.decoders.base import DecoderConfig, MemoryShape, output_layer, target_embedding
from anyseq.models.decoders.rnn import SoftmaxHead
from anyseq.nn.attention import bias_of
from anyseq.nn.convolution import AttendingBlock, CausalBlock
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import FedBack
from anyseq.nn.emissions import Attention, Categorical


class ConvDecoder(Decoder):
    """A stack of causal convolutions, each with attention to the memory, and a softmax on top.

    What a layer finds depends on its own output and on the embedding g of the last symbol, at its position. Keys are
    the encoder's outputs z, values (z + e) / sqrt(2) with the source's embedding e; other encoders leave no e, then
    values are z too. A place sees the last 1 + layers * (kernel_width - 1) symbols and no earlier one, which makes
    its State small: what each layer's convolution read at the last kernel_width - 1 places.

    `emission.attention` is the mean over the layers.

    Args:
        fed_back: The own output as input, `dim` wide.
        positions: Adds positions to the input.
        bottom: From `dim` to the width of the layers.
        layers: The stack, at least one, all of one width and kernel.
        top: Ends it; back to `dim`.
        query: From `dim` to the width of the memory's vectors.
        head: The softmax.
        dropout: Share of the input dropped in training.

    Source:
        Gehring et al. 2017, arXiv:1705.03122, sections 3.1 to 3.3; the layers' differences stand with
        `CentredBlock` and `AttendingBlock`. g · z is divided by the square root of their width.
    """

    attends: ClassVar[bool] = True

    def __init__(
        self,
        fed_back: FedBack,
        positions: nn.Module,
        bottom: nn.Module,
        layers: Sequence[AttendingBlock],
        top: nn.Module,
        query: nn.Module,
        head: SoftmaxHead,
        dropout: float,
    ) -> None:
        super().__init__()
        self.fed_back, self.positions, self.bottom, self.layers = fed_back, positions, bottom, nn.ModuleList(layers)
        self.reach, self.hidden_dim = layers[0].block.reach, layers[0].dim
        self.top, self.query, self.head, self.dropout = top, query, head, Dropout(dropout)

    def prepare(self, memory: Memory) -> Memory:
        """Add every layer's keys and values, once per source."""
        keys = values = memory.vectors
        if "embedded" in memory:
            values = (keys + memory.embedded) * 0.5**0.5
        looked_at = {name: layer.prepare(keys, values) for name, layer in self.named_layers}
        return memory.replace(looked_at=Tree(**looked_at), readable=bias_of(memory.valid, keys)[:, None])

    def start(self, memory: Memory) -> State:
        """Nothing consumed: zeros before the first place."""
        nothing = memory.vectors.new_zeros(memory.rows, self.reach, self.hidden_dim)
        return State(
            steps=torch.zeros(memory.rows, dtype=torch.int64, device=memory.item.device),
            past=Tree(**{name: nothing for name, _ in self.named_layers}),
        )

    def step(self, memory: Memory, state: State, previous: Shaped[Tensor, " row"]) -> tuple[Categorical, State]:
        """One new place for each row."""
        x = self.fed_back(previous, state.steps)[:, None]
        hidden, look, read = self._run(memory, x, state.past, state.steps[:, None])
        past = Tree(**{name: inputs[:, 1:] for name, inputs in read.items()})
        return self.head(hidden[:, 0], attention=lambda: look()[:, 0]), State(steps=state.steps + 1, past=past)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Categorical, State]:
        """All places of a target at once."""
        places = torch.arange(target.values.shape[1], device=target.values.device)
        positions = places[None] if state is None else state.steps[:, None] + places
        state, previous = self.begin(memory, target, state, previous)
        x = self.fed_back.shifted(target, previous, state.steps)
        hidden, look, read = self._run(memory, x, state.past, positions)
        # The past of a row starts where its own places ended: at 0, with the old past, where it had none.
        rows = torch.arange(target.rows, device=places.device)[:, None]
        last = target.lengths[:, None] + torch.arange(self.reach, device=places.device)
        past = Tree(**{name: inputs[rows, last] for name, inputs in read.items()})
        return self.head(hidden, target.valid, look), State(steps=state.steps + target.lengths, past=past)

    @property
    def named_layers(self) -> list[tuple[str, AttendingBlock]]:
        """The layers, bottom first, with their names in State and Memory."""
        return [(f"layer{i}", layer) for i, layer in enumerate(self.layers)]  # type: ignore[misc]

    def _run(
        self, memory: Memory, x: Float[Tensor, "row time dim"], past: Tree, positions: Int[Tensor, "#row time"]
    ) -> tuple[Tensor, Attention, dict[str, Tensor]]:
        """New places through the stack: what it says, where it looked, and what each convolution read."""
        rows, time, dim = x.shape
        sources = memory.rows
        x = self.dropout(self.positions(x * dim**0.5, positions))
        query = self.query(x).reshape(sources, rows // sources * time, memory.vectors.shape[2])
        own = torch.baddbmm(memory.readable, query, memory.vectors.transpose(1, 2), alpha=query.shape[2] ** -0.5)
        x = self.bottom(x)
        looks, read = [], {}
        for name, layer in self.named_layers:
            x, read[name], weights = layer(x, past.get(name), memory.looked_at.get(name), own)
            looks.append(weights)
        return self.top(x), lambda: torch.stack(looks).mean(0).view(rows, time, own.shape[2]), read


class ConvDecoderConfig(ConvSettings, DecoderConfig):
    """A convolutional decoder."""

    tied: bool = Field(True, description="the output weights are the input embedding")

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> ConvDecoder:
        """Make a decoder that reads such a memory and emits this stream of symbols."""
        own = target_embedding(target, embed, self.embed_dim)
        return ConvDecoder(
            fed_back=FedBack(own, self.embed_dim),
            positions=self.position_layer(),
            bottom=self.bottom(),
            layers=[
                AttendingBlock(CausalBlock(self.hidden_dim, self.kernel_width, self.dropout), memory.vectors_dim)
                for _ in range(self.num_layers)
            ],
            top=self.top(),
            query=changed(self.embed_dim, memory.vectors_dim),
            head=SoftmaxHead(output_layer(own, self.embed_dim, self.tied), self.dropout),
            dropout=self.dropout,
        )
