"""Look inside a trained model: what it attends to, remembers, weighs up and gets wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from anyseq.api.use import Predictor, load
from anyseq.catalogue import kind_of
from anyseq.core import Item
from anyseq.data.annotations import Links, links
from anyseq.errors import UsageError
from anyseq.inspection.result import VIEWS, Inspection
from anyseq.tasks.inspecting import Inspector
from anyseq.tasks.inspecting import inspect as look
from anyseq.tasks.known import Properties

SHOWN = 12
"""Items shown place by place, unless told otherwise."""


def inspect(
    model: str | Path | Predictor,
    inputs: str | Iterable[Any],
    targets: str | Iterable[str | Sequence[str]] | None = None,
    *,
    views: str | Collection[str] = VIEWS,
    items: int = SHOWN,
    properties: Mapping[str, Sequence[str | Sequence[Any]]] | None = None,
    alignments: Sequence[str | Links] | None = None,
    trust: Collection[str] = (),
    **search: Any,
) -> Inspection:
    """Look at a model while it works on some inputs. Inspecting changes no output.

    Args:
        model: A model folder, or what `anyseq.load` gave.
        inputs: Sources as `predict` takes them; for a model without a source, texts to read.
        targets: The right answer to each, or several; with them errors are looked at, too. One text for one input.
        views: What to look at, one or several: attention, gates, gradients, search, errors, about.
        items: How many inputs, from the first on, are shown place by place.
        properties: By name, of each input a label for each of its words, or of its symbols as the model reads them (a
            text with spaces between, or a list): cells that follow them are searched for. Two labels, more, or numbers;
            `-` where there is none.
        alignments: Of each input which word of its target comes from which, `0-0 2-1` (source first, from 0) or pairs:
            attention is compared with them.
        trust: Modules that parts from outside anyseq may come from.
        search: Search settings by name: `beam_size=1`.

    Returns:
        Arrays and words, view by view; None where a view does not apply to the model.

    Raises:
        UsageError: there is no such view, nothing to look at, or not a target (labels, alignment) for each input.
        DataError: there are not as many labels as symbols or words, or a link leads to where nothing stands.
    """
    predictor = model if isinstance(model, Predictor) else load(model, trust=trust)
    found = predictor.task.sources([inputs] if isinstance(inputs, str) else inputs)
    references = None
    if targets is not None:
        given = [targets] if isinstance(targets, str) else targets
        references = [[each] if isinstance(each, str) else list(each) for each in given]
        if len(references) != len(found) or not all(references):
            raise UsageError(f"{len(found)} inputs and {len(references)} targets: give one target, or more, for each")
        found = [
            replace(item, raw={**item.raw, "target": right[0]}) for item, right in zip(found, references, strict=True)
        ]
    name = "model" if isinstance(model, Predictor) else str(model)
    labels = {
        key: [line.split() if isinstance(line, str) else list(map(str, line)) for line in lines]
        for key, lines in (properties or {}).items()
    }
    known = None if alignments is None else [links(each) if isinstance(each, str) else each for each in alignments]
    chosen = [views] if isinstance(views, str) else views
    return inspect_items(
        predictor, found, references, views=chosen, items=items, name=name, properties=labels, alignments=known,
        **search,
    )  # fmt: skip


def inspect_items(
    predictor: Predictor,
    found: Sequence[Item],
    references: Sequence[Sequence[str]] | None,
    *,
    views: Collection[str],
    items: int,
    name: str,
    properties: Properties | None = None,
    alignments: Sequence[Links] | None = None,
    **search: Any,
) -> Inspection:
    """The same for items as a task reads them.

    Args:
        predictor: The model.
        found: The items.
        references: The right answers of each; None: nobody knows.
        views, items, search: As `inspect` has them.
        properties, alignments: The same, label by label and link by link.
        name: What the model is called.

    Raises:
        UsageError: there is no such view, or nothing to look at.
    """
    unknown = [view for view in views if view not in VIEWS]
    if unknown:
        raise UsageError(f"there is no view {unknown[0]!r}: choose among {', '.join(VIEWS)}")
    if not views:
        raise UsageError(f"there is nothing to look at: choose among {', '.join(VIEWS)}")
    if items < 1:
        raise UsageError(f"{items} items would be shown: give 1 or more")
    task = predictor.task
    with predictor.autocast():
        settings = predictor.settings(**search)
        inspector = Inspector(task, found, references, settings, items, properties, alignments)
        return look(inspector, [view for view in VIEWS if view in views], name, kind_of(type(task.config)))
