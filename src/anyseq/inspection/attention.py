"""What a decoder looks at: attention weights of a known output, as numbers and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from anyseq.core import Batch, Model
from anyseq.errors import UsageError

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
