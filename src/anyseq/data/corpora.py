"""What `data.train` names: one body of items, or several corpora with weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from anyseq.core import Item
from anyseq.data.permutation import Mixture
from anyseq.errors import DataError

_KEYS = ("path", "weight")


@dataclass(frozen=True)
class Corpus:
    """Items that are shown equally often.

    Attributes:
        data: What `read_items` takes.
        weight: How often an epoch shows each; 0.5: half of them, others in every epoch.
    """

    data: Any
    weight: float = 1.0


def corpora(data: Any) -> list[Corpus]:
    """The corpora that data hold: `[{path: A, weight: 2}, B]` is two (B of weight 1), anything else one.

    Raises:
        DataError: one of several has other keys, or a weight that is none; or files stand where texts belong.
    """
    if not isinstance(data, list | tuple) or not any(isinstance(each, Mapping) and "path" in each for each in data):
        _refuse_files_as_texts(data)
        return [Corpus(data)]
    found = []
    for number, each in enumerate(data):
        if isinstance(each, str | Path):
            found.append(Corpus(each))
            continue
        if not isinstance(each, Mapping) or "path" not in each or set(each) - set(_KEYS):
            given = ", ".join(map(str, each)) if isinstance(each, Mapping) else repr(each)
            raise DataError(
                f"corpus {number + 1} of {len(data)} is given as {given}; each is a path (a file, or source and "
                "target) and a weight, as in data.train='[{path: A.tsv, weight: 2}, {path: B.tsv}]'"
            )
        weight = each.get("weight", 1.0)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < float("inf"):
            raise DataError(f"corpus {number + 1} of {len(data)}: weight {weight!r} is no number above 0")
        found.append(Corpus(each["path"], float(weight)))
    return found


def _refuse_files_as_texts(data: Any) -> None:
    """An item in a list is its texts; whoever names files there means a corpus."""
    first = data[0] if isinstance(data, list | tuple) and data else None
    if isinstance(first, Mapping) and first and all(isinstance(each, str) and is_file(each) for each in first.values()):
        fields = ", ".join(f"{name}: {each}" for name, each in first.items())
        raise DataError(
            f"[{{{fields}}}] in a list would be one item with these texts, and they are files: leave out the brackets, "
            f"or, for one of several corpora, write {{path: {{{fields}}}, weight: 1}}"
        )


def is_file(text: str) -> bool:
    """Whether a text names a file that is there; texts may be too long for a name."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def read_corpora(
    data: Any, read: Callable[[Any], list[Item]]
) -> tuple[list[Item], Sequence[tuple[int, float]]]:
    """Read corpora one behind the other.

    Args:
        data: As `corpora` takes it.
        read: Reads one.

    Returns:
        The items, whose keys go on from corpus to corpus; and the first key and the weight of each corpus where there
        are several.
    """
    found = corpora(data)
    if len(found) == 1:
        return read(found[0].data), ()
    items: list[Item] = []
    begins = []
    for corpus in found:
        begins.append((len(items), corpus.weight))
        items += [replace(item, key=begins[-1][0] + item.key) for item in read(corpus.data)]
    return items, begins


def mixture(items: Sequence[Item], begins: Sequence[tuple[int, float]]) -> Mixture | None:
    """How often an epoch shows items, in the order of their keys, of which some may have been left out since.

    Args:
        items: Those that are left.
        begins: As `read_corpora` gives them.
    """
    if not begins:
        return None
    keys = np.array([item.key for item in items])
    bounds = [*np.searchsorted(keys, [first for first, _ in begins]).tolist(), len(items)]
    return weighted(np.diff(bounds).tolist(), [weight for _, weight in begins])


def weighted(counts: Sequence[int], weights: Sequence[float]) -> Mixture | None:
    """A mixture of corpora; None where each item is shown once anyhow."""
    return None if all(weight == 1 for weight in weights) else Mixture(tuple(counts), tuple(weights))


def files_of(data: Any, fields: Sequence[str]) -> list[str | dict[str, str]] | None:
    """The files of one corpus, those that belong together as a mapping; None where it holds anything else.

    Args:
        data: A file, a list of files, or one of these for each field.
        fields: Names of the fields.
    """
    if isinstance(data, str | Path):
        return [str(data)]
    if isinstance(data, list | tuple) and data and all(isinstance(each, str | Path) for each in data):
        return [str(each) for each in data] if all(Path(each).is_file() for each in data[:1]) else None
    if not isinstance(data, Mapping) or set(data) != set(fields):
        return None
    columns = {name: files_of(data[name], ()) for name in fields}
    if any(column is None for column in columns.values()) or len({len(c or ()) for c in columns.values()}) > 1:
        return None
    rows = zip(*(column or () for column in columns.values()), strict=True)
    return [{name: str(path) for name, path in zip(fields, row, strict=True)} for row in rows]
