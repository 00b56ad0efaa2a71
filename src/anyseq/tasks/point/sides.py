"""A problem of points seen from several sides: turned and mirrored its answer is the same, what a model says is not."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from anyseq.core import Hypotheses, Padded
from anyseq.data.codecs.measured import Measured


def from_sides(points: Padded, measured: Measured, sides: int) -> Padded:
    """Each source `sides` times, one behind the other: as it is, then mirrored and with its axes exchanged.

    Args:
        points: Scaled, Float[source, point, 2]; mirrored at the mean of train, which is 0.
        measured: What they were scaled by; axes are exchanged in units of the points.
        sides: 1, 2, 4 or 8.

    Source:
        Kwon et al. 2020, arXiv:2010.16011, table 1.
    """
    plain = points.values
    ratio = (measured.deviation / measured.deviation.flip(0)).to(plain)
    # On either side of the exchange the same units: what was x is y now, and is scaled as y is.
    seen = [base * plain.new_tensor(signs) for base in (plain, plain.flip(-1) / ratio)
            for signs in product((1.0, -1.0), repeat=2)]  # fmt: skip
    values = torch.stack(seen[:sides], 1).flatten(0, 1)
    return Padded(values, points.valid.repeat_interleave(sides, 0))


def together(found: Hypotheses, sides: int) -> Hypotheses:
    """The hypotheses of a source's sides as those of the source, real ones first."""

    def joined(table: Tensor) -> Tensor:
        return table.reshape(-1, sides * table.shape[1], *table.shape[2:])

    places = torch.arange(found.score.shape[1], device=found.score.device)
    absent = joined((places >= found.count[:, None]).to(torch.int64))
    order = absent.argsort(dim=1, stable=True)
    values = joined(found.values)
    wide = order.view(*order.shape, *(1,) * (values.dim() - 2)).expand_as(values)
    return Hypotheses(
        values=values.gather(1, wide),
        lengths=joined(found.lengths).gather(1, order),
        log_prob=joined(found.log_prob).gather(1, order),
        score=joined(found.score).gather(1, order),
        stopped=joined(found.stopped).gather(1, order),
        count=found.count.view(-1, sides).sum(1),
    )
