"""Law 11: the fast path is the textbook path, for every encoder and decoder of the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from anyseq.nn import attention
from anyseq.nn.cells import AffineCell, Cell, ElmanCell, GruCell, LstmCell
from anyseq.nn.convolution import GatedConvolution
from anyseq.training.loop import noise_of
from anyseq.training.objectives.cross_entropy import CrossEntropy
from laws.whole_models import BOUND, EVERY, Pair, batch_of, make, named, target_of

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("unchecked")
KEYS = [4, 0, 7, 13]
BATCH = batch_of(KEYS, [target_of(key) for key in KEYS])


def loss_and_gradients(pair: Pair) -> tuple[Tensor, list[Tensor]]:
    model = make(pair)
    (part,) = CrossEntropy(0.0)(model, BATCH, noise_of(BATCH, 1, 0)).parts.values()
    return part.sum, list(torch.autograd.grad(part.sum, list(model.parameters())))


def one_query_at_a_time(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, dropout: Any
) -> tuple[Tensor, Tensor]:
    """Attention as a loop over what looks and what is looked at."""
    full = query.new_zeros(1, 1, key.shape[1]) if bias is None else bias
    full = full.expand(query.shape[0], query.shape[1], -1)
    rows = []
    for row in range(query.shape[0]):
        looks = []
        for q in range(query.shape[1]):
            scores = torch.stack([query[row, q] @ k for k in key[row]]) / query.shape[2] ** 0.5 + full[row, q]
            scores = (scores - scores.max()).exp()
            looks.append(scores / scores.sum())
        rows.append(torch.stack(looks))
    weights = torch.stack(rows)
    return torch.stack([w @ v for w, v in zip(weights, value, strict=True)]), weights


def textbook_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (ElmanCell, LstmCell, GruCell):
        monkeypatch.setattr(kind, "fold", Cell.fold)
        monkeypatch.setattr(kind, "step", AffineCell.step)
    monkeypatch.setattr(AffineCell, "fold", Cell.fold)


def explicit_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "attend", one_query_at_a_time)


def fused_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "LONGEST_EXPLICIT", 0)


def rotation_in_every_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries and keys turned by their positions as complex numbers, by each layer for itself."""
    plain = attention.SelfAttention.forward

    def forward(
        self: Any, x: Tensor, positions: Tensor, bias: Any, cache: Any = None, layer: int = 0, rotation: Any = None
    ) -> Any:
        if rotation is None:
            return plain(self, x, positions, bias, cache, layer)
        half = self.head_dim // 2
        angles = positions[:, :, None, None] * 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
        turns = torch.polar(torch.ones_like(angles), angles)

        def turned(vectors: Tensor) -> Tensor:
            both = torch.complex(*vectors.chunk(2, -1)) * turns
            return torch.cat([both.real, both.imag], -1)

        return plain(self, x, positions, bias, cache, layer, turned)

    monkeypatch.setattr(attention.SelfAttention, "forward", forward)


def by_the_kernel_of_torch(self: GatedConvolution, x: Tensor) -> Tensor:
    """A convolution that is called one."""
    kernel = self.linear.weight.view(2 * self.dim, self.kernel_width, self.dim).transpose(1, 2)
    left, right = F.conv1d(x.transpose(1, 2), kernel, self.linear.bias).transpose(1, 2).chunk(2, 2)
    return left * right.sigmoid()


def textbook_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GatedConvolution, "forward", by_the_kernel_of_torch)


# Each path with the models that have it.
RECURRENT = ("rnn", "context", "attention")
CASES = [(pair, textbook_cells) for pair in EVERY if any(kind in "".join(pair) for kind in RECURRENT)]
CASES += [(pair, path) for path in (explicit_attention, fused_attention) for pair in EVERY if "transf" in "".join(pair)]
CASES += [(pair, rotation_in_every_layer) for pair in EVERY if "rotary" in "".join(pair)]
CASES += [(pair, textbook_convolution) for pair in EVERY if "conv" in "".join(pair)]


@pytest.mark.parametrize(("pair", "path"), CASES, ids=lambda x: named(x) if isinstance(x, tuple) else x.__name__)
def test_11_the_fast_path_is_the_textbook_path(
    pair: Pair, path: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast, fast_gradients = loss_and_gradients(pair)
    path(monkeypatch)
    slow, slow_gradients = loss_and_gradients(pair)
    torch.testing.assert_close(fast, slow, **BOUND)
    for one, two in zip(fast_gradients, slow_gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-9)
