"""What whoever has learnt next to nothing would answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Trivial:
    """The trivial answer.

    Attributes:
        name: What it is (`the most frequent label`).
        outputs: To each item, to be judged by the task's metrics; or
        metrics: How good it is, where the answer is no text.
    """

    name: str
    outputs: Sequence[str] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
