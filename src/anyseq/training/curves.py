"""`training.html`: a run's curves and figures on one page that needs no server and no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from anyseq.training.checkpoint import write_atomically
from anyseq.training.journal import read_events
from anyseq.training.plots import BOTTOM, LEFT, RIGHT, TOP, Panel, Point, draw, short

PAGE = "training.html"
_ROWS = 200  # of a table of validations or incidents; the newest
_TRAINING = {"loss": "training loss", "learning_rate": "learning rate", "tokens_per_second": "tokens/s"}
_NOT_METRICS = {"kind", "step", "minutes", "best"}
_HINT = "Point at a curve, or move along it with the arrow keys."
Event = Mapping[str, Any]


@dataclass(frozen=True)
class About:
    """What a page says besides the curves.

    Attributes:
        title: Whose curves they are.
        state: How the run stands, in a line.
        settings: The resolved configuration, as plain mappings.
        results: Of the finished run, by split: figures by the full search.
        decides: The metric that decides what is best, where it is known.
    """

    title: str
    state: str
    settings: Mapping[str, Any]
    results: Mapping[str, Mapping[str, Any]]
    decides: str | None = None


def write_page(folder: Path, about: About) -> None:
    """Write a run's page anew, from its journal."""
    events, incidents = read_events(folder / "metrics.jsonl"), read_events(folder / "incidents.jsonl")
    write_atomically(folder / PAGE, page(about, events, incidents))


def page(about: About, events: Sequence[Event], incidents: Sequence[Event] = ()) -> str:
    """The page as HTML.

    Args:
        about: What else it says.
        events: The lines of `metrics.jsonl`.
        incidents: What went wrong on the way, each with `step` and `kind`.
    """
    validations = [event for event in events if event.get("kind") == "validation"]
    panels = [draw(panel, number) for number, panel in enumerate(_panels(about, events, validations, incidents))]
    tables = [_results(about.results), _validations(validations), _incidents(incidents), _settings(about.settings)]
    return _template().substitute(
        title=escape(about.title),
        state=escape(about.state),
        hint=_HINT,
        panels="\n".join(panels) if events else "<p>No update was reported yet.</p>",
        tables="\n".join(filter(None, tables)),
        margins=f"{LEFT}, {RIGHT}, {TOP}, {BOTTOM}",
    )


@cache
def _template() -> Template:
    return Template((Path(__file__).parent / "curves.html").read_text(encoding="utf-8"))


def _panels(
    about: About, events: Sequence[Event], validations: Sequence[Event], incidents: Sequence[Event]
) -> Iterator[Panel]:
    """The training loss, the metric that decides, the others, then how fast it went."""
    reports = [event for event in events if event.get("kind") == "training"]
    marks = [(incident["step"], _what(incident)) for incident in incidents]
    best = max((event["step"] for event in validations if event.get("best")), default=None)
    yield Panel(_TRAINING["loss"], _points(reports, "loss"), marks=marks)
    names = dict.fromkeys(name for event in validations for name in event if name not in _NOT_METRICS)
    for name in sorted(names, key=lambda name: name != about.decides):
        title = f"dev {name}" + (" (decides)" if name == about.decides else "")
        yield Panel(title, _points(validations, name), best=best)
    for name in ("learning_rate", "tokens_per_second"):
        yield Panel(_TRAINING[name], _points(reports, name), from_zero=True)


def _points(events: Sequence[Event], name: str) -> list[Point]:
    return [
        (float(event["step"]), float(event[name]))
        for event in events
        if isinstance(event.get(name), (int, float)) and not isinstance(event[name], bool)
    ]


def _what(incident: Event) -> str:
    """An incident in words: its kind, and what else is said of it."""
    rest = (f"{name} {_cell(value)}" for name, value in incident.items() if name not in ("kind", "step"))
    return "  ".join((str(incident.get("kind", "incident")), *rest))


def _results(results: Mapping[str, Mapping[str, Any]]) -> str:
    names = dict.fromkeys(name for metrics in results.values() for name in metrics)
    rows = [[name, *(_cell(metrics.get(name)) for metrics in results.values())] for name in names]
    return _table("Results, of the best checkpoint by the full search", ["", *results], rows) if rows else ""


def _validations(validations: Sequence[Event]) -> str:
    if not validations:
        return ""
    names = list(dict.fromkeys(name for event in validations for name in event if name not in _NOT_METRICS))
    rows = [
        [f"{event['step']:,}", *(_cell(event.get(name)) for name in names), "best so far" if event.get("best") else ""]
        for event in validations[-_ROWS:]
    ]
    return _folded("Validations", _table("", ["step", *names, ""], rows))


def _incidents(incidents: Sequence[Event]) -> str:
    rows = [[f"{incident['step']:,}", _what(incident)] for incident in incidents[-_ROWS:]]
    return _table("Incidents", ["step", "what"], rows) if rows else ""


def _settings(settings: Mapping[str, Any]) -> str:
    rows = [[key, _cell(value)] for key, value in leaves(settings)]
    return _folded("Settings", f'<div class="settings">{_table("", ["key", "value"], rows)}</div>') if rows else ""


def leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of nested mappings."""
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return short(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>{content}</details>"


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heading = f"<h2>{escape(title)}</h2>" if title else ""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>"
    named = escape(title or "table")
    return f'{heading}<div class="wide" tabindex="0" role="region" aria-label="{named}">{table}</div>'
