"""Gates at a moment and elsewhere: does a cell forget when what it remembers is told anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from anyseq.inspection.labelled import Told, changes


@dataclass(frozen=True)
class Moment:
    """How far a gate is open at some places, and at all others: means, in [0, 1].

    Attributes:
        moment: Which places: where an event is, or where what the cell follows changes.
        property: What the cell follows, for which it was chosen.
        path, gate, cell: Where.
        cell_there, cell_elsewhere: Of the cell.
        layer_there, layer_elsewhere: Of all cells of the layer together.
        places, others: How many there are of each, on the half of the items that the cell was not chosen on.
    """

    moment: str
    property: str
    path: str
    gate: str
    cell: int
    cell_there: float
    cell_elsewhere: float
    layer_there: float
    layer_elsewhere: float
    places: int
    others: int


def moments(
    followed: str,
    path: str,
    cell: int,
    gates: Sequence[Mapping[str, Float[np.ndarray, "_ cell"]]],
    told: Sequence[Told],
) -> Iterator[Moment]:
    """Compare the gates of a cell, and of its layer, at each kind of moment with elsewhere.

    An event is a property that is so at some places, but never at two in a row. A cell that follows one remembers
    nothing, and has no moments; the others have them where what they follow changes, and at every event.

    Args:
        followed: The property that the cell follows.
        path, cell: Which cell.
        gates: Item by item, by name.
        told: The properties of the same places.
    """
    events = {name: values for name in told[0] if _event(values := [each[name] for each in told])}
    if followed in events:
        return
    kinds = {f"{followed} changes": [changes(each[followed]) for each in told], **events}
    for moment, values in kinds.items():
        at = np.concatenate(values)
        there, elsewhere = at == 1, at == 0
        if there.any() and elsewhere.any():
            for gate in gates[0]:
                yield _compared(moment, followed, path, gate, cell, np.concatenate([each[gate] for each in gates]),
                                there, elsewhere)  # fmt: skip


def _compared(
    moment: str,
    followed: str,
    path: str,
    gate: str,
    cell: int,
    values: Float[np.ndarray, "place cell"],
    there: Bool[np.ndarray, " place"],
    elsewhere: Bool[np.ndarray, " place"],
) -> Moment:
    means = [float(part.mean()) for rows in (there, elsewhere) for part in (values[rows, cell], values[rows])]
    return Moment(
        moment, followed, path, gate, cell, means[0], means[2], means[1], means[3], int(there.sum()),
        int(elsewhere.sum()),
    )  # fmt: skip


def _event(items: Sequence[Float[np.ndarray, " _"]]) -> bool:
    values = np.concatenate(items)
    lasts = any(((each[1:] == 1) & (each[:-1] == 1)).any() for each in items)
    return not lasts and set(np.unique(values[~np.isnan(values)])) == {0.0, 1.0}
