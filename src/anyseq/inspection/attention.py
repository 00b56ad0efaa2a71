"""What a model looks at: attention weights of a known output, layer by layer, and as a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from anyseq.core import Batch, Model
from anyseq.errors import UsageError
from anyseq.inspection.alignments import Heads, Known, Linked
from anyseq.inspection.reading import Reading, numpy_of
from anyseq.inspection.shown import END, WHOLE

_INCHES_PER_CELL = 0.24
_RUN = 3  # symbols from which on a run that stands in both is no chance


def attention(model: Model, batch: Batch) -> Float[Tensor, "row target source"]:
    """The weights over the source at each place of the batch's targets, which the decoder is given.

    Raises:
        UsageError: the decoder does not attend.
    """
    decoder, training = model.decoder, model.training
    model.eval()
    with torch.inference_mode():
        emission, _ = decoder.unroll(decoder.prepare(model.encode(batch)), batch.target)
        weights = None if emission.attention is None else emission.attention()
    model.train(training)
    if weights is None:
        raise UsageError("this model's decoder does not attend: it sees its source through one vector")
    return weights


def draw(weights: Float[Tensor, "target source"], source: Sequence[str], target: Sequence[str], path: Path) -> None:
    """Draw weights as a PNG: the source along the top, a row for each place of the target, black is 1.

    Args:
        weights: In [0, 1], each row's sum is 1.
        source: A label for each column.
        target: A label for each row.
        path: The file to write.
    """
    figure = Figure(figsize=(1 + _INCHES_PER_CELL * len(source), 1 + _INCHES_PER_CELL * len(target)))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(weights.float().cpu().numpy(), cmap="Greys", vmin=0, vmax=1)
    axes.set_xticks(range(len(source)), labels=source)
    axes.set_yticks(range(len(target)), labels=target)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    figure.savefig(path, dpi=120, bbox_inches="tight")


@dataclass(frozen=True)
class AttentionMap:
    """Where one layer looked, of one item.

    Attributes:
        path: The layer's place in the model.
        looks: What looks: the `output`, or the `source`.
        at: What is looked at: the `source`, the `elements` that can be pointed at, or the output `itself`.
        rows: What looks, place by place.
        columns: What is looked at.
        weights: In [0, 1]; each row's sum is 1.
        known: (row, column) of places that are known to belong together.
    """

    path: str
    looks: str
    at: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    weights: Float[np.ndarray, "head row column"]
    known: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Attention:
    """Where a model looked.

    Attributes:
        items: For each item the maps, layer by layer.
        known: Against what is known to belong together, of layers where the output looks at the source.
        known_from: How that is known: an alignment `given`, or that the output `copies`.
    """

    items: tuple[tuple[AttentionMap, ...], ...]
    known: tuple[Known, ...]
    known_from: Literal["given", "copies"] = "copies"


def attention_over(readings: Iterable[Reading], linked: Sequence[Linked | None] = ()) -> Attention | None:
    """Look at where a model looks.

    Args:
        readings: Of batches that were listened to for `weights` and `pointers`.
        linked: Of each item, in the order of the readings, what is known to belong together; where nothing is known of
            any, what the output copies.

    Returns:
        None where nothing attends.
    """
    items = tuple(maps for reading in readings for maps in attention_maps(reading))
    if not any(items):
        return None
    if any(linked):
        pairs = zip(items, linked, strict=True)
        return Attention(tuple(tuple(_framed(each, own) for each in maps) for maps, own in pairs), (), "given")
    seen: dict[tuple[str, int], list[tuple[float, bool]]] = defaultdict(list)
    for each in (one for maps in items for one in maps if one.known):
        rows, columns = np.array(each.known).T
        heads = [each.weights.mean(0), *each.weights]
        for head, weights in enumerate(heads if len(heads) > 2 else heads[:1]):
            hits = weights[rows].argmax(1) == columns
            seen[each.path, head] += zip(weights[rows, columns].tolist(), hits.tolist(), strict=True)
    known = [
        Known(path, head, float(np.mean([weight for weight, _ in pairs])), float(np.mean([hit for _, hit in pairs])),
              len(pairs))
        for (path, head), pairs in seen.items()
    ]  # fmt: skip
    return Attention(items, tuple(known))


def over_source(reading: Reading) -> list[list[Heads]]:
    """Of each item the weights with which its output looked at its source, layer by layer."""
    return [[(each.path, each.weights) for each in maps if _compared(each)] for maps in attention_maps(reading)]


def _compared(shown: AttentionMap) -> bool:
    return shown.looks == "output" and shown.at == "source"


def _framed(shown: AttentionMap, linked: Linked | None) -> AttentionMap:
    """The same with what is known to belong together, and nothing else."""
    pairs = linked.symbols if linked is not None and _compared(shown) else ()
    rows, columns = shown.weights.shape[1:]
    return replace(shown, known=tuple((row, column) for row, column in pairs if row < rows and column < columns))


def copied(rows: Sequence[str], columns: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Places of an output that are known to come from a place of the source, for they copy it.

    These are runs of three symbols or more, as long as they can be, that stand once in the output and once in the
    source: of a date the digits of its year, of a translation a name.

    Returns:
        (row, column) of each, in the output's order.
    """
    found: list[tuple[int, int]] = []
    for row, column in product(range(len(rows)), range(len(columns))):
        if row and column and rows[row - 1] == columns[column - 1]:
            continue  # not where a run begins
        length = 0
        while row + length < len(rows) and column + length < len(columns):
            if rows[row + length] != columns[column + length] or rows[row + length] == END:
                break
            length += 1
        run = tuple(rows[row : row + length])
        if length >= _RUN and any(part.strip() for part in run) and _times(run, rows) == _times(run, columns) == 1:
            found += [(row + at, column + at) for at in range(length)]
    return tuple(sorted(found))


def _times(run: tuple[str, ...], places: Sequence[str]) -> int:
    return sum(tuple(places[at : at + len(run)]) == run for at in range(len(places) - len(run) + 1))


def attention_maps(reading: Reading) -> list[tuple[AttentionMap, ...]]:
    """The maps of each item, layer by layer; none where nothing attends.

    Args:
        reading: Of a batch that was listened to for `weights` and `pointers`.
    """
    found: list[list[AttentionMap]] = [[] for _ in reading.shown]
    for kind in ("weights", "pointers"):
        for path, _ in reading.named(kind):
            looks = reading.heard[f"{path}.{kind}"]
            weights = numpy_of(torch.cat(list(looks), 2))  # input feeding looks once at every step
            for row, own in enumerate(found):
                own.append(_map(reading, path, kind, row, weights[row]))
    return [tuple(own) for own in found]


def _map(
    reading: Reading, path: str, kind: str, row: int, weights: Float[np.ndarray, "head row column"]
) -> AttentionMap:
    shown, (looking, seen) = reading.shown[row], weights.shape[1:]
    over = reading.over(path)
    itself = over == "output" and ("self_attention" in path or not shown.source)
    at = "elements" if kind == "pointers" else "itself" if itself else "source"
    columns = {"elements": (END, *shown.source), "itself": shown.read, "source": shown.source}[at]
    if looking == 1 and over == "source":
        rows: tuple[str, ...] = (WHOLE,)
    else:
        rows = shown.output if over == "output" else shown.source
    if over == "source" and seen < len(columns):  # several places of a source became one
        columns = tuple(str(place) for place in range(1, seen + 1))
        rows = columns if looking == seen else rows
    rows, columns = rows[:looking], columns[:seen]
    known = copied(rows, columns) if over == "output" and at == "source" else ()
    return AttentionMap(path, over, at, rows, columns, weights[:, : len(rows), : len(columns)], known)
