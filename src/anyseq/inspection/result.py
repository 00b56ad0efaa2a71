"""All that was seen of one model, and how it is written down."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anyseq.inspection.about import About
from anyseq.inspection.attention import Attention
from anyseq.inspection.errors import Errors
from anyseq.inspection.gates import Gates
from anyseq.inspection.gradients import Gradients
from anyseq.inspection.search import SearchTree
from anyseq.inspection.shown import Shown

VIEWS = ("attention", "gates", "gradients", "search", "errors", "about")
"""What can be looked at."""
_DIGITS = 5


@dataclass(frozen=True)
class Inspection:
    """What a model does. What does not apply to it, or was not asked for, is None.

    Attributes:
        model, task: What it is called, and its use.
        count: Items it was looked at with.
        items: Those that are shown place by place; the lists of the views follow their order.
        attention: Where each layer and head looked.
        gates: Of recurrent layers.
        gradients: Memory by gradient.
        search: Of each item how its output was found.
        errors: Where right answers are known.
        about: The data and the model.
    """

    model: str
    task: str
    count: int
    items: tuple[Shown, ...]
    attention: Attention | None = None
    gates: Gates | None = None
    gradients: Gradients | None = None
    search: tuple[SearchTree, ...] | None = None
    errors: Errors | None = None
    about: About | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it: arrays as lists; of recurrent layers a few cells, of the others what all did together."""
        lean = dataclasses.replace(self, gates=None if self.gates is None else self.gates.lean())
        return plain(lean, _as_lists)


def plain(value: Any, of_array: Callable[[np.ndarray], Any], columns: bool = False) -> Any:
    """Dataclasses as mappings, arrays as said, numbers rounded, what is not finite as None.

    Args:
        value: Anything made of these.
        of_array: What becomes of an array.
        columns: Write several dataclasses of one kind as `{"field by field": {field: [of each]}}`, which is shorter.
    """
    if dataclasses.is_dataclass(value):
        return {name: plain(getattr(value, name), of_array, columns) for name in _fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(each, of_array, columns) for name, each in value.items()}
    if isinstance(value, np.ndarray):
        return of_array(value)
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, Sequence):
        if columns and len(value) > 1 and all(dataclasses.is_dataclass(each) for each in value):
            rows = {name: [getattr(each, name) for each in value] for name in _fields(value[0])}
            return {"field by field": plain(rows, of_array, columns)}
        return [plain(each, of_array, columns) for each in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
    return value


def _fields(value: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(value)]


def _as_lists(array: np.ndarray) -> Any:
    """With so many digits of the largest number, and no fewer behind the point; what is not finite is None."""
    if array.dtype.kind in "iub":
        return array.tolist()
    finite = np.isfinite(array)
    largest = float(np.abs(array[finite]).max(initial=0.0))
    behind = _DIGITS - min(0, math.floor(math.log10(largest))) if largest else _DIGITS
    found = np.round(array.astype(np.float64), behind).tolist()
    return found if finite.all() else plain(found, _as_lists)
