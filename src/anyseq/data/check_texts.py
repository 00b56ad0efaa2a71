"""What is wrong, or odd, with texts that stand alone before anything is trained on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean

from anyseq.core import Item
from anyseq.data.check import Finding

_NAMED = 10


def examine_texts(splits: Mapping[str, Sequence[Item]]) -> Iterator[Finding]:
    """Look at texts (field `target`): counts, empty ones, repeated ones, overlap of the splits.

    Args:
        splits: By name, the first being that which is learnt from; one that does not exist is empty.
    """
    there = {name: items for name, items in splits.items() if items}
    for name, items in there.items():
        length = mean(len(item.raw["target"]) for item in items)
        yield Finding("note", f"{name}: {len(items):,} texts, on average {length:.1f} characters")
        empty = [item for item in items if not item.raw["target"].strip()]
        if empty:
            yield _found("warning", f"{name}: {_share(empty, items)} texts are empty; remove them", empty)
    if "train" not in there:
        yield Finding("error", "train: there are no texts; give data.train")
        return
    train = there.pop("train")
    seen: set[str] = set()
    again = [item for item in train if item.raw["target"] in seen or seen.add(item.raw["target"])]  # type: ignore[func-returns-value]
    if again:
        yield _found("note", f"train: {_share(again, train)} texts stood before already; each counts", again)
    for name, items in there.items():
        known = [item for item in items if item.raw["target"] in seen]
        if known:
            message = f"{name}: {_share(known, items)} texts stand in train too; results on {name} look better for it"
            yield _found("note", message, known)


def _found(severity: str, message: str, items: Sequence[Item]) -> Finding:
    return Finding(severity, message, tuple(item.place for item in items[:_NAMED]))  # type: ignore[arg-type]


def _share(part: Sequence[Item], whole: Sequence[Item]) -> str:
    return f"{len(part):,} of {len(whole):,} ({len(part) / len(whole):.2%})"
