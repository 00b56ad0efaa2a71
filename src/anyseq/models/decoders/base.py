"""What every decoder's configuration offers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from anyseq.core import Decoder, Encoder, PartConfig, Stream, Symbols
from anyseq.errors import ConfigError
from anyseq.models.encoders.base import EncoderConfig
from anyseq.nn.embeddings import OutputEmbedding, SymbolEmbedding


@dataclass(frozen=True)
class MemoryShape:
    """What a decoder may expect of a Memory.

    Attributes:
        vectors_dim: Width of `memory.vectors`.
        summary_dim: Width of `memory.summary`.
        state_dims: Of `memory.states`, layer by layer: width of each field by name; empty where there are none.
        future_dim: Width of `memory.future`, what is known of each place of the output in advance; 0: nothing is.
    """

    vectors_dim: int
    summary_dim: int
    state_dims: Sequence[Mapping[str, int]] = ()
    future_dim: int = 0

    @classmethod
    def of(cls, encoder: Encoder, future_dim: int = 0) -> MemoryShape:
        """What this encoder leaves, and what is known of the output in advance."""
        return cls(encoder.output_dim, encoder.summary_dim, encoder.state_dims, future_dim)

    @property
    def empty(self) -> bool:
        """Whether nothing was folded: a language model's."""
        return not (self.vectors_dim or self.summary_dim or self.state_dims)


NOTHING_FOLDED = MemoryShape(0, 0)
"""What a decoder that stands alone may expect."""


class DecoderConfig(PartConfig):
    """Settings of a decoder.

    Class attributes:
        copies: It reads what it may copy from the source: the memory's fields `copied` and `own`.
        alone: It can do without a memory (`NOTHING_FOLDED`).
        carried: Its state has one size, however much it has read, and may be handed on for ever.
    """

    section: ClassVar[str] = "decoders"
    copies: ClassVar[bool] = False
    alone: ClassVar[bool] = False
    carried: ClassVar[bool] = False

    @property
    def labels(self) -> bool:
        """Whether it says a label of the whole source, and then a symbol of each place."""
        return False

    def as_encoder(self) -> tuple[EncoderConfig, Mapping[str, str]] | None:
        """An encoder of the same layers, which could begin with this decoder's weights: a language model that reads.

        Returns:
            Its configuration, and what the names of the weights begin with in the decoder, and in a model with the
            encoder; None: there is no such encoder.
        """
        return None

    @abstractmethod
    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> Decoder:
        """Make a decoder that reads such a memory and emits this stream.

        Args:
            memory: What the encoder leaves.
            target: What is emitted.
            embed: The encoder's input layer, where both sides share one; its width must be this decoder's input width.

        Raises:
            ConfigError: the parts cannot go together (a shared embedding of another width, a stream it cannot emit).
        """


def at_places(
    table: Float[Tensor, "source place dim"], last: Int[Tensor, " source"], places: Int[Tensor, "row asked"]
) -> Float[Tensor, "row asked dim"]:
    """What stands at each row's places of its source; beyond the last one, what stands there."""
    shared = torch.minimum(places.reshape(len(table), -1), last[:, None])
    found = table.gather(1, shared[:, :, None].expand(-1, -1, table.shape[2]))
    return found.view(*places.shape, table.shape[2])


def target_embedding(target: Stream, embed: nn.Module | None, dim: int) -> SymbolEmbedding:
    """The input embedding of a decoder of symbols: the encoder's where shared, else a new one, `dim` wide.

    Raises:
        ConfigError: the stream has no symbols, or a shared embedding has another width.
    """
    if not isinstance(target, Symbols):
        raise ConfigError("this decoder has a softmax and emits symbols; for vectors choose another decoder")
    embed = SymbolEmbedding(target.vocab_size, dim) if embed is None else embed
    if not isinstance(embed, SymbolEmbedding) or embed.embedding_dim != dim:
        raise ConfigError(
            "a shared embedding has one width: give model.encoder and model.decoder the same model_dim (embed_dim of "
            "recurrent ones), or set model.share_embeddings=false"
        )
    return embed


def output_layer(embed: SymbolEmbedding, dim: int, tied: bool) -> OutputEmbedding:
    """The output embedding over what is `dim` wide: the input's where tied (then `dim` is its width), else its own."""
    output = OutputEmbedding(dim, embed.num_embeddings)
    nn.init.zeros_(output.bias)
    if tied:
        output.weight = embed.weight
    else:
        nn.init.normal_(output.weight, std=dim**-0.5)
    return output
