"""Shards: some encoded items in two files, their symbols and their texts, which are mapped into memory, not read."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int, Shaped
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from anyseq.core import Item
from anyseq.data.batching import Packed
from anyseq.errors import DataError

SYMBOLS, TEXTS = "symbols", "texts"

_WHOLE = (torch.uint8, torch.int16, torch.int32)
_BLOCK = 1 << 20

Content = Mapping[str, Sequence[int]]
"""Bytes and CRC-32 of each of a shard's files, by its kind."""


def narrow(values: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
    """The same whole numbers in the smallest type that holds them; other numbers as they are."""
    if values.dtype.is_floating_point or not values.numel():
        return values
    least, most = (int(each) for each in values.aminmax())
    fitting = (kind for kind in _WHOLE if torch.iinfo(kind).min <= least and most <= torch.iinfo(kind).max)
    return values.to(next(fitting, torch.int64))


def _signed(offsets: Int[Tensor, " boundary"]) -> Int[Tensor, " boundary"]:
    """Places that rise, in 32 bits where these suffice."""
    return offsets.to(torch.int32) if int(offsets[-1]) <= torch.iinfo(torch.int32).max else offsets


def write_shard(folder: Path, name: str, fields: Mapping[str, Packed], items: Sequence[Item]) -> Content:
    """Write some items, at least one; each file takes its name when it is whole and on the disk.

    Args:
        folder: Of the store.
        name: Of the shard.
        fields: What the items are encoded as.
        items: With texts, read from one file.
    """
    symbols = {f"{each}.values": narrow(field.values) for each, field in fields.items()}
    symbols |= {f"{each}.offsets": _signed(field.offsets) for each, field in fields.items()}
    symbols["lengths"] = narrow(torch.stack([field.lengths for field in fields.values()]).amax(0))
    symbols["keys"] = narrow(torch.tensor([item.key for item in items]))
    symbols["lines"] = narrow(torch.tensor([item.line or 0 for item in items]))
    texts = {}
    for each in items[0].raw:
        encoded = [item.raw[each].encode("utf-8", "surrogatepass") for item in items]
        texts[f"{each}.values"] = torch.frombuffer(bytearray(b"".join(encoded)), dtype=torch.uint8)
        texts[f"{each}.offsets"] = _signed(torch.tensor([0, *map(len, encoded)]).cumsum(0))
    return {kind: _write(folder / f"{name}.{kind}", held) for kind, held in ((TEXTS, texts), (SYMBOLS, symbols))}


def _write(path: Path, tensors: Mapping[str, Tensor]) -> tuple[int, int]:
    draft = path.with_name(f".{path.name}.draft")
    content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
    return len(content), zlib.crc32(content)


def crc(path: Path) -> int:
    """The CRC-32 of a file, read block by block."""
    found = 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            found = zlib.crc32(block, found)
    return found


def damaged(path: Path, fault: str, what: str = "this file") -> DataError:
    """What to say of a file of prepared data that is not as it was written."""
    remedy = "copy the folder again, whole, or prepare it anew (anyseq prepare ... --overwrite)"
    return DataError(f"{what} of prepared data is damaged ({fault}); {remedy}", str(path))


@dataclass(frozen=True)
class Shard:
    """Some items of a store, opened when they are first asked for.

    Attributes:
        folder: Of the store.
        name: Of the shard.
        count: Items, at least one.
        file: Where they were read.
        content: Bytes and CRC-32 of each of its files.
    """

    folder: Path
    name: str
    count: int
    file: str
    content: Content

    def path(self, kind: str) -> Path:
        """One of its files."""
        return self.folder / f"{self.name}.{kind}"

    def check(self, kinds: Sequence[str], thoroughly: bool) -> None:
        """Compare its files with what was written: their sizes, or all they hold.

        Raises:
            DataError: one is missing or damaged.
        """
        for kind in kinds:
            path, (size, wanted) = self.path(kind), self.content[kind]
            try:
                found = path.stat().st_size
                if found != size:
                    raise self._damaged(kind, f"{found:,} bytes instead of {size:,}")
                if thoroughly and crc(path) != wanted:
                    raise self._damaged(kind, "it holds something else than was written")
            except FileNotFoundError:
                raise self._damaged(kind, "there is no such file") from None
            except OSError as fault:
                raise self._damaged(kind, f"cannot be read: {fault.strerror}") from None

    def _damaged(self, kind: str, fault: str) -> DataError:
        return damaged(self.path(kind), fault, "this shard")

    def _open(self, kind: str) -> dict[str, Tensor]:
        """The tensors of a file, mapped."""
        try:
            with safe_open(self.path(kind), framework="pt") as held:
                return {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118  it is no mapping
        except (OSError, SafetensorError) as fault:
            raise self._damaged(kind, str(fault)) from None

    @cached_property
    def symbols(self) -> Mapping[str, Tensor]:
        """What was encoded."""
        return self._open(SYMBOLS)

    @cached_property
    def texts(self) -> Mapping[str, Tensor]:
        """What was read, in UTF-8."""
        return self._open(TEXTS)

    def field(self, name: str) -> Packed:
        """A field of all items."""
        return Packed(self.symbols[f"{name}.values"], self.symbols[f"{name}.offsets"])

    @property
    def names(self) -> list[str]:
        """Of its fields."""
        return [name.removesuffix(".values") for name in self.symbols if name.endswith(".values")]

    def item(self, row: int) -> Item:
        """An item, whose texts are read when they are asked for."""
        return Item(StoredRaw(self, row), int(self.symbols["keys"][row]), self.file, int(self.symbols["lines"][row]))

    def text(self, name: str, row: int) -> str:
        """A text of an item.

        Raises:
            KeyError: there is no such field.
            DataError: it is damaged.
        """
        first, last = self.texts[f"{name}.offsets"][row : row + 2].tolist()
        try:
            return self.texts[f"{name}.values"][first:last].numpy().tobytes().decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as fault:
            raise self._damaged(TEXTS, str(fault)) from None


class StoredRaw(Mapping[str, Any]):
    """The texts of an item in a shard.

    Args:
        shard: Where they are.
        row: Of the item.
    """

    def __init__(self, shard: Shard, row: int) -> None:
        self._shard, self._row = shard, row

    def __getitem__(self, name: str) -> str:
        return self._shard.text(name, self._row)

    def __iter__(self) -> Iterator[str]:
        return (name.removesuffix(".values") for name in self._shard.texts if name.endswith(".values"))

    def __len__(self) -> int:
        return len(self._shard.texts) // 2

    def __repr__(self) -> str:
        return repr(dict(self))
