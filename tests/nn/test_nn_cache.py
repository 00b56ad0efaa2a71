"""The cache of keys and values against plain lists, through random use."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from anyseq.nn.cache import Cache

torch.set_num_threads(1)
DIM, LAYERS = 2, 2
Lists = list[list[Tensor]]  # [row][place], each [layer, 2, DIM]


class Plain:
    """What a decoder does with a cache, and the same with lists."""

    def __init__(self, rows: int) -> None:
        self.cache, self.lists = Cache([], rows, filled=0, even=True), [[] for _ in range(rows)]
        self.drawn = 0.0

    def take(self, lengths: list[int]) -> None:
        """Each row takes in so many places at once (of as many as the longest)."""
        rows, time = len(self.lists), max(lengths)
        steps = torch.tensor([len(row) for row in self.lists])
        slots = steps + torch.arange(time)[:, None]
        new = self.drawn + 1 + torch.arange(LAYERS * time * 2 * rows * DIM, dtype=torch.float64)
        new = new.view(LAYERS, time, 2, rows, DIM)
        self.drawn += new.numel()
        buffers = []
        for layer in range(LAYERS):
            if self.cache.filled:
                buffers.append(self.cache.extend(layer, new[layer], slots))
            else:
                buffers.append(new[layer])
        even = self.cache.even and len(set(lengths)) == 1
        self.cache = Cache(buffers, rows, self.cache.filled + time, even)
        for row, length in enumerate(lengths):
            self.lists[row] = self.lists[row] + [new[:, place, :, row] for place in range(length)]

    def select(self, order: list[int]) -> None:
        self.cache = self.cache.select(torch.tensor(order))
        self.lists = [self.lists[row] for row in order]

    def keep(self, going_on: list[bool]) -> None:
        """A place for each row, but some rows stay what they were."""
        old, before = self.cache, self.lists
        self.take([1] * len(self.lists))
        self.cache = self.cache.where(torch.tensor(going_on), old)
        self.lists = [new if on else row for on, new, row in zip(going_on, self.lists, before, strict=True)]

    def check(self) -> None:
        assert self.cache.rows == len(self.lists)
        for row, places in enumerate(self.lists):
            assert len(places) <= self.cache.filled
            for slot, place in enumerate(places):
                for layer in range(LAYERS):
                    assert torch.equal(self.cache.layers[layer][slot, :, row], place[layer])


MODES = pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=lambda mode: mode.__name__)


@MODES
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_cache_holds_what_each_row_took_in(mode: type[AbstractContextManager[None]], data: st.DataObject) -> None:
    with mode():
        both = Plain(rows=3)
        for _ in range(data.draw(st.integers(1, 12))):
            rows = len(both.lists)
            action = data.draw(st.sampled_from(["step", "take", "select", "keep"]))
            if action == "step":
                both.take([1] * rows)
            elif action == "take":
                both.take([*data.draw(st.lists(st.integers(0, 3), min_size=rows - 1, max_size=rows - 1)), 3])
            elif action == "select":
                both.select(data.draw(st.lists(st.integers(0, rows - 1), min_size=1, max_size=4)))
            else:
                both.keep(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
            both.check()


def test_places_are_appended_where_they_are_under_inference_mode_alone() -> None:
    with torch.inference_mode():
        both = Plain(rows=2)
        both.take([1, 1])
        both.take([1, 1])  # grows
        buffer = both.cache.layers[0]
        for _ in range(10):
            both.take([1, 1])
            assert both.cache.layers[0] is buffer
    with torch.no_grad():
        both = Plain(rows=2)
        both.take([1, 1])
        both.take([1, 1])
        before, kept = both.cache, both.cache.layers[0].clone()
        both.take([1, 1])
    assert torch.equal(before.layers[0], kept) and both.cache.layers[0] is not before.layers[0]


def test_slots_nobody_owns_are_no_nan() -> None:
    """0 times nan is nan: what no row has written must not be left as the memory came."""
    with torch.inference_mode():
        both = Plain(rows=2)
        both.take([3, 1])
        for _ in range(20):
            both.cache.layers = [torch.where(layer.isfinite(), layer, torch.nan) for layer in both.cache.layers]
            spare = [layer[both.cache.filled :] for layer in both.cache.layers]
            for rest in spare:
                rest.fill_(torch.nan)
            both.take([1, 1])
            assert all(bool(layer[: both.cache.filled].isfinite().all()) for layer in both.cache.layers)
