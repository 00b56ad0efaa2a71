"""Padded values, and the batch that binds them to the items they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from anyseq.core.items import Item


@dataclass(frozen=True)
class Padded:
    """Sequences of unequal length in one tensor.

    Attributes:
        values: One sequence a row, padded on the right with zeros.
        valid: True where a value is real.
    """

    values: Shaped[Tensor, "row time *value"]
    valid: Bool[Tensor, "row time"]

    @classmethod
    def stack(cls, sequences: Sequence[Shaped[Tensor, "_ *value"]]) -> Padded:
        """Put sequences of unequal length (at least one sequence; a length may be 0) below each other."""
        values = torch.nn.utils.rnn.pad_sequence(list(sequences), batch_first=True)
        lengths = torch.tensor([len(sequence) for sequence in sequences], device=values.device)
        return cls(values, torch.arange(values.shape[1], device=values.device) < lengths[:, None])

    @property
    def lengths(self) -> Int[Tensor, " row"]:
        """Real values in each row."""
        return self.valid.sum(1)

    @property
    def rows(self) -> int:
        """The number of sequences."""
        return self.values.shape[0]

    def select(self, rows: Int[Tensor, " new"]) -> Padded:
        """Return the given rows, in the given order."""
        return Padded(self.values.index_select(0, rows), self.valid.index_select(0, rows))

    def trimmed(self) -> Padded:
        """Return the same without places at the end at which no row has a value."""
        longest = int(self.lengths.amax())
        return Padded(self.values[:, :longest], self.valid[:, :longest])

    def to(self, device: torch.device) -> Padded:
        """Return the same on a device."""
        return Padded(self.values.to(device), self.valid.to(device))


@dataclass(frozen=True)
class Batch:
    """Named fields of the same rows, and the items they encode.

    Attributes:
        fields: Padded sequences, or plain tensors with the row on axis 0, by name (`source`, `target`, ...).
        items: The lines they came from, in row order.
    """

    fields: Mapping[str, Padded | Tensor]
    items: Sequence[Item]

    @classmethod
    def of(cls, fields: Sequence[Mapping[str, Tensor]], items: Sequence[Item]) -> Batch:
        """Put encoded items (at least one) below each other."""
        return cls({name: Padded.stack([each[name] for each in fields]) for name in fields[0]}, items)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["fields"][name]
        except KeyError:
            raise AttributeError(f"the batch has no field {name!r}") from None

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    @property
    def rows(self) -> int:
        """The number of items."""
        return len(self.items)

    @property
    def keys(self) -> Int[Tensor, " row"]:
        """The items' keys."""
        return torch.tensor([item.key for item in self.items], dtype=torch.int64)

    def select(self, rows: Int[Tensor, " new"]) -> Batch:
        """Return the given rows (at least one), in the given order, as if the batch were made of them alone."""
        fields = {
            name: field.select(rows).trimmed() if isinstance(field, Padded) else field.index_select(0, rows)
            for name, field in self.fields.items()
        }
        return Batch(fields, [self.items[row] for row in rows.tolist()])

    def to(self, device: torch.device) -> Batch:
        """Return the same on a device."""
        return Batch({name: field.to(device) for name, field in self.fields.items()}, self.items)
