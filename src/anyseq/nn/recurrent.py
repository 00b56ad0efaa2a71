"""Layers of cells over sequences of unequal length, and stacks of layers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from anyseq.core import Tree
from anyseq.nn.cells import Cell
from anyseq.nn.dropout import Dropout
from anyseq.nn.taps import tap


class Layer(nn.Module, ABC):
    """One recurrent layer over padded sequences.

    Attributes:
        input_dim: Width of what it reads.
        output_dim: Width of what it gives.
        state_dims: Width of each matrix in its state by name, directions side by side; one is `h`.
        causal: It reads from left to right, and so can go one step at a time.
    """

    input_dim: int
    output_dim: int
    state_dims: Mapping[str, int]
    causal: bool

    @abstractmethod
    def start(self, like: Float[Tensor, "row ..."]) -> Tree:
        """The state before the first input, one row for each of `like`."""

    @abstractmethod
    def forward(
        self, x: Float[Tensor, "row time input_dim"], valid: Bool[Tensor, "row time"], state: Tree
    ) -> tuple[Float[Tensor, "row time output_dim"], Tree]:
        """Outputs (at padding: whatever), and the state after each row's last real input."""

    def step(self, x: Float[Tensor, "row input_dim"], state: Tree) -> tuple[Float[Tensor, "row output_dim"], Tree]:
        """One time step of a layer that reads from left to right."""
        raise TypeError(f"{type(self).__name__} reads both ways: it has no single step")

    def output(self, x: Callable[[], Tensor], h: Float[Tensor, "row hidden_dim"]) -> Float[Tensor, "row output_dim"]:
        """What a step gives, from its state's hidden vector and, where that is passed on, what it read."""
        return h

    @abstractmethod
    def joined(self, state: Tree) -> Tree:
        """What `state_dims` names of the state, directions side by side."""


class Causal(Layer):
    """A layer that reads from left to right.

    Args:
        cell: The recurrence.
        dropout: Share of the input dropped in training.
    """

    def __init__(self, cell: Cell, dropout: float = 0.0) -> None:
        super().__init__()
        self.cell, self.dropout, self.causal = cell, Dropout(dropout), True
        self.input_dim, self.output_dim = cell.input_dim, cell.hidden_dim
        self.state_dims = _state_dims(cell)

    def start(self, like: Float[Tensor, "row ..."]) -> Tree:
        """The cell's."""
        return self.cell.start(like)

    def forward(
        self, x: Float[Tensor, "row time input_dim"], valid: Bool[Tensor, "row time"], state: Tree
    ) -> tuple[Float[Tensor, "row time output_dim"], Tree]:
        """Outputs, and the state after each row's last real input."""
        return self.cell.fold(self.dropout(x), valid, state)

    def step(self, x: Float[Tensor, "row input_dim"], state: Tree) -> tuple[Float[Tensor, "row output_dim"], Tree]:
        """One time step."""
        state = self.cell.step(self.dropout(x), state)
        return state.h, state

    def joined(self, state: Tree) -> Tree:
        """The state."""
        return state


class Bidirectional(Layer):
    """One cell reads from left to right, another from each row's last real input to the left.

    Its state is Tree(forward, backward). Reversing each row within its length leaves both directions to the plain
    kernels. Packed sequences skip the padding, but the packing costs: 200 rows, 256 wide, one CPU thread, forward and
    backward, they took 1.14 to 1.19 times as long with lengths 12-15 (batches by length, the usual case), and 0.91
    (LSTM), 0.97 (GRU), 1.04 (tanh) times with lengths 6-15.

    Args:
        forward_cell: Reads from left to right.
        backward_cell: Reads from right to left.
        dropout: Share of the input dropped in training.

    Source:
        Schuster and Paliwal 1997.
    """

    def __init__(self, forward_cell: Cell, backward_cell: Cell, dropout: float = 0.0) -> None:
        super().__init__()
        self.forward_cell, self.backward_cell, self.dropout = forward_cell, backward_cell, Dropout(dropout)
        self.input_dim, self.causal = forward_cell.input_dim, False
        self.output_dim = forward_cell.hidden_dim + backward_cell.hidden_dim
        right, left = _state_dims(forward_cell), _state_dims(backward_cell)
        self.state_dims = {name: width + left[name] for name, width in right.items() if name in left}

    def start(self, like: Float[Tensor, "row ..."]) -> Tree:
        """The cells'."""
        return Tree(forward=self.forward_cell.start(like), backward=self.backward_cell.start(like))

    def forward(
        self, x: Float[Tensor, "row time input_dim"], valid: Bool[Tensor, "row time"], state: Tree
    ) -> tuple[Float[Tensor, "row time output_dim"], Tree]:
        """Outputs of both side by side, and the state of each after the last input it reads."""
        x = self.dropout(x)
        turn = _turn(valid.sum(1), valid)
        tap(self, "turned.backward_cell", lambda: turn)
        rightward, forward = self.forward_cell.fold(x, valid, state.forward)
        leftward, backward = self.backward_cell.fold(_reorder(x, turn), valid, state.backward)
        return torch.cat([rightward, _reorder(leftward, turn)], 2), Tree(forward=forward, backward=backward)

    def joined(self, state: Tree) -> Tree:
        """What both states carry, side by side."""
        return Tree(
            **{name: torch.cat([state.forward.get(name), state.backward.get(name)], 1) for name in self.state_dims}
        )


class Connected(Layer):
    """A layer whose output goes on together with what it read. Its state is the layer's.

    Args:
        layer: The layer.
        output_dim: Width of both together.
    """

    def __init__(self, layer: Layer, output_dim: int) -> None:
        super().__init__()
        self.layer, self.causal, self.state_dims = layer, layer.causal, layer.state_dims
        self.input_dim, self.output_dim = layer.input_dim, output_dim

    @abstractmethod
    def connect(
        self, x: Float[Tensor, "row *time input_dim"], y: Float[Tensor, "row *time layer_dim"]
    ) -> Float[Tensor, "row *time output_dim"]:
        """What goes on, from what the layer read and what it gave."""

    def start(self, like: Float[Tensor, "row ..."]) -> Tree:
        """The layer's."""
        return self.layer.start(like)

    def forward(
        self, x: Float[Tensor, "row time input_dim"], valid: Bool[Tensor, "row time"], state: Tree
    ) -> tuple[Float[Tensor, "row time output_dim"], Tree]:
        """Outputs, and the layer's state."""
        y, state = self.layer(x, valid, state)
        return self.connect(x, y), state

    def step(self, x: Float[Tensor, "row input_dim"], state: Tree) -> tuple[Float[Tensor, "row output_dim"], Tree]:
        """One time step."""
        y, state = self.layer.step(x, state)
        return self.connect(x, y), state

    def output(self, x: Callable[[], Tensor], h: Float[Tensor, "row hidden_dim"]) -> Float[Tensor, "row output_dim"]:
        """What a step gives."""
        return self.connect(x(), h)

    def joined(self, state: Tree) -> Tree:
        """The layer's, without what it was connected with."""
        return self.layer.joined(state)


class Residual(Connected):
    """A layer that adds to what it reads: x + layer(x).

    Args:
        layer: As wide as its input.

    Source:
        Wu et al. 2016, arXiv:1609.08144, section 3.1. Dropout falls on what the layer reads, not on what it adds to.
    """

    def __init__(self, layer: Layer) -> None:
        if layer.input_dim != layer.output_dim:
            raise ValueError(f"a residual layer needs equal widths, not {layer.input_dim} -> {layer.output_dim}")
        super().__init__(layer, layer.output_dim)

    def connect(
        self, x: Float[Tensor, "row *time input_dim"], y: Float[Tensor, "row *time layer_dim"]
    ) -> Float[Tensor, "row *time output_dim"]:
        """Their sum."""
        return x + y


class Dense(Connected):
    """A layer that puts its output beside what it reads: [x; layer(x)].

    In a stack of them each layer reads the stack's input and the outputs of all layers below.

    Args:
        layer: Any.

    Source:
        Huang et al. 2017, arXiv:1608.06993, section 3; of recurrent layers: Godin et al. 2017, arXiv:1707.06130.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer, layer.input_dim + layer.output_dim)

    def connect(
        self, x: Float[Tensor, "row *time input_dim"], y: Float[Tensor, "row *time layer_dim"]
    ) -> Float[Tensor, "row *time output_dim"]:
        """Both, side by side."""
        return torch.cat([x, y], -1)


class RecurrentStack(nn.Module):
    """Layers above each other; the state is Tree(layer0, layer1, ...).

    Args:
        layers: At least one; each reads what the one below gives.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        for below, above in pairwise(layers):
            if below.output_dim != above.input_dim:
                raise ValueError(f"a layer that reads {above.input_dim} stands on one that gives {below.output_dim}")
        self.layers = nn.ModuleList(layers)
        self.input_dim, self.output_dim = layers[0].input_dim, layers[-1].output_dim
        self.causal = all(layer.causal for layer in layers)
        self.state_dims = tuple(layer.state_dims for layer in layers)

    def start(self, like: Float[Tensor, "row ..."]) -> Tree:
        """The states before the first input, one row for each of `like`."""
        return Tree(**{name: layer.start(like) for name, layer in self.named_layers})

    def forward(
        self, x: Float[Tensor, "row time input_dim"], valid: Bool[Tensor, "row time"], state: Tree | None = None
    ) -> tuple[Float[Tensor, "row time output_dim"], Tree]:
        """Take in whole sequences, by fused kernels where the cells have them.

        Args:
            x: The inputs; what stands at padding has no influence.
            valid: Where they are real: the first of each row, possibly none.
            state: Where to go on from; None is the start.

        Returns:
            The top layer's outputs (at padding: whatever), and the states after each row's own length.
        """
        state = self.start(x) if state is None else state
        if not x.shape[1]:
            return x.new_zeros(x.shape[0], 0, self.output_dim), state
        after = {}
        for name, layer in self.named_layers:
            x, after[name] = layer(x, valid, state.get(name))
        return x, Tree(**after)

    def step(self, x: Float[Tensor, "row input_dim"], state: Tree) -> tuple[Float[Tensor, "row output_dim"], Tree]:
        """One time step, through layers that read from left to right."""
        after = {}
        for name, layer in self.named_layers:
            x, after[name] = layer.step(x, state.get(name))
        return x, Tree(**after)

    def step_above(
        self, x: Callable[[], Tensor], bottom: Tree, state: Tree
    ) -> tuple[Float[Tensor, "row output_dim"], Tree]:
        """One time step, given the bottom layer's next state; `x` tells what that layer read, if another reads it."""
        (name, lowest), *others = self.named_layers
        after, y = {name: bottom}, lowest.output(x, bottom.h)
        for name, layer in others:
            y, after[name] = layer.step(y, state.get(name))
        return y, Tree(**after)

    def joined(self, state: Tree) -> Tree:
        """What `state_dims` names of the state, the directions of each layer side by side."""
        return Tree(**{name: layer.joined(state.get(name)) for name, layer in self.named_layers})

    @property
    def named_layers(self) -> list[tuple[str, Layer]]:
        """The layers, bottom first, with the names of their states."""
        return [(f"layer{i}", layer) for i, layer in enumerate(self.layers)]  # type: ignore[misc]


class Reversed(RecurrentStack):
    """A stack that reads each row from back to front, but for its last places; outputs stand where their inputs do.

    So the beginning of the source is the last thing read, and near the beginning of the output: the lags are as long
    on average, but the first of them are short. It reads nothing before it knows the end: it is not causal.

    Args:
        layers: As of `RecurrentStack`.
        kept: Last places of each row that stay last: 1 where that is an end symbol.

    Source:
        Sutskever et al. 2014, arXiv:1409.3215, section 3.3.
    """

    def __init__(self, layers: Sequence[Layer], kept: int) -> None:
        super().__init__(layers)
        self.kept, self.causal = kept, False

    def forward(
        self, x: Float[Tensor, "row time input_dim"], valid: Bool[Tensor, "row time"], state: Tree | None = None
    ) -> tuple[Float[Tensor, "row time output_dim"], Tree]:
        """Take in whole sequences."""
        turn = _turn((valid.sum(1) - self.kept).clamp(min=0), valid)
        tap(self, "turned", lambda: turn)
        outputs, state = super().forward(_reorder(x, turn), valid, state)
        return _reorder(outputs, turn), state

    def step(self, x: Float[Tensor, "row input_dim"], state: Tree) -> tuple[Float[Tensor, "row output_dim"], Tree]:
        """Refuse."""
        raise TypeError("a reversed stack begins with the end of its source: it has no single step")


def _state_dims(cell: Cell) -> dict[str, int]:
    """Width of each matrix of a cell's state (what has no width, a count, is not told)."""
    state = cell.start(torch.empty(1))
    return {name: leaf.shape[1] for name, leaf in state if isinstance(leaf, Tensor) and leaf.dim() == 2}


def _turn(counts: Int[Tensor, " row"], valid: Bool[Tensor, "row time"]) -> Tensor:
    """Where each place of [row * time] goes when the first so many places of every row are reversed."""
    rows, time = valid.shape
    place = torch.arange(time, device=valid.device)
    inside = torch.where(place < counts[:, None], counts[:, None] - 1 - place, place)
    return (inside + time * torch.arange(rows, device=valid.device)[:, None]).flatten()


def _reorder(x: Float[Tensor, "row time dim"], places: Tensor) -> Float[Tensor, "row time dim"]:
    """Turning twice is nothing, so the places to go to are those to come from."""
    return x.flatten(0, 1).index_select(0, places).view_as(x)
