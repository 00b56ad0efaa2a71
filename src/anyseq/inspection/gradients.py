"""Memory by gradient: how much each output would change if what was read at a place were a little different."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from anyseq.core import Batch, Emission, Model
from anyseq.inspection.reading import numpy_of
from anyseq.inspection.shown import Shown
from anyseq.nn.continuous import Continuous
from anyseq.nn.emissions import Discrete
from anyseq.nn.taps import Listener


@dataclass(frozen=True)
class Connectivity:
    """Of one item.

    Attributes:
        rows: What was said.
        columns: What was read.
        norms: ‖∂ logit of row's symbol / ∂ input vector of column‖₂.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    norms: Float[np.ndarray, "row column"]


@dataclass(frozen=True)
class Gradients:
    """How far back a model looks.

    Attributes:
        items: Of each item.
        distance: Steps between reading and saying, of what was read before; of a recurrent model those that its memory
            goes through.
        norm: The mean norm at each distance, over all items.
        pairs: How many pairs of places are at that distance.
    """

    items: tuple[Connectivity, ...]
    distance: Int[np.ndarray, " steps"]
    norm: Float[np.ndarray, " steps"]
    pairs: Int[np.ndarray, " steps"]


def gradients(model: Model, batch: Batch, shown: Sequence[Shown]) -> Gradients | None:
    """Measure the connectivity of each output with each input.

    The inputs are the vectors of the source's places; where there is no source, those of what was said before. An
    output's logit is that of the symbol that was said, before the softmax; of a decoder of vectors the
    numbers that it gives, summed, stand for it (of zeros and ones their log-probability).

    Args:
        model: Any whose source is embedded place by place.
        batch: With `target`, at least one place wide.
        shown: The same for people.

    Returns:
        None where the places of the input have no vectors of their own.

    Source:
        Madsen 2019, "Visualizing memorization in RNNs", Distill, doi:10.23915/distill.00016.
    """
    training = model.training
    model.eval()
    try:
        read, emission = _forward(model, batch)
        if read is None or not read.requires_grad:
            return None
        said = _logits(emission, batch.target.values)
        times, rows = range(said.shape[1]), said.shape[0]
        norms = torch.zeros(rows, len(times), read.shape[1], device=read.device, dtype=read.dtype)
        for time in times:  # rows do not know of each other: the sum's gradient is each row's own
            (gradient,) = torch.autograd.grad(said[:, time].sum(), read, retain_graph=True, allow_unused=True)
            if gradient is not None:
                norms[:, time] = gradient.flatten(2).norm(dim=2)
    finally:
        model.train(training)
    table = numpy_of(norms)
    alone = "source" not in batch
    items = []
    for row, each in enumerate(shown):
        columns = each.read if alone else each.source
        items.append(Connectivity(each.output, columns, table[row, : len(each.output), : len(columns)]))
    return _together(items, alone or model.decoder.aligned)


def _forward(model: Model, batch: Batch) -> tuple[Tensor | None, Emission]:
    """The input vectors, and what the decoder says, joined by a graph."""
    decoder, found = model.decoder, []
    with torch.enable_grad():
        if "source" in batch:

            def from_here(module: nn.Module, arguments: Any, output: Any) -> Any:
                found.append(output.detach().requires_grad_())
                return found[-1]

            embed = getattr(getattr(model, "encoder", None), "embed", None)
            hook = embed.register_forward_hook(from_here) if isinstance(embed, nn.Module) else None
            try:
                memory = decoder.prepare(model.encode(batch))
            finally:
                if hook is not None:
                    hook.remove()
            emission, _ = decoder.unroll(memory, batch.target)
        else:
            with Listener(model, ("embedded",)) as listener:
                emission, _ = decoder.unroll(decoder.prepare(model.encode(batch)), batch.target)
            found = [value for values in listener.heard.values() for value in values]
    one = len(found) == 1 and found[0].dim() == 3 and found[0].shape[0] == batch.target.rows
    width = batch.source.values.shape[1] if "source" in batch else batch.target.values.shape[1]
    return (found[0] if one and found[0].shape[1] == width else None), emission


def _logits(emission: Emission, values: Tensor) -> Float[Tensor, "row time"]:
    """Of what was said, before the softmax."""
    if isinstance(emission, Discrete):
        found = emission.logits().gather(-1, values[..., None])[..., 0]
    else:
        found = emission.middle().sum(-1) if isinstance(emission, Continuous) else emission.log_prob(values)
        if not found.requires_grad:  # a middle of 0 or 1
            found = emission.log_prob(values)
    return torch.where(emission.valid, found, 0.0) if emission.valid is not None else found


def _together(items: Sequence[Connectivity], aligned: bool) -> Gradients:
    """The mean at each distance; aligned: what is said at a place is said when that place was just read."""
    sums, counts = defaultdict[int, float](float), defaultdict[int, int](int)
    for each in items:
        rows, columns = each.norms.shape
        for row in range(rows):
            for column in range(columns):
                away = row - column if aligned else row + columns - column
                if away >= 0:
                    sums[away] += float(each.norms[row, column])
                    counts[away] += 1
    distances = sorted(counts)
    pairs = np.array([counts[each] for each in distances])
    return Gradients(tuple(items), np.array(distances), np.array([sums[each] for each in distances]) / pairs, pairs)
