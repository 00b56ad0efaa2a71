"""How long round trips are, where the model has them: as tensors, so that thousands are judged at an update."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from anyseq.core import Padded
from anyseq.data.codecs.measured import Measured


def trip_lengths(points: Padded, measured: Measured, trips: Padded) -> Float[Tensor, " trip"] | None:
    """The length of each round trip, in units of the points; None: some trip leaves out a city, or has one twice.

    Args:
        points: Of each source, scaled, Float[source, point, column].
        measured: What they were scaled by.
        trips: Numbers of cities from 1 on and 0 behind the last, Int[trip, time]; as many of each source, side by side.
    """
    each = trips.rows // points.rows
    cities = points.lengths.repeat_interleave(each)
    most = points.values.shape[1]
    if trips.values.shape[1] < most:
        return None
    order = trips.values[:, :most]
    inside = torch.arange(most, device=order.device) < cities[:, None]
    wanted = torch.arange(1, most + 1, device=order.device).where(inside, 0)
    if not torch.equal(((trips.values > 0) & trips.valid).sum(1), cities):
        return None
    if not torch.equal(order.where(inside, most + 1).sort(1).values, wanted.where(inside, most + 1)):
        return None
    deviation = measured.deviation.to(points.values)
    own = (points.values * deviation).repeat_interleave(each, 0)
    walked = own.gather(1, (order - 1).clamp(min=0)[..., None].expand_as(own))
    last = torch.arange(most, device=order.device) == cities[:, None] - 1
    after = walked.roll(-1, 1).where(~last[..., None], walked[:, :1])
    return ((walked - after).norm(dim=2) * inside).sum(1)
