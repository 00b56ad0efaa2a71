"""A folder of prepared data: what training reads instead of texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from anyseq.core import Item, Padded
from anyseq.data.permutation import Mixture
from anyseq.data.store.shards import SYMBOLS, TEXTS, Shard, damaged
from anyseq.data.store.sources import Source
from anyseq.errors import DataError

FORMAT = 1
INDEX, CODECS, DEV, LEFT_OUT = "index.json", "codecs", "dev.jsonl", "left_out.tsv"

_BLOCKS, _BLOCK = 10, 5000


@dataclass(frozen=True)
class Index:
    """What a folder of prepared data says about itself.

    Attributes:
        fingerprint: Of sources, codecs and limits.
        settings: What it depends on in a recipe, as plain mappings.
        sources: The files it was made of.
        shards: Name, items, corpus, file and contents of each.
        weights: Of each corpus.
        total: Items there were, those left out and those held out included.
        left_out: Items that are empty on a side or too long.
        held_out: Items kept for choosing and stopping.
        learnt_from: Items the codecs were learnt from; 0: they were taken over.
        format: Version of this.
    """

    fingerprint: str
    settings: Mapping[str, Any]
    sources: Sequence[Mapping[str, Any]]
    shards: Sequence[Mapping[str, Any]]
    weights: Sequence[float]
    total: int
    left_out: int
    held_out: int
    learnt_from: int
    format: int = field(default=FORMAT)

    def text(self) -> str:
        """As the folder keeps it."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    def changed(self) -> list[str]:
        """The files it was made of that are there and are others now."""
        sources = [Source(**each) for each in self.sources]
        return [source.path for source in sources if Path(source.path).is_file() and Source.of(source.path) != source]

    @classmethod
    def read(cls, folder: Path) -> Index:
        """Of a folder.

        Raises:
            DataError: it is none, damaged, or of another version.
        """
        path = folder / INDEX
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            if read.get("format") != FORMAT:
                found = f"these prepared data are of format {read.get('format')}, this version reads {FORMAT}"
                raise DataError(f"{found}: prepare them anew (anyseq prepare ... --overwrite)", str(path))
            return cls(**read)
        except FileNotFoundError:
            remedy = "give a file, or a folder that `anyseq prepare ... --output DIR` made"
            raise DataError(f"this folder holds no prepared data (no {INDEX}); {remedy}", str(folder)) from None
        except (OSError, ValueError, TypeError, AttributeError) as fault:
            if isinstance(fault, DataError):
                raise
            remedy = "copy the folder again, whole, or prepare it anew"
            raise DataError(f"this is no index of prepared data ({fault}); {remedy}", str(path)) from None


class Store(Sequence[Item]):
    """Prepared data: a sequence of items that are read when they are asked for, and their fields as batches need them.

    Args:
        folder: That `anyseq prepare` made.

    Raises:
        DataError: it is none, or a shard is missing or cut short.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.about = folder, Index.read(folder)
        self.shards = [
            Shard(folder, each["name"], each["count"], each["file"], each["content"]) for each in self.about.shards
        ]
        for shard in self.shards:
            shard.check((SYMBOLS, TEXTS), thoroughly=False)
        self.begins = np.cumsum([0, *(shard.count for shard in self.shards)])

    def check(self, texts: bool = False) -> None:
        """Read all symbols (and texts) and compare them with what was written.

        Raises:
            DataError: a shard is damaged; the message names its file.
        """
        for shard in self.shards:
            shard.check((SYMBOLS, TEXTS) if texts else (SYMBOLS,), thoroughly=True)

    def __len__(self) -> int:
        return int(self.begins[-1])

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> list[Item]: ...
    def __getitem__(self, place: int | slice) -> Item | list[Item]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        row = range(len(self))[place]
        number = int(np.searchsorted(self.begins, row, "right")) - 1
        return self.shards[number].item(row - int(self.begins[number]))

    @cached_property
    def fields(self) -> Mapping[str, StoredField]:
        """What the items are encoded as, by name."""
        return {name: StoredField(self, name) for name in self.shards[0].names}

    @cached_property
    def lengths(self) -> Int[Tensor, " count"]:
        """The longest field of each item."""
        return torch.cat([shard.symbols["lengths"].to(torch.int32) for shard in self.shards])

    @property
    def digest(self) -> str:
        """A hash of all that its shards hold."""
        content = json.dumps([each["content"] for each in self.about.shards], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    @property
    def mixture(self) -> Mixture:
        """Its corpora, with the weights they were prepared with."""
        counts = [0] * len(self.about.weights)
        for each in self.about.shards:
            counts[each["corpus"]] += each["count"]
        return Mixture(tuple(counts), tuple(self.about.weights))

    @cached_property
    def sample(self) -> list[Item]:
        """Some items to look at, evenly spaced stretches of them in the order in which they stand; all of few."""
        if len(self) <= _BLOCKS * _BLOCK:
            return self[:]
        firsts = np.linspace(0, len(self) - _BLOCK, _BLOCKS).astype(int).tolist()
        return [item for first in firsts for item in self[first : first + _BLOCK]]

    def held_out(self) -> list[Item]:
        """The items kept for choosing and stopping; none where `data.dev` was given.

        Raises:
            DataError: the file of them is damaged.
        """
        try:
            found = read_held_out(self.folder / DEV)
        except (OSError, ValueError, TypeError) as fault:
            raise self._damaged(DEV, str(fault)) from None
        if len(found) != self.about.held_out:
            raise self._damaged(DEV, f"{len(found):,} items instead of {self.about.held_out:,}")
        return found

    def left_out(self) -> list[tuple[str, str]]:
        """Place and reason of every item left out.

        Raises:
            DataError: the file of them is damaged.
        """
        try:
            lines = (self.folder / LEFT_OUT).read_text(encoding="utf-8").split("\n")[:-1]
        except (OSError, ValueError) as fault:
            raise self._damaged(LEFT_OUT, str(fault)) from None
        if len(lines) != self.about.left_out:
            raise self._damaged(LEFT_OUT, f"{len(lines):,} lines instead of {self.about.left_out:,}")
        return [(place, reason) for place, _, reason in (line.partition("\t") for line in lines)]

    def _damaged(self, name: str, fault: str) -> DataError:
        return damaged(self.folder / name, fault)


class StoredField:
    """A field of all items of a store, as `Packed` is one of items in memory.

    Args:
        store: Whose.
        name: Of the field.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._packed = store, [shard.field(name) for shard in store.shards]

    @cached_property
    def lengths(self) -> Int[Tensor, " count"]:
        """Values in each sequence."""
        return torch.cat([packed.offsets.diff().to(torch.int32) for packed in self._packed])

    def rows(self, chosen: Int[Tensor, " row"]) -> Padded:
        """The chosen sequences, padded."""
        wanted = chosen.numpy()
        numbers = np.searchsorted(self._store.begins, wanted, "right") - 1
        within, found = wanted - self._store.begins[numbers], {}
        for number in np.unique(numbers).tolist():
            here = np.flatnonzero(numbers == number)
            found[number] = here, self._packed[number].rows(torch.from_numpy(within[here]))
        longest = max(part.values.shape[1] for _, part in found.values())
        some = next(iter(found.values()))[1].values
        kind = some.dtype if some.dtype.is_floating_point else torch.int64
        values = torch.zeros(len(wanted), longest, *some.shape[2:], dtype=kind)
        valid = torch.zeros(len(wanted), longest, dtype=torch.bool)
        for here, part in found.values():
            width = part.values.shape[1]
            values[here, :width], valid[here, :width] = part.values.to(kind), part.valid
        return Padded(values, valid)


def write_held_out(items: Iterable[Item], path: Path) -> None:
    """Write items with texts, a JSON object a line."""
    with path.open("w", encoding="utf-8") as stream:
        for item in items:
            row = {"raw": dict(item.raw), "key": item.key, "file": item.file, "line": item.line}
            stream.write(json.dumps(row, ensure_ascii=True) + "\n")


def read_held_out(path: Path) -> list[Item]:
    """Read what `write_held_out` wrote; no file, no items."""

    def rows() -> Iterator[Item]:
        with path.open(encoding="utf-8") as stream:
            yield from (Item(**json.loads(line)) for line in stream)

    return list(rows()) if path.is_file() else []
