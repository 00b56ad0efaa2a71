"""Look inside a trained model: what it attends to, remembers, weighs up and gets wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from anyseq.api.use import Predictor, load
from anyseq.catalogue import kind_of
from anyseq.core import Item
from anyseq.errors import UsageError
from anyseq.inspection.result import VIEWS, Inspection
from anyseq.tasks.inspecting import Inspector
from anyseq.tasks.inspecting import inspect as look

SHOWN = 12
"""Items shown place by place, unless told otherwise."""


def inspect(
    model: str | Path | Predictor,
    inputs: str | Iterable[Any],
    targets: Iterable[str | Sequence[str]] | None = None,
    *,
    views: Collection[str] = VIEWS,
    items: int = SHOWN,
    trust: Collection[str] = (),
    **search: Any,
) -> Inspection:
    """Look at a model while it works on some inputs. Inspecting changes no output.

    Args:
        model: A model folder, or what `anyseq.load` gave.
        inputs: Sources as `predict` takes them; for a model without a source, texts to read.
        targets: The right answer to each, or several; with them errors are looked at, too.
        views: What to look at: attention, gates, gradients, search, errors, about.
        items: How many inputs, from the first on, are shown place by place.
        trust: Modules that parts from outside anyseq may come from.
        search: Search settings by name: `beam_size=1`.

    Returns:
        Arrays and words, view by view; None where a view does not apply to the model.

    Raises:
        UsageError: there is no such view, nothing to look at, or not a target for each input.
    """
    predictor = model if isinstance(model, Predictor) else load(model, trust=trust)
    found = predictor.task.sources([inputs] if isinstance(inputs, str) else inputs)
    references = None
    if targets is not None:
        references = [[each] if isinstance(each, str) else list(each) for each in targets]
        if len(references) != len(found) or not all(references):
            raise UsageError(f"{len(found)} inputs and {len(references)} targets: give one target, or more, for each")
        found = [
            replace(item, raw={**item.raw, "target": right[0]}) for item, right in zip(found, references, strict=True)
        ]
    name = "model" if isinstance(model, Predictor) else str(model)
    return inspect_items(predictor, found, references, views=views, items=items, name=name, **search)


def inspect_items(
    predictor: Predictor,
    found: Sequence[Item],
    references: Sequence[Sequence[str]] | None,
    *,
    views: Collection[str],
    items: int,
    name: str,
    **search: Any,
) -> Inspection:
    """The same for items as a task reads them.

    Args:
        predictor: The model.
        found: The items.
        references: The right answers of each; None: nobody knows.
        views, items, search: As `inspect` has them.
        name: What the model is called.

    Raises:
        UsageError: there is no such view, or nothing to look at.
    """
    unknown = [view for view in views if view not in VIEWS]
    if unknown:
        raise UsageError(f"there is no view {unknown[0]!r}: choose among {', '.join(VIEWS)}")
    if items < 1:
        raise UsageError(f"{items} items would be shown: give 1 or more")
    task = predictor.task
    with predictor.autocast():
        inspector = Inspector(task, found, references, predictor.settings(**search), items)
        return look(inspector, [view for view in VIEWS if view in views], name, kind_of(type(task.config)))
