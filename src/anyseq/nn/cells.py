"""Recurrent cells as the textbook writes them, each with the fused kernel that computes the same."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from anyseq.core import Tree
from anyseq.nn.taps import tap, wanted

Activation = Literal["tanh", "relu", "identity"]

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "identity": lambda x: x,
}

# sigmoid(±HOLD + anything a gate sees) is exactly 0 or 1, in half precision too.
HOLD = 1e4


class Cell(nn.Module, ABC):
    """One time step of a recurrence: state_t = f(x_t, state_{t-1}).

    The state is a Tree with the row on axis 0 of every field; its field `h` is the output. Your own cell defines
    `step`, and `start` where it carries more than `h`; everything else works from these.

    Attributes:
        input_dim: Width of x.
        hidden_dim: Width of `h`.
    """

    def __init__(self, input_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.input_dim, self.hidden_dim = input_dim, hidden_dim

    @abstractmethod
    def step(self, x: Float[Tensor, "row input_dim"], state: Tree) -> Tree:
        """Take in one input and return the next state."""

    def forward(self, x: Float[Tensor, "row input_dim"], state: Tree) -> Tree:
        """The same as `step`."""
        return self.step(x, state)

    def start(self, like: Float[Tensor, "row ..."]) -> Tree:
        """The state before the first input: zeros, one row for each of `like`."""
        return Tree(h=like.new_zeros(like.shape[0], self.hidden_dim))

    def fold(
        self, x: Float[Tensor, "row time input_dim"], valid: Bool[Tensor, "row time"], state: Tree
    ) -> tuple[Float[Tensor, "row time hidden_dim"], Tree]:
        """Take in whole sequences (here: the loop over `step`; cells with a fused kernel use it).

        Args:
            x: The inputs, at least one time step.
            valid: Where they are real: the first of each row, possibly none.
            state: Where to go on from.

        Returns:
            `h` at each time (at padding: whatever), and the state after each row's last real input.
        """
        return _loop(self.step, x, valid, state)


def _loop(
    step: Callable[[Tensor, Tree], Tree], inputs: Tensor, valid: Tensor, state: Tree
) -> tuple[Tensor, Tree]:
    outputs = []
    # unbind, not inputs[:, time]: its gradient is one stack instead of a zero-filled whole for every time.
    for time, (x, everywhere) in enumerate(zip(inputs.unbind(1), valid.all(0).tolist(), strict=True)):
        after = step(x, state)
        outputs.append(after.h)
        state = after if everywhere else after.where(valid[:, time], state)
    return torch.stack(outputs, 1), state


# The fused kernels' argument `train` is whether gradients are wanted: cuDNN refuses those of what was run without it,
# in evaluation mode too. (In torch.nn it also turns dropout on, of which there is none here.)


class AffineCell(Cell):
    """A cell that sees x only through W x + b, so that this is done for all times at once.

    Parameters have the names and the layout of `torch.nn.GRUCell` and its like: gates stacked along axis 0. Each gate's
    W starts Xavier-uniform and its U orthogonal, biases 0.

    Args:
        input_dim: Width of x.
        hidden_dim: Width of `h`.
        gates: Number of stacked affine maps.
        activation: φ.
        bias: Whether W x and U h each have a bias.

    Source:
        Orthogonal U: Saxe et al. 2014, arXiv:1312.6120.
    """

    def __init__(
        self, input_dim: int, hidden_dim: int, gates: int, activation: Activation = "tanh", bias: bool = True
    ) -> None:
        super().__init__(input_dim, hidden_dim)
        self.activation: Activation = activation
        self.phi = ACTIVATIONS[activation]
        self.weight_ih = nn.Parameter(torch.empty(gates * hidden_dim, input_dim))
        self.weight_hh = nn.Parameter(torch.empty(gates * hidden_dim, hidden_dim))
        self.bias_ih = nn.Parameter(torch.zeros(gates * hidden_dim)) if bias else None
        self.bias_hh = nn.Parameter(torch.zeros(gates * hidden_dim)) if bias else None
        for gate in self.weight_ih.data.split(hidden_dim):
            nn.init.xavier_uniform_(gate)
        for gate in self.weight_hh.data.split(hidden_dim):
            nn.init.orthogonal_(gate)

    @abstractmethod
    def advance(self, projected: Float[Tensor, "row gates_dim"], state: Tree) -> Tree:
        """The equations, given W x + b."""

    def project(self, x: Float[Tensor, "*row part_dim"]) -> Float[Tensor, "*row gates_dim"]:
        """W x + b; of an x that lacks its last columns, what the first contribute."""
        return F.linear(x, self.weight_ih[:, : x.shape[-1]], self.bias_ih)

    def step(self, x: Float[Tensor, "row input_dim"], state: Tree) -> Tree:
        """Take in one input and return the next state."""
        return self.advance(self.project(x), state)

    def fold(
        self, x: Float[Tensor, "row time input_dim"], valid: Bool[Tensor, "row time"], state: Tree
    ) -> tuple[Float[Tensor, "row time hidden_dim"], Tree]:
        """Take in whole sequences: W x + b at once, then the loop."""
        return _loop(self.advance, self.project(x), valid, state)

    @property
    def _seen(self) -> bool:
        """Whether somebody wants to see what a fused kernel does not show: gates, and states between."""
        return wanted("gates") or wanted("state")

    def _show(self, **gates: Tensor) -> None:
        for name, gate in gates.items():
            tap(self, f"gates.{name}", lambda gate=gate: gate)  # type: ignore[misc]

    @property
    def _weights(self) -> list[Tensor]:
        """As the fused kernels want them; only cells with biases have such a kernel."""
        return [weight for weight in (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh) if weight is not None]

    def extra_repr(self) -> str:
        """Sizes and φ."""
        return f"{self.input_dim}, {self.hidden_dim}, {self.activation}"


class ElmanCell(AffineCell):
    """h = φ(W x + b + U h' + b').

    Source:
        Elman 1990, "Finding structure in time". With φ tanh or relu equal to `torch.nn.RNNCell`.
    """

    def __init__(self, input_dim: int, hidden_dim: int, activation: Activation = "tanh") -> None:
        super().__init__(input_dim, hidden_dim, 1, activation)

    def advance(self, projected: Float[Tensor, "row hidden_dim"], state: Tree) -> Tree:
        """The equation, given W x + b."""
        h = self.phi(projected + F.linear(state.h, self.weight_hh, self.bias_hh))
        tap(self, "state.h", lambda: h)
        return Tree(h=h)

    def step(self, x: Float[Tensor, "row input_dim"], state: Tree) -> Tree:
        """Take in one input and return the next state."""
        if self.activation == "identity" or self._seen:
            return super().step(x, state)
        kernel = torch.rnn_tanh_cell if self.activation == "tanh" else torch.rnn_relu_cell
        return Tree(h=kernel(x, state.h, *self._weights))

    def fold(
        self, x: Float[Tensor, "row time input_dim"], valid: Bool[Tensor, "row time"], state: Tree
    ) -> tuple[Float[Tensor, "row time hidden_dim"], Tree]:
        """Take in whole sequences."""
        if self.activation == "identity" or self._seen:
            return super().fold(x, valid, state)
        kernel = torch.rnn_tanh if self.activation == "tanh" else torch.rnn_relu
        h, _ = kernel(x, state.h[None], self._weights, True, 1, 0.0, torch.is_grad_enabled(), False, True)
        return h, Tree(h=_last(h, valid, state.h))


class LstmCell(AffineCell):
    """Gates i, f, o in (0, 1) and a candidate g; the state is `h` and `c`.

    i = σ(W_i x + U_i h' + b_i),  f = σ(W_f x + U_f h' + b_f),  o = σ(W_o x + U_o h' + b_o)
    g = φ(W_g x + U_g h' + b_g),  c = f c' + i g,  h = o φ(c)

    Stacked in the order i, f, g, o. The forget gate's bias starts at 1.

    Source:
        Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000; its bias: Jozefowicz et al. 2015. With φ tanh
        equal to `torch.nn.LSTMCell`. Some papers print h = o c (Vinyals et al. 2015, arXiv:1411.4555).
    """

    def __init__(self, input_dim: int, hidden_dim: int, activation: Activation = "tanh") -> None:
        super().__init__(input_dim, hidden_dim, 4, activation)
        assert self.bias_ih is not None
        nn.init.ones_(self.bias_ih.data[hidden_dim : 2 * hidden_dim])

    def start(self, like: Float[Tensor, "row ..."]) -> Tree:
        """The state before the first input: zeros."""
        zeros = like.new_zeros(like.shape[0], self.hidden_dim)
        return Tree(h=zeros, c=zeros)

    def advance(self, projected: Float[Tensor, "row gates_dim"], state: Tree) -> Tree:
        """The equations, given W x + b."""
        i, f, g, o = (projected + F.linear(state.h, self.weight_hh, self.bias_hh)).chunk(4, -1)
        i, f, o = i.sigmoid(), f.sigmoid(), o.sigmoid()
        c = f * state.c + i * self.phi(g)
        h = o * self.phi(c)
        self._show(input=i, forget=f, output=o)
        tap(self, "state.h", lambda: h)
        tap(self, "state.c", lambda: c)
        return Tree(h=h, c=c)

    def step(self, x: Float[Tensor, "row input_dim"], state: Tree) -> Tree:
        """Take in one input and return the next state."""
        if self.activation != "tanh" or self._seen:
            return super().step(x, state)
        h, c = torch.lstm_cell(x, (state.h, state.c), *self._weights)
        return Tree(h=h, c=c)

    def fold(
        self, x: Float[Tensor, "row time input_dim"], valid: Bool[Tensor, "row time"], state: Tree
    ) -> tuple[Float[Tensor, "row time hidden_dim"], Tree]:
        """Take in whole sequences.

        The kernel tells c only at the last time. One more input, 1 at padding, shuts i and opens f there: c stays.
        """
        if self.activation != "tanh" or self._seen:
            return super().fold(x, valid, state)
        hold = x.new_tensor([-HOLD, HOLD, 0.0, 0.0]).repeat_interleave(self.hidden_dim)[:, None]
        weight_ih, *others = self._weights
        weights = [torch.cat([weight_ih, hold], 1), *others]
        x = torch.cat([x, (~valid)[:, :, None].to(x.dtype)], 2)
        start = (state.h[None], state.c[None])
        h, _, c = torch.lstm(x, start, weights, True, 1, 0.0, torch.is_grad_enabled(), False, True)
        return h, Tree(h=_last(h, valid, state.h), c=c[0])


class GruCell(AffineCell):
    """Reset gate r and update gate z in (0, 1), a candidate n; r falls on the product U h' ("reset after").

    r = σ(W_r x + b_r + U_r h' + b'_r),  z = σ(W_z x + b_z + U_z h' + b'_z)
    n = φ(W_n x + b_n + r (U_n h' + b'_n)),  h = (1 - z) n + z h'

    **z keeps the old state**, here as in Cho et al. 2014 and torch. Bahdanau et al. 2015 and Chung et al. 2014 write it
    the other way round, h = (1 - z) h' + z n: the same family of functions, with the sign of W_z, U_z, b_z turned.
    Stacked in the order r, z, n.

    Source:
        Cho et al. 2014, arXiv:1406.1078, but for the place of r, which is that of cuDNN. With φ tanh equal to
        `torch.nn.GRUCell`.
    """

    def __init__(self, input_dim: int, hidden_dim: int, activation: Activation = "tanh") -> None:
        super().__init__(input_dim, hidden_dim, 3, activation)

    def advance(self, projected: Float[Tensor, "row gates_dim"], state: Tree) -> Tree:
        """The equations, given W x + b."""
        split = [2 * self.hidden_dim, self.hidden_dim]
        gates_x, n_x = projected.split(split, -1)
        gates_h, n_h = F.linear(state.h, self.weight_hh, self.bias_hh).split(split, -1)
        r, z = (gates_x + gates_h).sigmoid().chunk(2, -1)
        h = torch.lerp(self.phi(n_x + r * n_h), state.h, z)
        self._show(reset=r, update=z)
        tap(self, "state.h", lambda: h)
        return Tree(h=h)

    def step(self, x: Float[Tensor, "row input_dim"], state: Tree) -> Tree:
        """Take in one input and return the next state."""
        if self.activation != "tanh" or self._seen:
            return super().step(x, state)
        return Tree(h=torch.gru_cell(x, state.h, *self._weights))

    def fold(
        self, x: Float[Tensor, "row time input_dim"], valid: Bool[Tensor, "row time"], state: Tree
    ) -> tuple[Float[Tensor, "row time hidden_dim"], Tree]:
        """Take in whole sequences."""
        if self.activation != "tanh" or self._seen:
            return super().fold(x, valid, state)
        h, _ = torch.gru(x, state.h[None], self._weights, True, 1, 0.0, torch.is_grad_enabled(), False, True)
        return h, Tree(h=_last(h, valid, state.h))


class ResetBeforeGruCell(AffineCell):
    """The GRU of the papers and lectures: r falls on h' before the product, and there are no biases.

    r = σ(W_r x + U_r h'),  z = σ(W_z x + U_z h'),  n = φ(W_n x + U_n (r h')),  h = (1 - z) n + z h'

    **z keeps the old state**; see `GruCell` for who writes it the other way round, and for the order of the weights.
    It has no fused kernel.

    Source:
        Cho et al. 2014, arXiv:1406.1078, section 2.3.
    """

    def __init__(self, input_dim: int, hidden_dim: int, activation: Activation = "tanh") -> None:
        super().__init__(input_dim, hidden_dim, 3, activation, bias=False)

    def advance(self, projected: Float[Tensor, "row gates_dim"], state: Tree) -> Tree:
        """The equations, given W x."""
        split = [2 * self.hidden_dim, self.hidden_dim]
        gates_x, n_x = projected.split(split, -1)
        gates_u, n_u = self.weight_hh.split(split)
        r, z = torch.addmm(gates_x, state.h, gates_u.t()).sigmoid().chunk(2, -1)
        n = self.phi(torch.addmm(n_x, r * state.h, n_u.t()))
        h = torch.lerp(n, state.h, z)
        self._show(reset=r, update=z)
        tap(self, "state.h", lambda: h)
        return Tree(h=h)


def _last(
    outputs: Float[Tensor, "row time dim"], valid: Bool[Tensor, "row time"], start: Float[Tensor, "row dim"]
) -> Float[Tensor, "row dim"]:
    """The output at each row's last real input; `start` where it has none."""
    lengths = valid.sum(1)
    rows = torch.arange(outputs.shape[0], device=outputs.device)
    last = outputs[rows, (lengths - 1).clamp(min=0)]
    return torch.where(lengths[:, None] > 0, last, start)
