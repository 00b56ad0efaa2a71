"""Models whose sources are tables: a file in, rows of a table out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from anyseq.cli.plotting import Plot
from anyseq.errors import UsageError

if TYPE_CHECKING:
    from anyseq.api import Predictor


def predict_tables(
    predictor: Predictor,
    source: str,
    write: Callable[[str], object],
    form: str,
    picture: Plot,
    search: Mapping[str, Any],
) -> None:
    """Write what the model makes of a file: a CSV, or an object for each of its rows.

    Where there are several outputs for a source (samples), a first column says which.
    """
    task = predictor.task
    items = task.sources(source)
    found = list(picture.seen(items, predictor.predict_items(items, len(items), **search)))
    several = predictor.several(predictor.settings(**search))
    header = (["sample"] if several else []) + list(task.tables)
    if form == "text":
        write(_line(header))
    for prediction in found:
        outputs = [each.output for each in prediction.n_best] if several else [prediction.output]
        for number, output in enumerate(outputs, 1):
            for row in csv.reader(io.StringIO(output)):
                cells = [str(number), *row] if several else row
                if form == "text":
                    write(_line(cells))
                else:
                    write(json.dumps(_object(header, cells), ensure_ascii=False) + "\n")
    picture.draw(task)


def refuse_for_tables(given: Mapping[str, object]) -> None:
    """Refuse options that are for lines of text.

    Raises:
        UsageError: one is given.
    """
    if names := [name for name, value in given.items() if value]:
        raise UsageError(f"{' and '.join(names)}: for lines of text; this model reads a table: leave it out")


def _line(cells: list[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(cells)
    return stream.getvalue()


def _object(header: list[str], cells: list[str]) -> dict[str, Any]:
    """Numbers as numbers, nothing as null; dates and names stay texts."""
    texts = ("date", "first", "last", "worst", "variable")
    return {name: cell if name in texts else _number(cell) for name, cell in zip(header, cells, strict=True)}


def _number(cell: str) -> float | int | None:
    if not cell:
        return None
    return int(cell) if cell.isdecimal() else float(cell)
