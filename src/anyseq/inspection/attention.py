"""What a model looks at: attention weights of a known output, layer by layer, and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from anyseq.core import Batch, Model
from anyseq.errors import UsageError
from anyseq.inspection.reading import Reading, numpy_of
from anyseq.inspection.shown import END, WHOLE

_INCHES_PER_CELL = 0.24


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
    """

    path: str
    looks: str
    at: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    weights: Float[np.ndarray, "head row column"]


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
    return AttentionMap(path, over, at, rows, columns, weights[:, : len(rows), : len(columns)])
