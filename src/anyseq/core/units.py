"""What a person sees as one thing, and which things of the output belong to which of the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

_DIGITS = 4  # of a weight behind the point, for people


@dataclass(frozen=True)
class Units:
    """The words or characters (or points, notes ...) of a raw value, and the symbols that make them.

    Attributes:
        shown: Each unit as text.
        of: For each symbol the units it is part of: mostly one, none for the end, several where it crosses a space.
    """

    shown: Sequence[str]
    of: Sequence[range]

    def table(self) -> Float[Tensor, "unit symbol"]:
        """1 where a symbol is part of a unit, 0 elsewhere."""
        table = torch.zeros(len(self.shown), len(self.of))
        for symbol, units in enumerate(self.of):
            table[units.start : units.stop, symbol] = 1
        return table


@dataclass(frozen=True)
class Alignment:
    """How much a model looked at each unit of the source while it wrote each unit of the output.

    Attributes:
        source: The source's units.
        output: The output's units.
        weights: A row for each unit of the output, a column for each of the source: attention summed over the source
            unit's symbols, mean over the output unit's. In [0, 1]; what a row lacks to 1 looked at the source's end.
    """

    source: Sequence[str]
    output: Sequence[str]
    weights: Sequence[Sequence[float]]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(source, output), counted from 0, in the output's order: each unit with the one most looked at.

        Of equals the first. A unit that looked at the source's end alone has none.
        """
        return [(max(range(len(row)), key=row.__getitem__), unit) for unit, row in enumerate(self.weights) if any(row)]

    def hard(self) -> str:
        """The pairs as GIZA's and fast_align's readers know them (Pharaoh): `0-0 2-1`."""
        return " ".join(f"{source}-{output}" for source, output in self.pairs)

    def soft(self) -> str:
        """The weights as Marian writes them: a group for each unit of the output, in it the source's, with commas."""
        return " ".join(",".join(f"{round(weight, _DIGITS):g}" for weight in row) for row in self.weights)

    def as_dict(self, weights: bool = True) -> dict[str, Any]:
        """As a line of JSON has it."""
        plain: dict[str, Any] = {"source": list(self.source), "output": list(self.output), "pairs": self.pairs}
        if weights:
            plain["weights"] = [[round(weight, _DIGITS) for weight in row] for row in self.weights]
        return plain
