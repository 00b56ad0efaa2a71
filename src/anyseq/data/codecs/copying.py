"""What a target can take over from its source: symbols that both sides' codecs share, and the source's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from anyseq.core import Codec, Units, Unknown
from anyseq.data.codecs.text import TextCodec
from anyseq.errors import ConfigError


class Copied(NamedTuple):
    """A source as the target's codec knows it.

    Attributes:
        symbols: The target symbol each place of the encoded source stands for, its end too.
        own: The parts that are no symbols of the target, each once, in order; part i is symbol vocab_size + i.
    """

    symbols: list[int]
    own: tuple[str, ...]


class CopyCodec:
    """Source symbols as target symbols.

    A part of a source (a word, say) that the target's codec knows is its symbol there, whatever it is in the source's
    codec, so that the two need not be one. Any other part is a symbol of that source's own, behind the vocabulary: the
    target can name it only there. In a source that was segmented at random (`augment`), what the source's codec does
    not know has lost its spelling and stays the target's unknown symbol.

    Args:
        source: Codec of the source.
        target: Codec of the target, of the same kind.
        max_length: Longest source in symbols, end included; what is beyond is cut off and cannot be copied.

    Raises:
        ConfigError: the two do not cut texts into parts of the same kind.
    """

    def __init__(self, source: Codec, target: Codec, max_length: int) -> None:
        if not (isinstance(source, TextCodec) and isinstance(target, TextCodec) and type(source) is type(target)):
            raise ConfigError(
                "to copy from the source, both sides must be cut in the same way (characters, words or subwords), "
                f"not {type(source).__name__.lower()} and {type(target).__name__.lower()}: set codec.target.kind to "
                "the source's, or codec.joint=true"
            )
        self.source, self.target, self.max_length = source, target, max_length
        self.vocab_size = len(target.shown)
        self._known = {part: symbol for symbol, part in enumerate(target.shown[2:], 2)}
        as_target = replace(source.normalise, case=target.normalise.case, unicode=target.normalise.unicode)
        self._fold = None if as_target == source.normalise else as_target.fold

    @property
    def end(self) -> int:
        """The target's end symbol."""
        return self.target.stream.end

    def read(self, raw: Any) -> Copied:
        """What of a raw source can be copied."""
        return self._copied(self.source.parts(raw)[: self.max_length - 1])

    def read_symbols(self, symbols: Int[Tensor, " time"]) -> Copied:
        """The same of a source that is encoded already, unknown symbols having lost their spelling."""
        unknown = self.source.stream.unknown
        return self._copied(None if s == unknown else self.source.shown[s] for s in symbols[:-1].tolist())

    def _copied(self, parts: Iterable[str | None]) -> Copied:
        own: dict[str, int] = {}
        symbols = []
        for part in parts:
            if part is None:
                symbols.append(self.target.stream.unknown)
                continue
            part = part if self._fold is None else self._fold(part)
            symbol = self._known.get(part)
            symbols.append(own.setdefault(part, self.vocab_size + len(own)) if symbol is None else symbol)
        return Copied([*symbols, self.end], tuple(own))

    def fields(self, copied: Copied) -> Mapping[str, Tensor]:
        """What a copying decoder reads of a source: `copied`, and the keys of its own symbols, `own`."""
        return {"copied": torch.tensor(copied.symbols), "own": torch.tensor([*map(key, copied.own)], dtype=torch.int64)}

    def encode(self, raw: Any, copied: Copied) -> Int[Tensor, " time"]:
        """Encode a target whose source this is; a part that neither the codec nor the source has is unknown."""
        own = {part: self.vocab_size + i for i, part in enumerate(copied.own)}
        unknown = self.target.stream.unknown
        symbols = [self._known.get(part) or own.get(part, unknown) for part in self.target.parts(raw)]
        return torch.tensor([*symbols, self.end])

    def unknown(self, raw: Any, copied: Copied) -> Unknown:
        """What of such a target neither the codec nor the source has."""
        return self.target.unknown(raw, copied.own)

    def decode(self, values: Int[Tensor, " time"], raw: Any) -> str:
        """The text of a target up to its end, `raw` being its source."""
        return self.target.join(self._written(values, raw))

    def units(self, values: Int[Tensor, " time"], raw: Any) -> Units:
        """The same in what a person sees as one thing."""
        return self.target.units_of(self._written(values, raw), len(values))

    def _written(self, values: Int[Tensor, " time"], raw: Any) -> list[str]:
        """The parts of a target up to its end."""
        symbols = values.tolist()
        symbols = symbols[: symbols.index(self.end)] if self.end in symbols else symbols
        size, shown = self.vocab_size, self.target.shown
        own = self.read(raw).own if max(symbols, default=0) >= size else ()
        return [shown[symbol] if symbol < size else own[symbol - size] for symbol in symbols]


def key(part: str) -> int:
    """A number that stands for a part in every source: 63 bits of its hash."""
    return int.from_bytes(blake2b(part.encode(), digest_size=8).digest()) >> 1
