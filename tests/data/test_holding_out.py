"""What is held out of training to choose by: no source in both parts, always the same, as many as asked for."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from anyseq.core import Item
from anyseq.errors import DataError
from anyseq.tasks.splits import hold_out


def make(*sources: str) -> list[Item]:
    return [Item({"source": source, "target": str(key)}, key, "train", key + 1) for key, source in enumerate(sources)]


@pytest.mark.parametrize(("count", "most", "held"), [(1000, 50, 50), (1000, 500, 100), (29, 500, 2)])
def test_distinct_sources(count: int, most: int, held: int) -> None:
    pairs = make(*map(str, range(count)))
    splits = hold_out(pairs, most)
    assert len(splits.dev) == held and splits.held_out
    assert sorted([*splits.train, *splits.dev], key=lambda item: item.key) == pairs
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0)).tolist()
    assert [item.key for item in splits.dev] == sorted(order[:held])
    assert splits.notes == [
        f"no data.dev given: {held} of {count} training items are held out to choose and stop by"
    ]


@pytest.mark.parametrize("often", [2, 3, 7])
def test_pairs_of_one_source_stay_together(often: int) -> None:
    pairs = make(*(str(number // often if number % 2 else number) for number in range(4000)))
    splits = hold_out(pairs, 300)
    assert len(splits.dev) == 300 and len(splits.train) == 3700
    assert {item.raw["source"] for item in splits.dev}.isdisjoint(item.raw["source"] for item in splits.train)
    assert [item.key for item in splits.train] == sorted(item.key for item in splits.train)
    assert hold_out(pairs, 300) == splits
    counts = Counter(item.raw["source"] for item in splits.dev)
    assert max(counts.values()) > 1, "sources with several pairs are held out, too"


def test_where_every_source_has_many_pairs() -> None:
    splits = hold_out(make(*(str(number // 40) for number in range(400))), 500)
    assert len(splits.dev) == 40 and len({item.raw["source"] for item in splits.dev}) == 1
    assert splits.notes[0].startswith("no data.dev given: 40 of 400 ")
    splits = hold_out(make(*("a" for _ in range(30)), *("b" for _ in range(50))), 500)
    assert {item.raw["source"] for item in splits.dev} == {"a"}


def test_too_little_to_hold_out() -> None:
    with pytest.raises(DataError, match=r"9 items are too few to hold some out"):
        hold_out(make(*"abcdefghi"), 500)
    with pytest.raises(DataError, match=r"all 40 items have one source: give data.dev"):
        hold_out(make(*"a" * 40), 500)
