"""What is known of items besides their right answers: properties of their symbols, and what belongs together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from anyseq.core import Item, Symbols, Units, Vectors
from anyseq.data.annotations import Links
from anyseq.data.codecs.text import words_of
from anyseq.data.files import SIDES
from anyseq.data.synthetic.base import GeneratorConfig
from anyseq.errors import DataError, UsageError
from anyseq.inspection.alignments import Linked
from anyseq.inspection.labelled import UNTOLD, Told, numbers, spread
from anyseq.tasks.base import Task

if TYPE_CHECKING:
    from anyseq.tasks.inspecting import Said

Properties = Mapping[str, Sequence[Sequence[str]]]
"""By name, of each input its labels: one a symbol or one a word."""


def generator_of(task: Task) -> GeneratorConfig | None:
    """What made the data that a task's model has learnt from; None: they were given."""
    data: Any = dict(task.config).get("data")
    return None if data is None or data.train is not None else getattr(data, "generator", None)


def told_of(task: Task, several: Sequence[Said], given: Properties, count: int) -> list[Told]:
    """What is told of each symbol that is read: by the user, and by the generator of the data.

    Args:
        task: With codecs.
        several: Items that are looked at.
        given: The user's.
        count: How many inputs there are.

    Raises:
        UsageError: a property has not as many lines as the input.
        DataError: a line has not as many labels as its input has symbols, or words.
    """
    for name, lines in given.items():
        if len(lines) != count:
            message = f"the property {name!r} has {len(lines):,} lines, and there are {count:,} inputs"
            raise UsageError(f"{message}: give a line for each")
    generator, rows = generator_of(task), []
    for one in several:
        text = one.item.raw.get("source", one.item.raw.get("target"))
        made = {} if generator is None or not isinstance(text, str) else generator.properties(text)
        symbols, groups = _read(task, one) if made or given else (0, [])
        own = {name: found for name, labels in made.items() if (found := spread(labels, symbols, groups)) is not None}
        for name, lines in given.items():
            labels = lines[one.number - 1]
            if (found := spread(labels, symbols, groups)) is None:
                raise DataError(_misfit(name, one.number, labels, symbols, groups))
            own[name] = found
        rows.append((symbols, own))
    names = dict.fromkeys(name for _, own in rows for name in own)
    return numbers({name: [own.get(name, [UNTOLD] * symbols) for symbols, own in rows] for name in names}, marks=given)


def _misfit(name: str, number: int, labels: Sequence[str], symbols: int, groups: Sequence[Units]) -> str:
    units = sorted({len(each.shown) for each in groups} - {symbols})
    words = "".join(f", or {each} words" for each in units)
    return (
        f"line {number} of the property {name!r} has {len(labels)} labels, and its input {symbols} symbols as the "
        f"model reads it{words}: give a label for each, with spaces between, {UNTOLD} where there is none"
    )


def _read(task: Task, one: Said) -> tuple[int, list[Units]]:
    """How many symbols of an item are read, the end not counted, and how they make units and words."""
    values = one.fields.get("source")
    codec = task.codecs["target"] if values is None else task.codecs.get("source", task.codecs["target"])
    if values is None:
        values = task.encode(one.item)["target"]
    count = len(values)
    if isinstance(codec.stream, Vectors):
        return count, []
    if isinstance(codec.stream, Symbols) and values.dim() == 1 and count and int(values[-1]) == codec.stream.end:
        count -= 1
    units = codec.units(values)
    shown = getattr(codec, "shown", ())
    if not shown or values.dim() != 1:
        return count, [units]
    whole = len(units.shown) == count and any(len(shown[symbol]) > 1 for symbol in values[:count].tolist())
    return count, [units] if whole else [units, _words(shown, values[:count])]


def _words(shown: Sequence[str], values: Tensor) -> Units:
    """What stands between spaces, of characters."""
    return words_of([shown[symbol] for symbol in values.tolist()], len(values))


def linked_of(task: Task, several: Sequence[Said], given: Sequence[Links] | None, count: int) -> list[Linked | None]:
    """What is known to belong together of each item: of the user's alignments, or as the generator of the data knows.

    Args:
        task: With codecs of source and target.
        several: Items with what the links of each are to: its right answer, where that is known.
        given: The user's, one for each input.
        count: How many inputs there are.

    Raises:
        UsageError: there are not as many alignments as inputs.
        DataError: a link leads to where nothing stands.
    """
    generator = generator_of(task)
    if given is not None and len(given) != count:
        raise UsageError(f"there are {len(given):,} lines of alignments and {count:,} inputs: give one for each")
    streams = [task.codecs[side].stream for side in SIDES if side in task.codecs]
    symbols = len(streams) == len(SIDES) and not any(isinstance(each, Vectors) for each in streams)
    found: list[Linked | None] = []
    for one in several:
        source = one.fields.get("source")
        if source is None or not symbols or (given is None and generator is None):
            found.append(None)
            continue
        sides = task.codecs["source"].units(source), task.units(one.values, one.item)
        if given is not None:
            found.append(_checked(Linked(*sides, given[one.number - 1], whole=True), one.number))
        else:
            links = None if generator is None else generator.alignment(sides[0].shown, sides[1].shown)
            found.append(None if links is None else Linked(*sides, links))
    return found


def _checked(linked: Linked, number: int) -> Linked:
    for link in linked.links:
        for side, units, place in zip(("input", "answer"), (linked.source, linked.output), link, strict=True):
            if place >= len(units.shown):
                raise DataError(
                    f"line {number} of the alignments has the link {link[0]}-{link[1]}, and its {side} has "
                    f"{len(units.shown)} words (characters, where the model has these), counted from 0"
                )
    return linked


def readable(task: Task, item: Item) -> Tensor | None:
    """The right answer of an item as symbols; None where it is not known, or there are none."""
    if "target" not in item.raw or "source" not in item.raw:
        return None
    values = task.encode(item)["target"]
    return values if values.dtype == torch.int64 and values.dim() == 1 else None
