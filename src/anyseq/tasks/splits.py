"""The data of a run, and a source as a model reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from anyseq.core import Item
from anyseq.data.batching import Packed


@dataclass(frozen=True)
class Splits:
    """The data of a run.

    Attributes:
        train: What is learnt from.
        dev: What decides which checkpoint is best, and when to stop.
        notes: What a person should know about how they came to be (lines left out, a dev part held out of train).
        left_out: Place and reason of every training item that is not used.
        held_out: Whether dev was held out of train: the keys of both count in one input.
        encoded: The fields of train as `Task.encode` gives them; none: not encoded yet.
    """

    train: Sequence[Item]
    dev: Sequence[Item]
    notes: Sequence[str] = field(default=())
    left_out: Sequence[tuple[str, str]] = field(default=())
    held_out: bool = False
    encoded: Mapping[str, Packed] = field(default_factory=dict)


@dataclass(frozen=True)
class EncodedSource:
    """A source as the model reads it.

    Attributes:
        values: At least one element, at most the limit.
        empty: There is nothing to be transformed: the output is empty too, and the model is not asked.
        cut: It was longer than the limit.
        others: What else the model reads of it, by the name of the batch's field.
    """

    values: Tensor
    empty: bool
    cut: bool
    others: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Tensor]:
        """All that the model reads, by the name of the batch's field."""
        return {"source": self.values, **self.others}
