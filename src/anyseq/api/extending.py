"""A vocabulary that grows: what new data hold and a model has no symbol for, behind the symbols it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor

from anyseq.core import Codec, Factored, Grouped, Item, Pointers, Spelt, Stream, Symbols
from anyseq.errors import UsageError
from anyseq.tasks.base import Task

_NAMED = 8


@dataclass(frozen=True)
class Growth:
    """How the vocabulary of one codec grew.

    Attributes:
        added: What has a symbol now, as it is shown.
        sizes: Of each table of its stream: how many rows it had, and has.
    """

    added: Sequence[str]
    sizes: Sequence[tuple[int, int]]


def grow_codecs(task: Task, items: Sequence[Item], folder: Path) -> dict[str, Growth]:
    """Add to a task's codecs, which another model's folder gave, what training items have besides.

    Returns:
        By side how it grew; both sides of one codec for both are there.

    Raises:
        UsageError: a codec cannot grow.
        DataError: there is nothing to learn from.
    """
    old = dict(task.codecs)
    task.fit_codecs(items)
    codecs: dict[str, Codec] = {}
    growth: dict[str, Growth] = {}
    for side, codec in old.items():
        found = codec.grown(task.codecs[side])
        if found is None:
            raise UsageError(
                f"--extend-vocab: the {side}'s codec of {folder} ({type(codec).__name__.lower()}) cannot grow: its "
                "symbols were settled together when it was learnt. Leave out --extend-vocab (what it lacks is unknown, "
                "or spelt in smaller pieces), or train anew without --from"
            )
        codecs[side], added = found
        sizes = zip(_tables(codec.stream), _tables(codecs[side].stream), strict=True)
        growth[side] = Growth(added, list(sizes))
    task.codecs = codecs
    with TemporaryDirectory() as draft:  # what a task makes of its codecs besides, it makes when it reads them
        task.save_codecs(Path(draft))
        task.load_codecs(Path(draft))
    return growth


def notes_on(growth: Mapping[str, Growth]) -> list[str]:
    """What was added, for a person."""
    notes: dict[str, list[str]] = {}
    for side, each in growth.items():
        shown = ", ".join(repr(part) for part in each.added[:_NAMED])
        more = f" and {len(each.added) - _NAMED} more" if len(each.added) > _NAMED else ""
        grew = f"grew by {len(each.added)}: {shown}{more}; their weights are fresh, those of the old symbols are kept"
        notes.setdefault(grew if each.added else "knows all that train holds: it stays as it is", []).append(side)
    return [f"the vocabulary of {' and '.join(sides)} {grew}" for grew, sides in notes.items()]


def with_fresh_rows(
    weights: Mapping[str, Tensor], fresh: Mapping[str, Tensor], growth: Mapping[str, Growth]
) -> dict[str, Tensor]:
    """Weights for the grown vocabulary: the old rows bit for bit, behind them those of a fresh model.

    What differs in another way is left as it is, to be refused by who takes it over.
    """
    grew = {sizes for each in growth.values() for sizes in each.sizes}
    widened = dict(weights)
    for name, old in weights.items():
        new = fresh.get(name)
        if new is None or new.shape == old.shape or new.dim() != old.dim():
            continue
        pairs = zip(old.shape, new.shape, strict=True)
        if all(one == other or (one, other) in grew for one, other in pairs):
            widened[name] = new.detach().clone().to(old)
            widened[name][tuple(slice(size) for size in old.shape)] = old
    return widened


def _tables(stream: Stream) -> list[int]:
    """Rows of each table that a model has for a stream."""
    if isinstance(stream, Symbols | Grouped):
        return [stream.vocab_size]
    if isinstance(stream, Spelt):
        return [stream.vocab_size, stream.alphabet_size]
    if isinstance(stream, Factored):
        return [size for each in stream.streams for size in _tables(each)]
    return [] if isinstance(stream, Pointers) else [stream.dim]
