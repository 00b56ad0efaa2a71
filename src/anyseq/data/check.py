"""What is wrong, or odd, with pairs of texts before anything is trained on them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random
from statistics import median
from typing import Literal

from anyseq.core import Codec, Factored, Item, Spelt, Symbols, Unknown
from anyseq.data.files import SIDES
from anyseq.data.order import AROUND, FEWEST, Order, Stretch, learn
from anyseq.data.words_together import order_by_words

Severity = Literal["error", "warning", "note"]
Targets = Literal["texts", "replies", "labels"]

_UNKNOWN_SHARE = 0.01  # more unknown characters than this are odd
_NAMED = 10
_SHOWN = 5
_SHORT = 60  # characters of a text that a message shows
_RATIO_FACTOR = 4.0  # so many times the median ratio of lengths is odd
_RATIO_SMOOTHING = 10  # characters added to both sides, so that short lines may differ
_COMMON_SHARE, _COMMON_COUNT = 0.02, 20  # one line that makes up so much of a side
_SAME_SHARE = 0.1  # pairs with identical sides
_NAMES = (  # that people give to the column of what is to be learnt
    *("target", "label", "labels", "class", "category", "topic", "sentiment", "rating", "intent", "tag", "tags"),
    *("answer", "reply", "response", "output", "translation", "pronunciation", "phonemes", "form", "tree"),
)
_SAMPLE = 2000  # lines a profile is made of
_SWAP_MARGIN = 0.1  # a difference of similarities (each 0 to 1) that matters
_FEWEST_SWAPPED = 10  # lines
_SWAP_CERTAINTY = 3.5  # standard deviations of the majority of lines, were each a coin
_FEWEST_OTHERS = 50  # lines of dev or test whose order can be judged by what train taught
_FEWEST_UNRELATED = 2000  # pairs of train between which there would be some relation, were they in order
_SHORTEST_STRETCH = 5
_MOVED_SHARE, _MOVED_GAIN = 0.01, 100.0  # more moved pairs, more nats: beyond doubt


@dataclass(frozen=True)
class Finding:
    """One thing `anyseq check` says about the data.

    Attributes:
        severity: `error` (training would learn something else), `warning` (look at it), `note` (for information).
        message: What was found, how much of it, and what to do.
        places: The first few places (`Item.place`), worst first.
        fatal: An error that cannot be allowed: with it there is no training, or no figure.
    """

    severity: Severity
    message: str
    places: tuple[str, ...] = ()
    fatal: bool = False

    def __str__(self) -> str:
        places = [place for place in self.places if place not in self.message]
        shown = ", ".join(places[:_SHOWN]) + (", ..." if len(places) > _SHOWN else "")
        return f"{self.message} ({shown})" if shown else self.message


def examine(
    train: Sequence[Item],
    dev: Sequence[Item] = (),
    test: Sequence[Item] = (),
    *,
    held_out: bool = False,
    given: bool = True,
    targets: Targets = "texts",
    columns: Sequence[str] = SIDES,
) -> Iterator[Finding]:
    """Look at pairs of texts (fields `source`, `target`); a split that does not exist is empty.

    Args:
        train, dev, test: The splits.
        held_out: Whether dev was held out of train, so that its lines stood among those of train.
        given: Whether the pairs were given, not generated: then equal sides are odd, and lines of the two sides may
            stand in different orders, which takes the longest to find.
        targets: What they are: texts; replies, as long as they like; or labels, tags, answers, of which one may be
            frequent, too.
        columns: What those of a table are called.

    Yields:
        As they are found: counts, empty sides, odd length ratios, identical sides, frequent lines, duplicates, overlap
        of the splits, sides swapped between splits, sides of which one is shifted, moved or shuffled.
    """
    splits = {name: items for name, items in (("train", train), ("dev", dev), ("test", test)) if items}
    yield from (_count(name, items) for name, items in splits.items())
    for name, items in splits.items():
        same = _identical(name, items) if given else ()
        yield from (*headed(name, items, columns), *_empties(name, items))
        yield from _ratios(name, items) if targets == "texts" else ()
        yield from (*same, *_common(name, items, SIDES[:1] if targets == "labels" else SIDES))
    if "train" not in splits:
        yield Finding("error", "train: there are no items; give data.train")
        return
    yield from (*_duplicates(train), *_overlaps(splits))
    swapped = _swapped(splits, ("test",) if held_out else ("dev", "test"))
    for name in swapped:
        message = f"{name}: its source looks like train's target, and the other way round; swap its two sides"
        yield Finding("error", message)
    if given:
        yield from _orders({name: items for name, items in splits.items() if name not in swapped}, held_out)


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes."""
    order: tuple[Severity, ...] = ("error", "warning", "note")
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def unknown(
    name: str, side: str, codec: Codec, items: Sequence[Item], whose: str = "learnt from train"
) -> list[Finding]:
    """How much of one side of a split the codec does not know; nothing where there are no items.

    Args:
        name: Of the split.
        side: The field.
        codec: That of the side.
        items: The split.
        whose: Where the codec comes from.
    """
    if not isinstance(codec.stream, Symbols | Spelt | Factored):
        return []  # whatever vectors there are, a model reads them
    known = [(item, codec.unknown(item.raw[side])) for item in items if side in item.raw]
    if not known:
        return []
    in_all = Unknown.together(each for _, each in known)
    words = any(len(part) > 1 for part in in_all.parts)
    what = "characters stand in words that are" if words else "characters are"
    message = f"{name}: {in_all.share:.2%} of the {side}'s {what} unknown to the codec {whose}"
    if in_all.parts:
        message += f" ({in_all.named()})"
    if in_all.share <= _UNKNOWN_SHARE:
        return [Finding("note", message)]
    worst = sorted((-each.share, place) for place, (_, each) in enumerate(known) if each.parts)
    rare = f", or are words too rare (codec.{side}.min_count)" if words else ""
    advice = f"is it text of another kind or language{rare}?"
    return [finding("warning", f"{message}; {advice}", [known[p][0] for _, p in worst])]


def finding(severity: Severity, message: str, items: Sequence[Item]) -> Finding:
    """What was found in some items, at the first of their places."""
    return Finding(severity, message, tuple(item.place for item in items[:_NAMED]))


def share(part: int, whole: int) -> str:
    """A part of a whole, in numbers and percent."""
    return f"{part:,} of {whole:,} ({part / whole:.2%})"


def _count(name: str, items: Sequence[Item]) -> Finding:
    source, target = (sum(len(item.raw[side]) for item in items) / len(items) for side in SIDES)
    return Finding("note", f"{name}: {len(items):,} pairs, on average {source:.0f} → {target:.0f} characters")


def _empties(name: str, items: Sequence[Item]) -> list[Finding]:
    found = [item for item in items if not item.raw["source"].strip() or not item.raw["target"].strip()]
    message = f"{name}: {share(len(found), len(items))} pairs are empty on a side; remove them or fill them in"
    return [finding("warning", message, found)] if found else []


def _ratios(name: str, items: Sequence[Item]) -> list[Finding]:
    """Pairs whose ratio of lengths is far from the median one, on the scale of logarithms."""
    logs = [
        math.log((len(item.raw["target"]) + _RATIO_SMOOTHING) / (len(item.raw["source"]) + _RATIO_SMOOTHING))
        for item in items
    ]
    middle = median(logs)
    odd = [(-abs(log - middle), place) for place, log in enumerate(logs) if abs(log - middle) > math.log(_RATIO_FACTOR)]
    message = (
        f"{name}: {share(len(odd), len(items))} pairs have a length ratio over {_RATIO_FACTOR:.0f} times away from "
        "the usual one; do their sides belong together?"
    )
    return [finding("warning", message, [items[place] for _, place in sorted(odd)])] if odd else []


def _identical(name: str, items: Sequence[Item]) -> list[Finding]:
    found = [item for item in items if item.raw["source"] == item.raw["target"]]
    if len(found) <= _SAME_SHARE * len(items):
        return []
    advice = "is one file given twice?" if len(found) == len(items) else "is that meant?"
    message = f"{name}: {share(len(found), len(items))} pairs have the same text on both sides; {advice}"
    return [finding("warning", message, found)]


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHORT else f"{text[:_SHORT]}...")


def _common(name: str, items: Sequence[Item], sides: Sequence[str]) -> list[Finding]:
    findings = []
    for side in sides:
        line, count = Counter(item.raw[side] for item in items).most_common(1)[0]
        if count >= _COMMON_COUNT and count > _COMMON_SHARE * len(items):
            message = f"{name}: one {side} line makes up {share(count, len(items))}: {_shown(line)}; is that meant?"
            findings.append(finding("warning", message, [item for item in items if item.raw[side] == line]))
    return findings


def headed(name: str, items: Sequence[Item], columns: Sequence[str] = SIDES) -> list[Finding]:
    """First lines that look like names of columns, read as if they were data."""
    first = [item for item in items if item.line == 1 and str(item.raw["target"]).strip().lower() in _NAMES]
    counts = Counter(item.raw["target"] for item in items) if first else Counter[str]()
    found = [item for item in first if counts[item.raw["target"]] == len(first)]
    message = f"{name}: a first line looks like names of columns: call them {', '.join(columns)}, or take the line out"
    return [finding("warning", message, found)] if found else []


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
    message = f"train: {share(len(again), len(train))} pairs stood before already; they count double in training"
    return [finding("warning", message, again)] if again else []


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
                        f"{later}: {share(len(found), len(items))} {what} stand in {earlier} too; results on {later} "
                        f"will look better than they are: remove them from {earlier}"
                    )
                    findings.append(finding("warning", message, found))
    return findings


Profile = dict[str, float]
"""Relative frequencies of character trigrams, scaled to length 1."""


def _swapped(splits: Mapping[str, Sequence[Item]], names: Sequence[str]) -> list[str]:
    """Those splits whose source looks like train's target and whose target looks like train's source."""
    source, target = (_profile(_sample(splits["train"], side)) for side in SIDES)
    found = []
    for name in names:
        sources, targets = (_sample(splits.get(name, ()), side) for side in SIDES)
        if len(sources) < _FEWEST_SWAPPED:
            continue
        likes = [_profile(sources), _profile(targets)]
        straight = _cosine(likes[0], source) + _cosine(likes[1], target)
        crossed = _cosine(likes[0], target) + _cosine(likes[1], source)
        votes = [
            _leaning(one, source, target) + _leaning(other, target, source)
            for one, other in zip(sources, targets, strict=True)
        ]
        majority = sum((vote > 0) - (vote < 0) for vote in votes)
        if crossed > straight + _SWAP_MARGIN and majority > _SWAP_CERTAINTY * math.sqrt(len(votes)):
            found.append(name)
    return found


def _sample(items: Sequence[Item], side: str) -> list[str]:
    return [item.raw[side] for item in items[:: max(1, len(items) // _SAMPLE)]]


def _trigrams(line: str) -> Iterator[str]:
    line = f"  {line} "
    return map("".join, zip(line, line[1:], line[2:], strict=False))


def _profile(lines: Iterable[str]) -> Profile:
    counts = Counter(chain.from_iterable(map(_trigrams, lines)))
    norm = math.sqrt(sum(count * count for count in counts.values()))
    return {trigram: count / norm for trigram, count in counts.items()}


def _cosine(one: Profile, other: Profile) -> float:
    return sum(value * other.get(trigram, 0.0) for trigram, value in one.items())


def _leaning(line: str, own: Profile, other: Profile) -> float:
    """How much more a line looks like the other side than like its own."""
    return sum(other.get(trigram, 0.0) - own.get(trigram, 0.0) for trigram in _trigrams(line))


def _orders(splits: Mapping[str, Sequence[Item]], held_out: bool) -> Iterator[Finding]:
    """Lines of one side that stand elsewhere than those of the other they belong to."""
    texts = dict(splits)
    train = texts.pop("train")
    if held_out:
        train = sorted([*train, *texts.pop("dev", ())], key=lambda item: item.key)
    if len(train) < FEWEST:
        return
    found: Order | None = learn(*_sides(train))
    relation = None if found is None else found.relation
    if relation is None:
        found = order_by_words(*_sides(train))
    if found is None:
        yield from _unrelated(train)
        return
    yield from _misplaced("train", train, found)
    for name, items in texts.items():
        if relation is not None and len(items) >= _FEWEST_OTHERS:
            yield from _misplaced(name, items, relation.order(*_sides(items)))
        elif relation is None and len(items) >= FEWEST and (other := order_by_words(*_sides(items))) is not None:
            yield from _misplaced(name, items, other)


def _sides(items: Sequence[Item]) -> list[list[str]]:
    return [[item.raw[side] for item in items] for side in SIDES]


def _unrelated(train: Sequence[Item]) -> Iterator[Finding]:
    """Sides that have nothing in common, but for what goes with the order in which the pairs stand."""
    if len(train) < _FEWEST_UNRELATED or learn(*_sides(Random(0).sample(train, len(train)))).relation is not None:
        return
    yield Finding(
        "warning",
        "train: its pairs have no more in common (lengths, characters, frequent words) than lines drawn at random; "
        "is one side in another order?",
    )


def _misplaced(name: str, items: Sequence[Item], order: Order) -> Iterator[Finding]:
    stretches = [each for each in order.stretches if each.count >= _SHORTEST_STRETCH]
    moved = [each for each in stretches if each.offset is not None]
    if moved and _repeats(items, moved):
        # Far apart, as where both directions are learnt, all lines stand twice, and the pairs as they stand are meant.
        if not order.as_they_stand or any(abs(each.offset or 0) < AROUND for each in moved):
            advice = "is that meant (each line answers the one before), or is one side shifted?"
            what = "repeat, as a target, the source of another pair"
            yield _of_stretches("warning", name, items, moved, what, advice)
    elif moved:
        certain = sum(each.count for each in moved) > _MOVED_SHARE * len(items)
        certain = certain and sum(each.gain for each in moved) > _MOVED_GAIN
        severity: Severity = "error" if certain else "warning"
        yield _of_stretches(severity, name, items, moved, "do not belong together", _how_to_mend(moved))
    lost = [each for each in stretches if each.offset is None]
    if lost:
        what = "have no more in common than lines drawn at random"
        advice = "are their lines in the same order, and of the same kind as the rest?"
        yield _of_stretches("warning", name, items, lost, what, advice)


def _repeats(items: Sequence[Item], moved: Sequence[Stretch]) -> bool:
    """Whether the targets that fit are, word for word, the sources, and those that stand there are not."""
    rows = [(row, row + (each.offset or 0)) for each in moved for row in range(each.first, each.last)]
    same = sum(items[row].raw["source"] == items[fitting].raw["target"] for row, fitting in rows)
    stand = sum(item.raw["source"] == item.raw["target"] for item in items)
    return same > 0.5 * len(rows) and stand < 0.5 * len(items)


def _of_stretches(
    severity: Severity, name: str, items: Sequence[Item], stretches: Sequence[Stretch], what: str, advice: str
) -> Finding:
    listed = [_stretch(items, each) for each in stretches[:_SHOWN]]
    more = f"; and {len(stretches) - _SHOWN} stretches more" if len(stretches) > _SHOWN else ""
    moved = share(sum(each.count for each in stretches), len(items))
    return Finding(severity, f"{name}: {moved} pairs {what}: {'; '.join(listed)}{more}; {advice}")


def _how_to_mend(moved: Sequence[Stretch]) -> str:
    offsets = [each.offset or 0 for each in moved]
    if any(abs(offset) >= AROUND for offset in offsets):
        return "the lines of one side stand in another order: restore it"
    if min(offsets) >= 0:
        return "before these the source lost a line, or the target won one: mend the files"
    if max(offsets) <= 0:
        return "before these the target lost a line, or the source won one: mend the files"
    return "before these a side lost or won a line: mend the files"


def _stretch(items: Sequence[Item], stretch: Stretch) -> str:
    about = "about " if stretch.about else ""
    where = f"from {about}{items[stretch.first].place} to {about}{items[stretch.last - 1].place}"
    if stretch.offset is None:
        return where
    distance = abs(stretch.offset)
    lines = "line" if distance == 1 else "lines"
    return f"{where} the target that fits stands {distance:,} {lines} {'later' if stretch.offset > 0 else 'earlier'}"
