"""What a model's fold makes of items: one vector each, and who is near whom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32, Int

from anyseq.core import Item
from anyseq.errors import UsageError
from anyseq.tasks.base import Task
from anyseq.tasks.decoding import batches

_AT_ONCE = 1024


def embed(task: Task, items: Sequence[Item]) -> Float32[np.ndarray, "item dim"]:
    """The summary of each item's source, in order; zeros for an empty one.

    Raises:
        UsageError: the model has no source, or its fold leaves no summary.
    """
    if task.prompted:
        raise UsageError("a language model folds nothing, so there is no vector of what it reads")
    sources = [task.encode_source(item) for item in items]
    full = [place for place, source in enumerate(sources) if not source.empty]
    fields = [sources[place].fields for place in full]
    found: dict[int, np.ndarray] = {}
    task.model.eval()
    for rows in batches(fields, task.config.search.batch_tokens):
        places = [full[row] for row in rows.tolist()]
        batch = task.batch([items[place] for place in places], [sources[place].fields for place in places])
        with torch.inference_mode():
            summary = task.model.encode(batch).get("summary")
        if summary is None:
            raise UsageError("this model's fold leaves no single vector (several models as one have several)")
        found.update(zip(places, summary.float().cpu().numpy(), strict=True))
    if not found:
        raise UsageError("there is nothing to embed: every source is empty")
    nothing = np.zeros_like(next(iter(found.values())))
    return np.stack([found.get(place, nothing) for place in range(len(items))])


def nearest(
    vectors: Float[np.ndarray, "item dim"], count: int
) -> tuple[Int[np.ndarray, "item count"], Float[np.ndarray, "item count"]]:
    """The items most like each one, itself left out, by the cosine of their vectors; the most alike first.

    Returns:
        Their places and the cosines; fewer than asked for where there are not so many.
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    count = min(count, len(unit) - 1)
    places, cosines = [], []
    for first in range(0, len(unit), _AT_ONCE):
        table = unit[first : first + _AT_ONCE] @ unit.T
        rows = np.arange(len(table))
        table[rows, rows + first] = -np.inf
        near, likeness = _largest(table, count)
        places.append(near)
        cosines.append(likeness)
    return np.concatenate(places), np.concatenate(cosines)


def _largest(table: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The places and values of the largest of each row, equal ones by place, without sorting the rest."""
    best = torch.from_numpy(table).topk(min(count + 1, table.shape[1]), 1)
    near, values = best.indices.numpy(), best.values.numpy()
    if torn := np.flatnonzero(values[:, count - 1] == values[:, -1]).tolist() if near.shape[1] > count else []:
        near[torn, :count] = np.argsort(-table[torn], axis=1, kind="stable")[:, :count]
    near = near[:, :count]
    values = np.take_along_axis(table, near, 1)
    order = np.lexsort((near, -values), axis=1)
    return np.take_along_axis(near, order, 1), np.take_along_axis(values, order, 1)
