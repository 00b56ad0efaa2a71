"""What is wrong, or odd, with texts that stand alone before anything is trained on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean

from anyseq.core import Item
from anyseq.data.check import Finding, finding, share


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
            yield finding("warning", f"{name}: {share(len(empty), len(items))} texts are empty; remove them", empty)
    if "train" not in there:
        yield Finding("error", "train: there are no texts; give data.train")
        return
    train = there.pop("train")
    seen: set[str] = set()
    again = []
    for item in train:
        if item.raw["target"] in seen:
            again.append(item)
        seen.add(item.raw["target"])
    if again:
        yield finding("note", f"train: {share(len(again), len(train))} texts stood before already; each counts", again)
    for name, items in there.items():
        known = [item for item in items if item.raw["target"] in seen]
        if known:
            advice = f"results on {name} look better for it"
            message = f"{name}: {share(len(known), len(items))} texts stand in train too; {advice}"
            yield finding("note", message, known)
