"""What to write where a model has only the unknown symbol to say: what it looked at."""

from __future__ import annotations

from dataclasses import replace

import torch

from anyseq.core import Decoder, Hypotheses, Memory, Padded, Symbols
from anyseq.errors import UsageError


@torch.inference_mode()
def replace_unknown(
    decoder: Decoder, memory: Memory, found: Hypotheses, copied: Padded, target: Symbols
) -> Hypotheses:
    """Exchange each unknown symbol for the part of the source that was looked at most; the scores stay.

    Args:
        decoder: Attends.
        memory: As `Model.encode` gives it.
        found: What a search found.
        copied: The symbol that each place of a source stands for, its own symbols too, its end last.
        target: The vocabulary.

    Raises:
        UsageError: the decoder does not attend.

    Source:
        Luong et al. 2015, arXiv:1508.04025, section 4.1 (theirs looks the part up in a dictionary first).
    """
    if not decoder.attends:
        raise UsageError(
            f"replace_unknown writes what the decoder looked at, and {type(decoder).__name__} has no attention; "
            "leave it out, or choose a decoder with attention"
        )
    sources, n, time = found.values.shape
    within = torch.arange(time, device=found.values.device) < found.lengths[:, :, None]
    unknown = within & (found.values == target.unknown)
    if not bool(unknown.any()):
        return found
    given = Padded(found.values.flatten(0, 1), within.flatten(0, 1))
    emission, _ = decoder.unroll(decoder.prepare(memory), given)
    assert emission.attention is not None
    places = copied.valid & (copied.values != target.end)
    weights = emission.attention().view(sources, n * time, -1).masked_fill(~places[:, None], -1.0)
    looked_at = copied.values.gather(1, weights.argmax(2)).view(sources, n, time)
    return replace(found, values=torch.where(unknown, looked_at, found.values))
