"""What is wrong, or odd, with pairs of texts before anything is trained on them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import median
from typing import Literal

from anyseq.core import Codec, Item, Unknown

Severity = Literal["error", "warning", "note"]

_UNKNOWN_SHARE = 0.01  # more unknown characters than this are odd
_NAMED = 10
_RATIO_FACTOR = 4.0  # so many times the median ratio of lengths is odd
_RATIO_SMOOTHING = 10  # characters added to both sides, so that short lines may differ
_COMMON_SHARE, _COMMON_COUNT = 0.02, 20  # one line that makes up so much of a side
_SAME_SHARE = 0.1  # pairs with identical sides
_SAMPLE = 2000  # lines a profile is made of
_SWAP_MARGIN = 0.1  # a difference of similarities (each 0 to 1) that chance does not make


@dataclass(frozen=True)
class Finding:
    """One thing `anyseq check` says about the data.

    Attributes:
        severity: `error` (training would learn something else), `warning` (look at it), `note` (for information).
        message: What was found, how much of it, and what to do.
        places: The first few places (`Item.place`), worst first.
    """

    severity: Severity
    message: str
    places: tuple[str, ...] = ()


def examine(train: Sequence[Item], dev: Sequence[Item] = (), test: Sequence[Item] = ()) -> list[Finding]:
    """Look at pairs of texts (fields `source`, `target`); a split that does not exist is empty.

    Returns:
        Errors first, then warnings, then notes: counts, empty sides, odd length ratios, duplicates, overlap of the
        splits, frequent lines, identical sides, sides swapped between splits.
    """
    splits = {name: items for name, items in (("train", train), ("dev", dev), ("test", test)) if items}
    findings = [_count(name, items) for name, items in splits.items()]
    for name, items in splits.items():
        findings += [*_empties(name, items), *_ratios(name, items), *_identical(name, items), *_common(name, items)]
    if "train" in splits:
        findings += [*_duplicates(train), *_overlaps(splits), *_swapped(splits)]
    else:
        findings.append(Finding("error", "train: there are no items; give data.train"))
    return by_severity(findings)


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes."""
    order: tuple[Severity, ...] = ("error", "warning", "note")
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def unknown(name: str, side: str, codec: Codec, items: Sequence[Item]) -> list[Finding]:
    """How much of one side of a split the codec, learnt from train, does not know; nothing where there are no items."""
    known = [(item, codec.unknown(item.raw[side])) for item in items if side in item.raw]
    if not known:
        return []
    in_all = Unknown.together(each for _, each in known)
    message = f"{name}: {in_all.share:.2%} of the {side}'s characters are unknown to the codec learnt from train"
    if in_all.parts:
        message += f" ({in_all.named()})"
    if in_all.share <= _UNKNOWN_SHARE:
        return [Finding("note", message)]
    worst = sorted((-each.share, place) for place, (_, each) in enumerate(known) if each.parts)
    return [_finding("warning", f"{message}; is it text of another kind or language?", [known[p][0] for _, p in worst])]


def _finding(severity: Severity, message: str, items: Sequence[Item]) -> Finding:
    return Finding(severity, message, tuple(item.place for item in items[:_NAMED]))


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({part / whole:.2%})"


def _count(name: str, items: Sequence[Item]) -> Finding:
    source, target = (sum(len(item.raw[side]) for item in items) / len(items) for side in ("source", "target"))
    return Finding("note", f"{name}: {len(items):,} pairs, on average {source:.0f} → {target:.0f} characters")


def _empties(name: str, items: Sequence[Item]) -> list[Finding]:
    found = [item for item in items if not item.raw["source"].strip() or not item.raw["target"].strip()]
    message = f"{name}: {_share(len(found), len(items))} pairs are empty on a side; remove them or fill them in"
    return [_finding("warning", message, found)] if found else []


def _ratios(name: str, items: Sequence[Item]) -> list[Finding]:
    """Pairs whose ratio of lengths is far from the median one, on the scale of logarithms."""
    logs = [
        math.log((len(item.raw["target"]) + _RATIO_SMOOTHING) / (len(item.raw["source"]) + _RATIO_SMOOTHING))
        for item in items
    ]
    middle = median(logs)
    odd = [(-abs(log - middle), place) for place, log in enumerate(logs) if abs(log - middle) > math.log(_RATIO_FACTOR)]
    message = (
        f"{name}: {_share(len(odd), len(items))} pairs have a length ratio over {_RATIO_FACTOR:.0f} times away from "
        "the usual one; do their sides belong together?"
    )
    return [_finding("warning", message, [items[place] for _, place in sorted(odd)])] if odd else []


def _identical(name: str, items: Sequence[Item]) -> list[Finding]:
    found = [item for item in items if item.raw["source"] == item.raw["target"]]
    if len(found) <= _SAME_SHARE * len(items):
        return []
    advice = "is one file given twice?" if len(found) == len(items) else "is that meant?"
    message = f"{name}: {_share(len(found), len(items))} pairs have the same text on both sides; {advice}"
    return [_finding("warning", message, found)]


def _common(name: str, items: Sequence[Item]) -> list[Finding]:
    findings = []
    for side in ("source", "target"):
        line, count = Counter(item.raw[side] for item in items).most_common(1)[0]
        if count >= _COMMON_COUNT and count > _COMMON_SHARE * len(items):
            message = f"{name}: one {side} line makes up {_share(count, len(items))}: {line!r:.60}; is that meant?"
            findings.append(_finding("warning", message, [item for item in items if item.raw[side] == line]))
    return findings


def _pair(item: Item) -> tuple[str, str]:
    return item.raw["source"], item.raw["target"]


def _duplicates(train: Sequence[Item]) -> list[Finding]:
    seen: set[tuple[str, str]] = set()
    again = []
    for item in train:
        pair = _pair(item)
        if pair in seen:
            again.append(item)
        seen.add(pair)
    message = f"train: {_share(len(again), len(train))} pairs stood before already; they count double in training"
    return [_finding("warning", message, again)] if again else []


def _overlaps(splits: Mapping[str, Sequence[Item]]) -> list[Finding]:
    """Pairs, and sources with another target, of one split that stand in an earlier one too."""
    findings = []
    names = list(splits)
    for place, earlier in enumerate(names):
        pairs = {_pair(item) for item in splits[earlier]}
        sources = {source for source, _ in pairs}
        for later in names[place + 1 :]:
            items = splits[later]
            same = [item for item in items if _pair(item) in pairs]
            near = [item for item in items if item.raw["source"] in sources and _pair(item) not in pairs]
            for found, what in ((same, "pairs"), (near, "sources (with another target)")):
                if found:
                    message = (
                        f"{later}: {_share(len(found), len(items))} {what} stand in {earlier} too; results on {later} "
                        f"will look better than they are: remove them from {earlier}"
                    )
                    findings.append(_finding("warning", message, found))
    return findings


Profile = dict[str, float]
"""Relative frequencies of character trigrams, scaled to length 1."""


def _swapped(splits: Mapping[str, Sequence[Item]]) -> list[Finding]:
    """Splits whose source looks like train's target and whose target looks like train's source."""
    train = {side: _profile(splits["train"], side) for side in ("source", "target")}
    findings = []
    for name, items in splits.items():
        if name == "train":
            continue
        source, target = _profile(items, "source"), _profile(items, "target")
        straight = _cosine(source, train["source"]) + _cosine(target, train["target"])
        crossed = _cosine(source, train["target"]) + _cosine(target, train["source"])
        if crossed > straight + _SWAP_MARGIN:
            message = f"{name}: its source looks like train's target, and the other way round; swap its two sides"
            findings.append(Finding("error", message))
    return findings


def _profile(items: Sequence[Item], side: str) -> Profile:
    stride = max(1, len(items) // _SAMPLE)
    lines = (f"  {item.raw[side]} " for item in items[::stride])
    counts = Counter(chain.from_iterable(map("".join, zip(line, line[1:], line[2:], strict=False)) for line in lines))
    norm = math.sqrt(sum(count * count for count in counts.values()))
    return {trigram: count / norm for trigram, count in counts.items()}


def _cosine(one: Profile, other: Profile) -> float:
    return sum(value * other.get(trigram, 0.0) for trigram, value in one.items())
