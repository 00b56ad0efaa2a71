"""The data of a run, and a source as a model reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from anyseq.core import Item, content
from anyseq.data.batching import Packed
from anyseq.data.store.store import Store, StoredField
from anyseq.errors import DataError


@dataclass(frozen=True)
class Splits:
    """The data of a run.

    Attributes:
        train: What is learnt from.
        dev: What decides which checkpoint is best, and when to stop.
        notes: What a person should know about how they came to be (lines left out, a dev part held out of train).
        left_out: Place and reason of every training item that is not used.
        held_out: Whether dev was held out of train: the keys of both count in one input.
        encoded: The fields of train as `Task.encode` gives them; none: not encoded yet.
        corpora: First key and weight of each corpus of train, where there are several.
        stored: Train, where it was prepared on disk; None: it is in memory.
    """

    train: Sequence[Item]
    dev: Sequence[Item]
    notes: Sequence[str] = field(default=())
    left_out: Sequence[tuple[str, str]] = field(default=())
    held_out: bool = False
    encoded: Mapping[str, Packed | StoredField] = field(default_factory=dict)
    corpora: Sequence[tuple[int, float]] = ()
    stored: Store | None = None

    @property
    def some(self) -> Sequence[Item]:
        """What of train may be looked at item by item: all of it, or of what is stored a sample."""
        return self.train if self.stored is None else self.stored.sample


@dataclass(frozen=True)
class EncodedSource:
    """A source as the model reads it.

    Attributes:
        values: At least one element, at most the limit.
        empty: There is nothing to be transformed: the output is empty too, and the model is not asked.
        cut: It was longer than the limit.
        others: What else the model reads of it, by the name of the batch's field.
    """

    values: Tensor
    empty: bool
    cut: bool
    others: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Tensor]:
        """All that the model reads, by the name of the batch's field."""
        return {"source": self.values, **self.others}


def hold_out(train: Sequence[Item], most: int, by: str = "source") -> Splits:
    """Hold a part of the items out of training to choose by, with no source in both; the same give the same part.

    Args:
        train: All items.
        most: Pairs to hold out; at most a tenth of all. Those of one source stay together, so that a few may be lacking
            (or there are as many as the rarest source has, where even these are more).
        by: The field that may not stand in both.

    Raises:
        DataError: there are fewer than ten pairs, or all have one source.
    """
    wanted = min(most, len(train) // 10)
    if not wanted:
        raise DataError(f"{len(train)} items are too few to hold some out for choosing: give data.dev or more data")
    sizes = Counter(content(item.raw[by]) for item in train)
    if len(sizes) == 1:
        raise DataError(f"all {len(train)} items have one {by}: give data.dev, which cannot be held out of them")
    chosen: dict[Hashable, bool] = {}
    room = max(wanted, min(sizes.values()))
    for place in torch.randperm(len(train), generator=torch.Generator().manual_seed(0)).tolist():
        source = content(train[place].raw[by])
        if source not in chosen:
            chosen[source] = sizes[source] <= room
            room -= sizes[source] * chosen[source]
    parts: tuple[list[Item], list[Item]] = ([], [])
    for item in train:
        parts[chosen[content(item.raw[by])]].append(item)
    rest, dev = parts
    note = f"no data.dev given: {len(dev)} of {len(train)} training items are held out to choose and stop by"
    return Splits(rest, dev, [note], held_out=True)
