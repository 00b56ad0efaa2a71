"""A line of the input."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


def content(raw: Any) -> Hashable:
    """What a raw value holds, to be compared and counted: a text itself, an array's shape, type and bytes."""
    return (raw.shape, raw.dtype.str, raw.tobytes()) if isinstance(raw, np.ndarray) else raw


@dataclass(frozen=True)
class Item:
    """One line of the input as it was read.

    Attributes:
        raw: What the reader gave, by field name: `{"source": "...", "target": "..."}`.
        key: Position in its input; keys sampling, so that a neighbour changes no output.
        file: Where it was read, None for data from Python.
        line: Line in that file, counted from 1.
    """

    raw: Mapping[str, Any]
    key: int = 0
    file: str | None = None
    line: int | None = None

    @property
    def place(self) -> str:
        """Where a person finds it: `train.de:17`, a file that is one item, or `item 16` for data from Python."""
        if self.file is None:
            return f"item {self.key}"
        return self.file if self.line is None else f"{self.file}:{self.line}"
