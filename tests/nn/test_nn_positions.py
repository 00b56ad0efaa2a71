"""Positions against their formulas."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from anyseq.core import Padded, Symbols
from anyseq.models.decoders.base import MemoryShape
from anyseq.models.decoders.transformer import TransformerDecoderConfig
from anyseq.models.encoders.transformer import TransformerEncoderConfig
from anyseq.nn import positions
from anyseq.nn.positions import Learned, Rotary, Sinusoidal, _angles

torch.set_num_threads(1)
PLACES = torch.tensor([[0, 1, 2, 7], [500, 40_000, 3, 1]])


def test_sinusoidal_is_the_formula() -> None:
    x = torch.randn(2, 4, 6, dtype=torch.float64)
    added = Sinusoidal(6)(x, PLACES) - x
    for row in range(2):
        for time in range(4):
            for i in range(3):
                angle = int(PLACES[row, time]) / 10000 ** (2 * i / 6)
                assert float(added[row, time, i]) == pytest.approx(math.sin(angle), abs=1e-9)
                assert float(added[row, time, 3 + i]) == pytest.approx(math.cos(angle), abs=1e-9)


def test_far_positions_stay_exact_in_float32() -> None:
    zeros = torch.zeros(1, 1, 4)
    far = Sinusoidal(4)(zeros, torch.tensor([[1_000_003]]))[0, 0]
    assert float(far[0]) == pytest.approx(math.sin(1_000_003), abs=1e-6)


def test_learned_positions_past_the_last_share_it() -> None:
    layer = Learned(3, 3).double()
    x = torch.zeros(2, 4, 3, dtype=torch.float64)
    added = layer(x, PLACES)
    assert torch.equal(added[0], layer.table.weight[[0, 1, 2, 2]])
    assert torch.equal(added[1], layer.table.weight[[2, 2, 2, 1]])


def test_rotary_is_a_multiplication_of_complex_numbers() -> None:
    x = torch.randn(2, 4, 3, 6, dtype=torch.float64)
    turned = Rotary(6)(PLACES, x)(x)
    rates = 10000.0 ** (-torch.arange(0, 6, 2, dtype=torch.float64) / 6)
    turns = torch.polar(torch.ones(2, 4, 1, 3).double(), PLACES[:, :, None, None] * rates)
    expected = torch.complex(x[..., :3], x[..., 3:]) * turns
    torch.testing.assert_close(turned, torch.cat([expected.real, expected.imag], -1), rtol=0, atol=1e-9)


def test_rotated_products_depend_on_the_distance_alone() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 1, 1, 8, dtype=torch.float64)
    rotary = Rotary(8)

    def product(at: int, to: int) -> float:
        turns = [rotary(torch.tensor([[place]]), query) for place in (at, to)]
        return float((turns[0](query) * turns[1](key)).sum())

    assert product(3, 1) == pytest.approx(product(1002, 1000), abs=1e-9)
    assert abs(product(3, 1) - product(1, 3)) > 1e-3
    assert product(5, 5) == pytest.approx(float((query * key).sum()), abs=1e-9)


def test_angles_are_computed_once_a_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []

    def angles(places: Tensor, dim: int) -> Tensor:
        computed.append(dim)
        return _angles(places, dim)

    monkeypatch.setattr(positions, "_angles", angles)
    settings: dict[str, Any] = {"model_dim": 8, "num_heads": 2, "num_layers": 3, "positions": "rotary"}
    encoder = TransformerEncoderConfig(**settings).build(Symbols(5)).eval()
    decoder = TransformerDecoderConfig(**settings).build(MemoryShape(8, 8), Symbols(5)).eval()
    source = Padded.stack([torch.tensor([1, 2, 0])])
    memory = decoder.prepare(encoder(source))
    assert computed == [4]
    _, state = decoder.unroll(memory, source)
    decoder.step(memory, state, torch.tensor([3]))
    assert computed == [4] * 3


def test_odd_widths_are_refused() -> None:
    for kind in (Sinusoidal, Rotary):
        with pytest.raises(ValueError, match="even"):
            kind(5)
