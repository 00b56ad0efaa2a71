"""What of the data training uses, and what it leaves out and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from anyseq.core import Item
from anyseq.data.batching import Packed, pack
from anyseq.errors import DataError

_NAMED = 10


@dataclass(frozen=True)
class Skipped:
    """What training leaves out, and why.

    Attributes:
        places: Where each stands (`Item.place`), in order.
        reasons: Why, for each.
        total: Items there were, those left out included.
    """

    places: tuple[str, ...]
    reasons: tuple[str, ...]
    total: int

    @property
    def count(self) -> int:
        """Items left out."""
        return len(self.places)

    def __str__(self) -> str:
        if not self.count:
            return f"all {self.total:,} items are used"
        named = [f"{place} ({reason})" for place, reason in zip(self.places, self.reasons, strict=True)]
        more = f" and {self.count - _NAMED:,} more (left_out.tsv of a run has all)" if self.count > _NAMED else ""
        return (
            f"{self.count:,} of {self.total:,} items ({self.count / self.total:.2%}) are left out: "
            f"{', '.join(named[:_NAMED])}{more}"
        )


@dataclass(frozen=True)
class Selection:
    """What training uses.

    Attributes:
        items: In order.
        fields: Of these, encoded, by name.
        skipped: The others.
        longest: Symbols of the longest of all.
    """

    items: Sequence[Item]
    fields: Mapping[str, Packed]
    skipped: Skipped
    longest: int


def sift(items: Sequence[Item], encode: Callable[[Item], Mapping[str, Tensor]], max_length: int) -> Selection:
    """Leave out items that are empty on a side or too long to train on; keep what the others are encoded as.

    Args:
        items: With texts in their fields; one of white space alone is empty.
        encode: An item's fields in full length; not asked for empty ones, and once for each other.
        max_length: Symbols of an item's longest field.

    Raises:
        DataError: an item cannot be encoded.
    """
    kept, places, reasons, longest = [], [], [], 0

    def trainable() -> Iterator[Mapping[str, Tensor]]:
        nonlocal longest
        for item in items:
            empty = [name for name, value in item.raw.items() if isinstance(value, str) and not value.strip()]
            encoded = {} if empty else _placed(item, encode)
            length = max((len(values) for values in encoded.values()), default=0)
            longest = max(longest, length)
            if empty or length > max_length:
                long = f"{length} symbols long, data.max_length={max_length}"
                places.append(item.place)
                reasons.append(f"{empty[0]} is empty" if empty else long)
            else:
                kept.append(item)
                yield encoded

    fields = pack(trainable())
    return Selection(kept, fields, Skipped(tuple(places), tuple(reasons), len(items)), longest)


def refuse_too_many(skipped: Skipped, longest: int, max_length: int, max_skipped: float) -> None:
    """Refuse to leave out all, or a larger share than may be.

    Args:
        skipped: What is left out.
        longest: Symbols of the longest item, those left out included.
        max_length: Symbols of an item's longest field.
        max_skipped: The share that may be left out, 0 to 1.

    Raises:
        DataError: it is so.
    """
    share = skipped.count / max(skipped.total, 1)
    raise_ = f", raise data.max_length={max_length} (the longest has {longest} symbols)" if longest > max_length else ""
    if skipped.count == skipped.total:
        raise DataError(f"nothing is left to train on; {skipped}; mend the data{raise_}")
    if share > max_skipped:
        raise DataError(
            f"{skipped}; at most {max_skipped:.2%} may be: mend the data{raise_}, "
            f"or allow it with data.max_skipped={_round_up(share)}"
        )


def _placed(item: Item, encode: Callable[[Item], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    """An item's fields; what is wrong with it is told with its place."""
    try:
        return encode(item)
    except DataError as fault:
        if fault.file is not None:
            raise
        raise DataError(f"{item.place}: {fault}") from None


def _round_up(share: float) -> float:
    return min(1.0, int(share * 100 + 1) / 100)
