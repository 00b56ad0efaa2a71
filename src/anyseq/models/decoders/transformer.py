"""The Transformer as an unfold: every new place looks at those before it and at the memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Int, Shaped
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Memory, Padded, State, Stream, Tree
from anyseq.models.decoders.base import DecoderConfig, MemoryShape, output_layer, target_embedding
from anyseq.models.transformer import TransformerSettings
from anyseq.nn.attention import CrossAttention, bias_of
from anyseq.nn.cache import Cache
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import FedBack
from anyseq.nn.emissions import Attention, Categorical
from anyseq.nn.positions import Rotary
from anyseq.nn.transformer import DecoderLayer


class TransformerDecoder(Decoder):
    """A stack of layers with causal self-attention and attention to the memory, and a softmax on top.

    Its State keeps the keys and values of what each row consumed. `emission.attention` is the top layer's, mean over
    heads; there is none where the layers look at no memory (a language model).

    Args:
        fed_back: The own output as input, `dim` wide.
        positions: Adds positions to the input, or None where the layers rotate.
        rotary: Rotates each layer's queries and keys by their positions, or None.
        layers: The stack, at least one.
        norm: Ends the stack.
        output: Output embedding; its weight may be the input's.
        dim: Width of the vectors.
        dropout: Share of the input dropped in training.

    Source:
        Vaswani et al. 2017, arXiv:1706.03762.
    """

    @property
    def attends(self) -> bool:  # type: ignore[override]
        """Whether its layers look at a memory."""
        return self._stack[0].cross_attention is not None

    def __init__(
        self,
        fed_back: FedBack,
        positions: nn.Module | None,
        rotary: Rotary | None,
        layers: Sequence[DecoderLayer],
        norm: nn.Module,
        output: nn.Linear,
        dim: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.fed_back, self.positions, self.layers, self.norm = fed_back, positions, nn.ModuleList(layers), norm
        self.rotary, self.num_heads = rotary, layers[0].self_attention.num_heads
        self.output, self.dim, self.dropout = output, dim, Dropout(dropout)
        self.output_dim = dim

    def prepare(self, memory: Memory) -> Memory:
        """Project the keys and values of every layer, once per source."""
        looking = [layer.cross_attention for layer in self._stack if layer.cross_attention is not None]
        if not looking:
            return memory
        prepared = {f"layer{i}": layer.prepare(memory.vectors) for i, layer in enumerate(looking)}
        bias = bias_of(memory.valid, memory.vectors)[:, None, None].expand(-1, self.num_heads, -1, -1)
        return memory.replace(cross=Tree(**prepared), cross_bias=bias)

    def start(self, memory: Memory) -> State:
        """Nothing consumed, nothing kept."""
        return State(
            steps=torch.zeros(memory.rows, dtype=torch.int64, device=memory.item.device),
            cache=Cache([], memory.rows, filled=0, even=True),
        )

    def step(self, memory: Memory, state: State, previous: Shaped[Tensor, " row"]) -> tuple[Categorical, State]:
        """One new place for each row."""
        x = self.fed_back(previous, state.steps)[:, None]
        hidden, look, buffers = self._run(memory, x, state)
        cache = Cache(buffers, state.rows, state.cache.filled + 1, state.cache.even)
        attention = None if look is None else lambda: look()[:, 0]
        emission = Categorical(hidden[:, 0], self.output.weight, self.output.bias, attention=attention)
        return emission, State(steps=state.steps + 1, cache=cache)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Categorical, State]:
        """All places of a target at once."""
        state, previous = self.begin(memory, target, state, previous)
        if not target.values.shape[1]:
            nothing = self.output.weight.new_zeros(target.rows, 0, self.dim)
            nowhere = (lambda: nothing.new_zeros(target.rows, 0, memory.valid.shape[1])) if self.attends else None
            return Categorical(
                nothing, self.output.weight, self.output.bias, valid=target.valid, attention=nowhere
            ), state
        x = self.fed_back.shifted(target, previous, state.steps)
        hidden, look, buffers = self._run(memory, x, state)
        # Uneven is always right, only slower to go on from: while training nobody does, so do not wait for the answer.
        even = state.cache.even and not torch.is_grad_enabled() and bool(target.valid.all())
        cache = Cache(buffers, state.rows, state.cache.filled + x.shape[1], even)
        emission = Categorical(
            hidden, self.output.weight, self.output.bias, valid=target.valid, attention=look
        )
        return emission, State(steps=state.steps + target.lengths, cache=cache)

    @property
    def _stack(self) -> Sequence[DecoderLayer]:
        return list(self.layers)  # type: ignore[arg-type]

    def _run(self, memory: Memory, x: Tensor, state: State) -> tuple[Tensor, Attention | None, list[Tensor]]:
        """New places through the stack: what it says, where it looked, and the buffers for the next cache."""
        cross, cross_bias = memory.get("cross"), memory.get("cross_bias")
        cache: Cache = state.cache
        places = torch.arange(x.shape[1], device=x.device)
        positions = places[None] if not cache.filled else state.steps[:, None] + places
        x = x * self.dim**0.5
        x = self.dropout(x if self.positions is None else self.positions(x, positions))
        bias = self._bias(positions, cache, x)
        rotation = None if self.rotary is None else self.rotary(positions, x)
        past = cache if cache.filled else None
        buffers = []
        for i, layer in enumerate(self._stack):
            prepared = None if cross is None else cross.get(f"layer{i}")
            x, buffer, look = layer(x, positions, bias, past, i, prepared, cross_bias, rotation)
            buffers.append(buffer)
        return self.norm(x), look, buffers

    def _bias(
        self, positions: Int[Tensor, "#row time"], cache: Cache, x: Tensor
    ) -> Float[Tensor, "#batch time key"] | None:
        """A place may look at the slots up to its own."""
        if x.shape[1] == 1 and cache.even:
            return None
        slots = torch.arange(cache.filled + x.shape[1], device=x.device)
        bias = bias_of(slots <= positions[:, :, None], x)
        return bias if bias.shape[0] == 1 else bias.repeat_interleave(self.num_heads, 0)


class TransformerDecoderConfig(TransformerSettings, DecoderConfig):
    """A Transformer decoder."""

    alone: ClassVar[bool] = True

    tied: bool = Field(True, description="the output weights are the input embedding")

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> TransformerDecoder:
        """Make a decoder that reads such a memory, if any, and emits this stream of symbols."""
        own = target_embedding(target, embed, self.model_dim)
        return TransformerDecoder(
            fed_back=FedBack(own, self.model_dim),
            positions=self.position_layer(),
            rotary=self.rotary(),
            layers=[
                DecoderLayer(
                    self.self_attention(),
                    None
                    if memory.empty
                    else CrossAttention(self.model_dim, memory.vectors_dim, self.num_heads, self.attention_dropout),
                    self.feed_forward(),
                    self.residual(),
                )
                for _ in range(self.num_layers)
            ],
            norm=self.final_norm(),
            output=output_layer(own, self.model_dim, self.tied),
            dim=self.model_dim,
            dropout=self.dropout,
        )
