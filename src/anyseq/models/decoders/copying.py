"""A block around a decoder that attends: it may copy what it looks at."""

from __future__ import annotations

from typing import ClassVar, cast

from jaxtyping import Int
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Emission, Memory, Padded, State, Stream, Symbols, width
from anyseq.errors import ConfigError
from anyseq.models.decoders.base import DecoderConfig, MemoryShape
from anyseq.nn.copying import NOTHING, Copying, first_places
from anyseq.nn.emissions import Categorical


class CopyingDecoder(Decoder):
    """The softmax of the decoder inside, mixed with a copy of what it looks at.

    g = σ(w · h~ + u · Σ_j a_j m_j + b) with h~ what the softmax reads, a the attention, m the memory's vectors.

    Of the memory it reads besides: `copied`, the target symbol that each place of the source stands for; and `own`
    (none where there is no such field), whose width is the most symbols that any of the batch's sources has of its
    own. A source's own symbols follow those of the vocabulary; the decoder inside reads them as the unknown symbol.

    What a Transformer looks at is the mean over its top layer's heads. Heads that have settled on different places
    leave a copy divided between them; with one head that cannot be.

    Args:
        decoder: Attends, and emits a lazy softmax.
        vectors_dim: Width of `memory.vectors`.
        vocabulary: Of that softmax.

    Source:
        See et al. 2017, arXiv:1704.04368, equations 8 and 9. In their gate the decoder's state and input stand instead
        of h~, which knows both. Their coverage is not part of it.
    """

    attends: ClassVar[bool] = True

    def __init__(self, decoder: Decoder, vectors_dim: int, vocabulary: Symbols) -> None:
        super().__init__()
        self.decoder, self.vocabulary = decoder, vocabulary
        self.gate = nn.Linear(decoder.output_dim, 1)
        self.context_gate = nn.Linear(vectors_dim, 1, bias=False)

    def prepare(self, memory: Memory) -> Memory:
        """Add what is to be copied, and what each place says about the gate.

        Raises:
            ValueError: there is no vector for each place of `copied`.
        """
        copied: Padded = memory.copied
        if copied.values.shape != memory.valid.shape:
            raise ValueError(
                f"copying needs a vector for each symbol of the source; `copied` is {list(copied.values.shape)}, "
                f"the memory is {list(memory.valid.shape)}"
            )
        symbols = copied.values.masked_fill(~memory.valid, NOTHING)
        return self.decoder.prepare(memory).replace(
            copy_symbols=symbols,
            copy_first=first_places(symbols),
            copy_gate=self.context_gate(memory.vectors),
        )

    def start(self, memory: Memory) -> State:
        """That of the decoder inside."""
        return self.decoder.start(memory)

    def step(self, memory: Memory, state: State, previous: Int[Tensor, " row"]) -> tuple[Copying, State]:
        """Its step, mixed."""
        emission, state = self.decoder.step(memory, state, self._read(previous))
        return self._mixed(emission, memory), state

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Copying, State]:
        """Its unroll, mixed."""
        previous = None if previous is None else self._read(previous)
        emission, state = self.decoder.unroll(memory, Padded(self._read(target.values), target.valid), state, previous)
        return self._mixed(emission, memory), state

    def _read(self, symbols: Int[Tensor, "*place"]) -> Int[Tensor, "*place"]:
        """Symbols as the decoder inside knows them."""
        return symbols.masked_fill(symbols >= self.vocabulary.vocab_size, self.vocabulary.unknown)

    def _mixed(self, emission: Emission, memory: Memory) -> Copying:
        generated = cast(Categorical, emission)
        assert emission.attention is not None
        weights = emission.attention()
        rows, *times, places = weights.shape
        each = width(memory, rows)
        looks = weights.reshape(memory.rows, each * (times[0] if times else 1), places)
        gate = self.gate(generated.hidden) + (looks @ memory.copy_gate).view(rows, *times, 1)
        return Copying(
            generated,
            gate.squeeze(-1).to(weights.dtype),
            weights,
            memory.copy_symbols.repeat_interleave(each, 0),
            memory.copy_first.repeat_interleave(each, 0),
            memory.own.values.shape[1] if "own" in memory else 0,
        )


class CopyingDecoderConfig(DecoderConfig):
    """A decoder that may copy words of the source, also such as its vocabulary does not have."""

    copies: ClassVar[bool] = True
    decoder: DecoderConfig = Field(description="the decoder inside; one that attends")

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> CopyingDecoder:
        """Make the decoder inside and put the block around it.

        Raises:
            ConfigError: the decoder inside does not attend, or has no lazy softmax.
        """
        inside = self.decoder.build(memory, target, embed)
        if not (inside.attends and inside.output_dim and isinstance(target, Symbols)):
            raise ConfigError(
                f"decoder.kind=copying copies what the decoder inside looks at, and {type(inside).__name__} does not "
                "look at the source by attention, or has no softmax; set decoder.decoder.kind to attention, "
                "transformer or conv"
            )
        return CopyingDecoder(inside, memory.vectors_dim, target)
