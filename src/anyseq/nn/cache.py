"""Keys and values of the past, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_FIRST_CAPACITY = 16


class Cache:
    """What self-attention has seen of each row; a leaf of a decoder's State.

    A layer's buffer is [time, 2, row, dim], keys and values: time first, so that a new place is written, and the filled
    part copied, in one piece. Place p of a row stands in slot p. Slots at or beyond a row's own length hold anything:
    whoever reads must look at slots before `steps` only.

    Args:
        layers: One buffer a layer, at least `filled` long; none where nothing was consumed yet.
        rows: The number of rows.
        filled: The longest row's length.
        even: Every row is `filled` long (rows with prefixes of their own length are not).
    """

    def __init__(self, layers: Sequence[Float[Tensor, "time 2 row dim"]], rows: int, filled: int, even: bool) -> None:
        self.layers, self.rows, self.filled, self.even = list(layers), rows, filled, even

    def extend(
        self, layer: int, new: Float[Tensor, "place 2 row dim"], slots: Int[Tensor, "place row"]
    ) -> Float[Tensor, "time 2 row dim"]:
        """Return the layer's buffer with new places written into it, `slots` being their positions.

        In place where there is room, and only under inference mode: gradients need the old values.
        """
        if not self.filled:
            return new
        old, end = self.layers[layer], self.filled + new.shape[0]
        if torch.is_inference_mode_enabled():
            if old.shape[0] < end:
                old = self._copy(old, max(end, 2 * self.filled, _FIRST_CAPACITY))
            if self.even:
                old[self.filled : end] = new
            else:
                old[self.filled : end] = 0  # nobody looks there with any weight, but 0 * nan is nan
                old[slots, :, torch.arange(self.rows, device=slots.device)] = new.transpose(1, 2)
            return old
        if self.even:
            return torch.cat([old[: self.filled], new])
        grown = torch.cat([old[: self.filled], new.new_zeros(new.shape)]).transpose(1, 2)
        rows = torch.arange(self.rows, device=slots.device).expand_as(slots)
        return grown.index_put((slots, rows), new.transpose(1, 2)).transpose(1, 2)

    def _copy(self, old: Tensor, capacity: int) -> Tensor:
        grown = old.new_empty(capacity, *old.shape[1:])
        grown[: self.filled] = old[: self.filled]
        return grown

    def select(self, rows: Int[Tensor, " new"]) -> Cache:
        """Copy the filled part of the given rows, once, with room for the next place."""
        chosen = [self._rows(layer, rows) for layer in self.layers]
        return Cache(chosen, rows.shape[0], self.filled, self.even)

    def _rows(self, layer: Tensor, rows: Tensor) -> Tensor:
        if not torch.is_inference_mode_enabled():
            return layer[: self.filled].index_select(2, rows)
        chosen = layer.new_empty(self.filled + 1, 2, rows.shape[0], layer.shape[3])
        torch.index_select(layer[: self.filled], 2, rows, out=chosen[: self.filled])
        return chosen

    def where(self, rows: Bool[Tensor, " row"], old: Cache) -> Cache:
        """Keep this one's slots: those a row has not consumed lie beyond its `steps`, where nobody looks."""
        return Cache(self.layers, self.rows, self.filled, even=False)

    def to(self, device: torch.device) -> Cache:
        """Return the same on a device."""
        return Cache([layer.to(device) for layer in self.layers], self.rows, self.filled, self.even)
