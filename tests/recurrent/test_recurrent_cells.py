"""Cells against torch.nn, against a transcription of the textbook, and against their own fused kernels."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anyseq.core import Tree
from anyseq.nn.cells import Activation, AffineCell, ElmanCell, GruCell, LstmCell, ResetBeforeGruCell

EXACT = {"rtol": 0.0, "atol": 1e-9}
CELLS: list[type[AffineCell]] = [ElmanCell, LstmCell, GruCell, ResetBeforeGruCell]
FUSED = [(ElmanCell, "tanh"), (ElmanCell, "relu"), (LstmCell, "tanh"), (GruCell, "tanh")]


def make(kind: type[AffineCell], activation: Activation = "tanh") -> AffineCell:
    torch.manual_seed(2)
    cell = kind(4, 3, activation).double()
    for parameter in cell.parameters():  # biases that start at 0 would hide where they go
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return cell


def state_of(cell: AffineCell, rows: int) -> Tree:
    zeros = cell.start(torch.empty(rows, dtype=torch.float64))
    return Tree(**{name: torch.randn_like(leaf) for name, leaf in zeros})


@pytest.mark.parametrize(
    ("cell", "theirs"),
    [
        (ElmanCell, nn.RNNCell(4, 3)),
        (LstmCell, nn.LSTMCell(4, 3)),
        (GruCell, nn.GRUCell(4, 3)),
    ],
)
def test_one_step_equals_torch_with_its_weights(cell: type[AffineCell], theirs: nn.Module) -> None:
    ours = make(cell)
    theirs = theirs.double()
    theirs.load_state_dict(ours.state_dict())
    x, state = torch.randn(5, 4, dtype=torch.float64), state_of(ours, 5)
    expected = theirs(x, (state.h, state.c) if "c" in state else state.h)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for leaf, right in zip(dict(ours(x, state)).values(), expected, strict=True):
        torch.testing.assert_close(leaf, right, **EXACT)


@pytest.mark.parametrize(
    ("cell", "theirs"), [(ElmanCell, nn.RNN(4, 3)), (LstmCell, nn.LSTM(4, 3)), (GruCell, nn.GRU(4, 3))]
)
def test_a_sequence_equals_torch_with_its_weights(cell: type[AffineCell], theirs: nn.Module) -> None:
    ours = make(cell)
    theirs = theirs.double()
    theirs.load_state_dict({f"{name}_l0": value for name, value in ours.state_dict().items()})
    x = torch.randn(2, 6, 4, dtype=torch.float64)
    start = ours.start(x)
    h, _ = ours.fold(x, torch.ones(2, 6, dtype=torch.bool), start)
    torch.testing.assert_close(h, theirs(x.transpose(0, 1))[0].transpose(0, 1), **EXACT)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def textbook(cell: AffineCell, phi: Activation, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The equations as they are printed, one matrix a gate, column vectors."""
    f = {"tanh": np.tanh, "relu": lambda v: np.maximum(v, 0), "identity": lambda v: v}[phi]
    w, u = cell.weight_ih.detach().numpy().reshape(-1, 3, 4), cell.weight_hh.detach().numpy().reshape(-1, 3, 3)
    bias = [np.zeros((len(w), 3))] * 2
    if cell.bias_ih is not None and cell.bias_hh is not None:
        bias = [cell.bias_ih.detach().numpy().reshape(-1, 3), cell.bias_hh.detach().numpy().reshape(-1, 3)]
    b, d = bias
    if isinstance(cell, ElmanCell):
        return f(w[0] @ x + b[0] + u[0] @ h + d[0])
    if isinstance(cell, LstmCell):
        i, forget, o = (sigmoid(w[k] @ x + b[k] + u[k] @ h + d[k]) for k in (0, 1, 3))
        c = forget * c + i * f(w[2] @ x + b[2] + u[2] @ h + d[2])
        return o * f(c)
    r, z = (sigmoid(w[k] @ x + b[k] + u[k] @ h + d[k]) for k in (0, 1))
    product = u[2] @ (r * h) if isinstance(cell, ResetBeforeGruCell) else r * (u[2] @ h + d[2])
    return z * h + (1 - z) * f(w[2] @ x + b[2] + product)


@pytest.mark.parametrize("activation", get_args(Activation))
@pytest.mark.parametrize("kind", CELLS)
def test_one_step_is_what_the_textbook_prints(kind: type[AffineCell], activation: Activation) -> None:
    cell = make(kind, activation)
    x, state = torch.randn(5, 4, dtype=torch.float64), state_of(cell, 5)
    with torch.no_grad():
        after = cell.step(x, state)
    c = state.get("c", state.h)
    for row in range(5):
        expected = textbook(cell, activation, x[row].numpy(), state.h[row].numpy(), c[row].numpy())
        np.testing.assert_allclose(after.h[row].numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("activation", get_args(Activation))
@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_fold_is_a_loop_of_equations(kind: type[AffineCell], activation: Activation, dtype: torch.dtype) -> None:
    """Law 11, with ragged lengths, an empty row, an initial state, garbage at padding, gradients of everything."""
    cell = make(kind, activation).to(dtype)
    x = torch.randn(4, 6, 4, dtype=dtype).requires_grad_()
    valid = torch.arange(6) < torch.tensor([6, 0, 3, 1])[:, None]
    first = Tree(**{name: leaf.to(dtype).requires_grad_() for name, leaf in state_of(cell, 4)})
    wanted = [x, *cell.parameters(), *(leaf for _, leaf in first)]

    def measured(outputs: Tensor, state: Tree) -> list[Tensor]:
        shown = [outputs[valid], *(leaf for _, leaf in state)]
        total = sum((leaf * leaf).sum() for leaf in shown)
        return [*shown, *torch.autograd.grad(total, wanted)]

    fused = measured(*cell.fold(x, valid, first))
    outputs, state = [], first
    for time in range(6):
        after = cell.advance(cell.project(x[:, time]), state)
        outputs.append(after.h)
        state = after.where(valid[:, time], state)
    textbook_way = measured(torch.stack(outputs, 1), state)
    for one, two in zip(fused, textbook_way, strict=True):
        bound = {"rtol": 0, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 1e-6, "atol": 3e-5}
        torch.testing.assert_close(one, two, **bound)
    assert not fused[-len(wanted)][~valid].any(), "no gradient reaches what stands at padding"


@pytest.mark.parametrize(("kind", "activation"), FUSED)
def test_whole_sequences_run_through_one_kernel(kind: type[AffineCell], activation: Activation) -> None:
    """The loop would call `advance`; the kernel does not."""
    cell = make(kind, activation)
    x = torch.randn(2, 3, 4, dtype=torch.float64)

    def refuse(*given: object) -> Tree:
        raise AssertionError("the loop ran")

    cell.advance = refuse  # type: ignore[method-assign, assignment]
    outputs, state = cell.fold(x, torch.ones(2, 3, dtype=torch.bool), cell.start(x))
    assert torch.equal(outputs[:, -1], state.h)


@pytest.mark.parametrize("kind", CELLS)
def test_where_the_gates_start(kind: type[AffineCell]) -> None:
    cell = kind(8, 16)
    for u in cell.weight_hh.detach().split(16):
        torch.testing.assert_close(u @ u.t(), torch.eye(16), rtol=0, atol=1e-5)
    if isinstance(cell, LstmCell):
        assert cell.bias_ih is not None
        assert cell.bias_ih.view(4, 16).sum(1).tolist() == [0, 16, 0, 0]
