"""Where a model looked while it wrote its outputs, in units that a person sees."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from anyseq.core import Alignment, Batch, Hypotheses, Padded, Symbols, Units
from anyseq.errors import UsageError
from anyseq.tasks.base import Task


def refuse_without_attention(task: Task) -> None:
    """Refuse alignments where nothing attends.

    Raises:
        UsageError: so it is.
    """
    encoder = getattr(task.model, "encoder", None)
    if encoder is not None and not encoder.placed:
        raise UsageError("alignments say which place was looked at, and this encoder leaves one for all of a source")
    if not task.model.decoder.attends:
        raise UsageError(
            f"alignments come from attention over the source, and this model's {type(task.model.decoder).__name__} has "
            "none to show (members of an ensemble must all attend, to a source that their codecs encode alike): leave "
            "--alignments out, or choose a decoder with attention"
        )


@torch.inference_mode()
def align(
    task: Task, batch: Batch, hypotheses: Hypotheses, places: Sequence[Sequence[int]]
) -> list[list[Alignment]]:
    """Align some hypotheses of each source, by one unroll over all of them.

    Args:
        task: With codecs of source and target, and a decoder that attends.
        batch: The sources.
        hypotheses: What was found for them.
        places: Which hypotheses of each source.
    """
    decoder, chosen = task.model.decoder, _chosen(hypotheses, places)
    read = Padded(_known(task, chosen.values), chosen.valid)
    emission, _ = decoder.unroll(decoder.prepare(task.model.encode(batch)), read)
    assert emission.attention is not None
    looks = emission.attention().float().cpu()
    width = chosen.rows // batch.rows
    sources, lengths = batch.source.values.cpu(), batch.source.lengths.tolist()
    values, ends = chosen.values.cpu(), chosen.lengths.tolist()
    return [
        [
            _aligned(
                task.codecs["source"].units(sources[row, : lengths[row]]),
                task.units(values[at, : ends[at]], batch.items[row]),
                looks[at, : ends[at], : lengths[row]],
            )
            for at in range(row * width, row * width + len(own))
        ]
        for row, own in enumerate(places)
    ]


def _chosen(hypotheses: Hypotheses, places: Sequence[Sequence[int]]) -> Padded:
    """The chosen hypotheses, equally many rows for each source; where there are fewer, rows of no symbols."""
    device, width = hypotheses.values.device, max(map(len, places))
    index = torch.tensor([[*own, *[0] * (width - len(own))] for own in places], device=device)
    there = torch.arange(width, device=device) < torch.tensor([len(own) for own in places], device=device)[:, None]
    sources = torch.arange(len(places), device=device)[:, None]
    lengths = (hypotheses.lengths[sources, index] * there).flatten()
    values = hypotheses.values[sources, index].flatten(0, 1)
    return Padded(values, torch.arange(values.shape[1], device=device) < lengths[:, None])


def _known(task: Task, values: Tensor) -> Tensor:
    """Symbols as every decoder can read them: what is only the source's own is unknown."""
    target = task.codecs["target"].stream
    return values.masked_fill(values >= target.vocab_size, target.unknown) if isinstance(target, Symbols) else values


def _aligned(columns: Units, rows: Units, looks: Tensor) -> Alignment:
    members = rows.table()
    weights = members @ looks @ columns.table().T / members.sum(1, keepdim=True)
    return Alignment(columns.shown, rows.shown, weights.tolist())
