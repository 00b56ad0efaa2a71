"""The report: one HTML file that needs nothing else, the numbers as JSON, and pictures of the first few items."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from anyseq.inspection.attention import AttentionMap
from anyseq.inspection.pictures import earlier, pictures
from anyseq.inspection.result import Inspection, plain

EXPLAINED: Mapping[str, str] = {
    "attention": "Each row is something the model wrote (or read), and the stronger a cell, the more it looked at what "
    "stands above it while it did so.",
    "gates": "A gate near 1 lets through and near 0 holds back, so the lines show when the model takes in, keeps and "
    "gives out what it remembers; below, one cell's value colours the text, red above zero and blue below.",
    "gradients": "The stronger a cell, the more the score of what was said would change if what was read there were a "
    "little different: how far back the model really looks.",
    "search": "At every step the beam keeps its likeliest beginnings and drops the rest; the green branch is what "
    "it says in the end, pale ones were pruned, and the table says what else the model thought of.",
    "errors": "Where the model fails: its worst and best answers, whether long inputs are harder, what it takes for "
    "what, and whether it is right as often as it says it is.",
    "about": "What the inputs look like to the model, and where its parameters and its work are.",
}
"""Each view in a sentence."""
SCRIPTS = ("draw.js", "report.js")
_MOST_BYTES = 800_000  # of attention in a report; beyond, items are shown by the mean over heads alone


def write(inspections: Sequence[Inspection], folder: Path) -> list[Path]:
    """Write what was seen of one model, or of two side by side: report.html, inspection.json, and pictures.

    Args:
        inspections: At least one.
        folder: Where to; it is made where it is not there. An earlier report in it is replaced, its pictures too.

    Returns:
        The files, the report first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report, numbers = folder / "report.html", folder / "inspection.json"
    old = earlier(folder) if report.exists() else set()
    report.write_text(page(inspections), encoding="utf-8")
    plainly = {"explained": EXPLAINED, "models": [each.as_dict() for each in inspections]}
    numbers.write_text(json.dumps(plainly, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    new = pictures(inspections, folder)
    for picture in old.difference(new):
        picture.unlink()
    return [report, numbers, *new]


def page(inspections: Sequence[Inspection]) -> str:
    """The report as one HTML text: style, script and data are inside, and nothing is fetched."""
    home = files("anyseq.inspection") / "page"
    models = [plain(_lean(each), as_bytes, columns=True) for each in inspections]
    told = {"explained": EXPLAINED, "models": models}
    data = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    parts = {
        "title": html.escape("What the model does" if len(inspections) == 1 else "What two models do"),
        "style": (home / "report.css").read_text(encoding="utf-8"),
        "script": "".join((home / name).read_text(encoding="utf-8") for name in SCRIPTS),
        "data": data.replace("<", "\\u003c"),  # so that no text can end the script
    }
    text = (home / "report.html").read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace("{{" + name + "}}", part)
    return text


def as_bytes(array: np.ndarray) -> Any:
    """A small array as a list, a larger one as a byte for each number, between its least and its largest.

    What is not finite is None in a list, and the least among bytes.
    """
    if array.size <= 64 and array.ndim == 1:
        return plain(array.tolist(), as_bytes)
    finite = np.isfinite(array)
    low, high = (float(array[finite].min()), float(array[finite].max())) if finite.any() else (0.0, 0.0)
    known = np.where(finite, array, low).astype(np.float64)
    scaled = np.zeros(array.shape) if high == low else (known - low) / (high - low) * 255
    data = base64.b64encode(scaled.round().astype(np.uint8).tobytes()).decode("ascii")
    return {"shape": list(array.shape), "low": low, "high": high, "bytes": data}


def _lean(inspection: Inspection) -> Inspection:
    """The same in fewer numbers: few cells, and of many items the attention over the source alone."""
    gates = None if inspection.gates is None else inspection.gates.lean()
    if inspection.attention is None:
        return replace(inspection, gates=gates)
    size, items = 0, []
    for maps in inspection.attention.items:
        size += sum(each.weights.size for each in maps)
        items.append(maps if size <= _MOST_BYTES else _fewer(maps))
    return replace(inspection, gates=gates, attention=replace(inspection.attention, items=tuple(items)))


def _fewer(maps: Sequence[AttentionMap]) -> tuple[AttentionMap, ...]:
    chosen = [each for each in maps if each.looks == "output" and each.at != "itself"] or maps[-1:]
    return tuple(replace(each, weights=each.weights.mean(0, keepdims=True)) for each in chosen)
