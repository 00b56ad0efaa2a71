"""Memory and State: named trees of tensors whose axis 0 is the source, or the row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, Self, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@runtime_checkable
class Leaf(Protocol):
    """What a tree may hold besides tensors: something that reorders its own rows (a cache, another tree)."""

    def select(self, rows: Int[Tensor, " new"]) -> Any:
        """Return the same thing with the given rows, in the given order; a row may be repeated."""

    def where(self, rows: Bool[Tensor, " row"], old: Any) -> Any:
        """Return self's content where `rows` is True and that of `old` elsewhere."""

    def to(self, device: torch.device) -> Any:
        """Return the same thing on a device."""


class Tree:
    """A named tree with rows on axis 0 of every leaf.

    Fields are read as attributes and never assigned: `replace` makes a new tree. A field is a tensor, None, or a
    `Leaf` (another tree, a cache). It is no dict, so that no field name can clash with a dict's methods unseen.
    """

    __slots__ = ("_fields",)
    _fields: dict[str, Any]

    def __init__(self, **fields: Any) -> None:
        clash = [name for name in fields if hasattr(type(self), name)]
        if clash:
            raise ValueError(f"{clash[0]!r} cannot be a field of {type(self).__name__}: it is one of its methods")
        object.__setattr__(self, "_fields", fields)

    def __getattr__(self, name: str) -> Any:
        try:
            return object.__getattribute__(self, "_fields")[name]
        except KeyError:
            known = ", ".join(object.__getattribute__(self, "_fields")) or "none"
            raise AttributeError(f"{type(self).__name__} has no field {name!r}; its fields: {known}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is not changed in place: use replace({name}=...)")

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(self._fields.items())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={_brief(v)}' for k, v in self)})"

    def get(self, name: str, default: Any = None) -> Any:
        """Return the field, or `default` where there is none."""
        return self._fields.get(name, default)

    def replace(self, **fields: Any) -> Self:
        """Return a tree with these fields added or exchanged; the other leaves are shared."""
        return type(self)(**{**self._fields, **fields})

    def select(self, rows: Int[Tensor, " new"]) -> Self:
        """Return the tree with the given rows, in the given order; a row may be repeated."""
        return type(self)(**{name: _select(leaf, rows) for name, leaf in self})

    def where(self, rows: Bool[Tensor, " row"], old: Self) -> Self:
        """Return this tree where `rows` is True and `old` elsewhere. Both have the same fields and rows."""
        return type(self)(**{name: _where(rows, leaf, old._fields[name]) for name, leaf in self})

    def to(self, device: torch.device) -> Self:
        """Return the tree on a device."""
        return type(self)(**{name: leaf if leaf is None else leaf.to(device) for name, leaf in self})


class Memory(Tree):
    """What the fold leaves: the source on axis 0 of every field.

    Fields by convention: `item` Int[source] always (the line's key: it counts sources and keys sampling);
    `vectors` Float[source, time, dim] with `valid` Bool[source, time]; `summary` Float[source, dim]; `states` (of a
    recurrent encoder: each layer's last state, by name, directions side by side); `carry` (what a causal encoder needs
    to go on). Others are free: what a Decoder's `prepare` adds, the batch's further fields.
    """

    __slots__ = ()

    def __init__(self, **fields: Any) -> None:
        if "item" not in fields:
            raise ValueError("a Memory needs the field 'item' (Int[source], the key of each source)")
        super().__init__(**fields)

    @property
    def rows(self) -> int:
        """The number of sources."""
        return int(self._fields["item"].shape[0])


class State(Tree):
    """What one hypothesis carries from step to step: the row on axis 0 of every field.

    `steps` Int[row] is always there: inputs consumed. A row with steps 0 gets the start vector, whatever `previous`
    says; positions come from it.
    """

    __slots__ = ()

    def __init__(self, **fields: Any) -> None:
        if "steps" not in fields:
            raise ValueError("a State needs the field 'steps' (Int[row], inputs consumed)")
        super().__init__(**fields)

    @property
    def rows(self) -> int:
        """The number of rows: sources times width."""
        return int(self._fields["steps"].shape[0])


def width(memory: Memory, rows: int) -> int:
    """Rows per source: row r belongs to source r // width.

    Raises:
        ValueError: the rows are no multiple of the sources.
    """
    if memory.rows == 0 or rows % memory.rows:
        raise ValueError(f"{rows} rows cannot be shared evenly among {memory.rows} sources")
    return rows // memory.rows


def _select(leaf: Any, rows: Tensor) -> Any:
    if leaf is None:
        return None
    return leaf.index_select(0, rows) if isinstance(leaf, Tensor) else leaf.select(rows)


def _where(rows: Tensor, new: Any, old: Any) -> Any:
    if new is None:
        return None
    if isinstance(new, Tensor):
        return torch.where(rows.view(-1, *(1,) * (new.dim() - 1)), new, old)
    return new.where(rows, old)


def _brief(leaf: Any) -> str:
    return f"{leaf.dtype}{list(leaf.shape)}".replace("torch.", "") if isinstance(leaf, Tensor) else repr(leaf)
