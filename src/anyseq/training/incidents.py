"""`incidents.jsonl`: what went wrong in training, with which lines of the data, and what was done about it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from anyseq.core import Item
from anyseq.training.distributed import journal_in
from anyseq.training.progress import Listener

FILE = "incidents.jsonl"
_TOLD = 3
_NAMED = 12

Kind = Literal["not_finite", "too_large", "went_back", "validation"]
"""Loss or gradient of an update; a batch larger than memory; a return to a checkpoint; what dev gave."""


def places(items: Iterable[Item], most: int = _NAMED) -> str:
    """Where a person finds some items, each file once: `train.tsv:3,7,9, more.tsv:1`; not more than `most` of them."""
    items = list(items)
    found: dict[str | None, list[str]] = {}
    for item in items[:most]:
        found.setdefault(item.file, []).append(str(item.key if item.file is None else item.line or ""))
    shown = [
        f"item{'s' if len(lines) > 1 else ''} {','.join(lines)}"
        if file is None
        else f"{file}:{','.join(lines)}".rstrip(":,")
        for file, lines in found.items()
    ]
    return ", ".join(shown) + (f" and {len(items) - most} more" if len(items) > most else "")


class Incidents:
    """Appends incidents to a file, and tells of the first ones.

    A run that was killed and goes on may meet the same incident again, which then stands there twice.

    Args:
        file: Made when the first is written; of several ranks by the first one.
        listener: Is told of the first of each kind.
    """

    def __init__(self, file: Path, listener: Listener) -> None:
        self.journal, self.listener = journal_in(file), listener
        self.told: dict[str, int] = {}

    def write(
        self,
        kind: Kind,
        step: int,
        done: str,
        items: Sequence[Item] = (),
        note: str | None = None,
        **figures: float | int,
    ) -> None:
        """Append one.

        Args:
            kind: What happened.
            step: Number of the update, from 1.
            done: What was done about it, in a few words.
            items: Those of the batch; all of them are named.
            note: What to tell a person; None: nothing.
            figures: What was found; what is not finite is written as a text, for JSON has no such number.
        """
        found = {name: value if math.isfinite(value) else str(value) for name, value in figures.items()}
        self.journal.write(kind=kind, step=step, **found, items=[item.place for item in items], done=done)
        told = self.told[kind] = self.told.get(kind, 0) + (note is not None)
        if note is not None and told <= _TOLD:
            more = f" (further ones: {self.journal.file})" if told == _TOLD else ""
            self.listener.noted(f"{note}{more}", "warning")
