"""Tasks whose models work together."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from anyseq.core import Batch, Codec, Symbols
from anyseq.errors import UsageError
from anyseq.models.ensemble import Ensemble
from anyseq.tasks.base import Task


def ensemble(tasks: Sequence[Task], names: Sequence[str]) -> Task:
    """Make one task of several: the first, with the ensemble of all their models in place of its own.

    Codecs, search settings and metrics are the first's. A task whose source codec is another reads the same items
    through that; `batch_tokens` counts the first's elements.

    Args:
        tasks: At least one, with codecs and weights.
        names: What to call each in an error.

    Raises:
        UsageError: their target codecs do not have the same symbols, or copying makes them differ; the text says which
            two, and what differs.
    """
    first, *others = tasks
    if any(task.hears for task in tasks):
        raise UsageError("models that listen do so one by one: give one model")
    if len(tasks) > 1 and any(task.tables for task in tasks):
        raise UsageError("models of series are no ensemble: give one model, or combine the rows that each writes")
    for task, name in zip(others, names[1:], strict=True):
        if difference := _difference(first.codecs["target"], task.codecs["target"]):
            raise UsageError(
                f"{names[0]} and {name} cannot be one ensemble, for their targets have other symbols: {difference[0]} "
                f"in the first, {difference[1]} in the second; train them with one target codec (--from takes over a "
                "model's), or choose with one among the outputs of the other (--rerank-with)"
            )
        if not _copy_alike(first, task):
            raise UsageError(
                f"{names[0]} and {name} cannot be one ensemble: a model that copies writes symbols of the source's "
                "own, which others know only where they copy too, with the same codecs and data.max_length; choose "
                "with one among the outputs of the other (--rerank-with)"
            )
    readers = [None if _reads_alike(first, task) else _reader(task) for task in tasks]
    first.model = Ensemble([task.model for task in tasks], readers)
    return first


def _reads_alike(one: Task, other: Task) -> bool:
    """Whether both make the same of a source; where there is none, of the prompt, which is said in the target's."""
    return "source" not in one.codecs or _content(one.codecs["source"]) == _content(other.codecs["source"])


def _reader(task: Task) -> Callable[[Batch], Batch]:
    """Encodes a batch's items as this task does."""

    def read(batch: Batch) -> Batch:
        return task.batch(batch.items, [task.encode_source(item).fields for item in batch.items])

    return read


def _copy_alike(one: Task, other: Task) -> bool:
    """Whether the same symbol of a source's own is the same to both, if there are any."""
    if one.copied_length is None and other.copied_length is None:
        return True
    return one.copied_length == other.copied_length and all(
        _content(codec) == _content(other.codecs[name]) for name, codec in one.codecs.items()
    )


def _content(codec: Codec) -> dict[str, bytes]:
    """All that a codec saves of itself, its kind included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        codec.save(folder)
        files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return {type(codec).__qualname__: b"", **files}


def _difference(one: Codec, other: Codec) -> tuple[str, str] | None:
    """What is not the same in the symbols of two codecs; None where all is."""
    if type(one) is not type(other):
        return type(one).__name__, type(other).__name__
    if one.stream != other.stream:
        return _size(one), _size(other)
    if _content(one) == _content(other) or not isinstance(one.stream, Symbols):
        return None
    # Another file may hold the same symbols (other settings of sampling, a model that was trained elsewhere): compare
    # what each shows between two others, for at the edge of a text a space may be hidden.
    last = one.stream.vocab_size - 1
    for symbol in (last, *range(1, last)):
        for around in ([symbol], [last, symbol, last]):
            here, there = (codec.decode(torch.tensor(around)) for codec in (one, other))
            if here != there:
                return f"{here!r} for {around}", f"{there!r}"
    return None


def _size(codec: Codec) -> str:
    return f"{codec.stream.vocab_size} symbols" if isinstance(codec.stream, Symbols) else str(codec.stream)
