"""Where runs stand, read from their folders alone: also while they train, and where the model cannot be loaded."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from anyseq.api.folders import home_and_about
from anyseq.config import read_tree
from anyseq.config.differences import differences
from anyseq.errors import ConfigError, ModelFolderError
from anyseq.training.checkpoint import Checkpoints, read_mapping
from anyseq.training.disk import LOCK
from anyseq.training.journal import read_events
from anyseq.training.progress import Report

_MEASURED = tuple(each.name for each in fields(Report) if each.name != "step")
_NOT_METRICS = ("kind", "step", "minutes", "best")
Facts = dict[str, Any]


@dataclass(frozen=True)
class RunStatus:
    """Where a run stands. What is not known is None.

    Attributes:
        folder: Its folder.
        recipe: What is trained.
        state: `running`, `finished` (trained to its end and judged by the full search), or `stopped` before that.
        since: When it came to that (of a running one: when it began), as ISO 8601, local time.
        process: Which process is at work, for people.
        step: Updates made.
        max_steps: Updates planned.
        checkpoint: The step that it would go on from.
        measured: At the last report: `share` of training behind it, `minutes`, `minutes_left`, `loss`, `learning_rate`,
            `tokens_per_second`, `wait_share`, `memory_mb`.
        ended: Why training ended.
        decides: The metric that decides what is best.
        higher_is_better: Of that metric.
        best: The best validation: `step` and `metrics`.
        dev: Metrics of the best checkpoint by the full search.
        test: The same on test.
        parameters: Of the model.
        settings: The configuration as its folder keeps it.
    """

    folder: str
    recipe: str | None
    state: Literal["running", "finished", "stopped"]
    since: str | None
    process: str | None
    step: int
    max_steps: int | None
    checkpoint: int | None
    measured: Mapping[str, Any]
    ended: str | None
    decides: str | None
    higher_is_better: bool | None
    best: Facts | None
    dev: Mapping[str, Any] | None
    test: Mapping[str, Any] | None
    parameters: int | None
    settings: Mapping[str, Any]

    @property
    def facts(self) -> Facts:
        """All of it but the settings, for JSON."""
        facts = asdict(self)
        del facts["settings"]
        return facts

    def value(self, split: Literal["best", "dev", "test"]) -> float | None:
        """The figure that decides: of the best validation, or by the full search."""
        metrics = (self.best or {}).get("metrics") if split == "best" else self.dev if split == "dev" else self.test
        found = None if metrics is None or self.decides is None else metrics.get(self.decides)
        return float(found) if isinstance(found, (int, float)) else None


def status(folder: str | Path) -> RunStatus:
    """Where a run stands.

    Raises:
        ModelFolderError: it is no run's folder, or what it says of itself cannot be read.
    """
    folder = Path(folder)
    home, about = home_and_about(folder)
    events = read_events(home / "metrics.jsonl")
    reports = [event for event in events if event.get("kind") == "training"]
    best = next((event for event in reversed(events) if event.get("kind") == "validation" and event.get("best")), None)
    results, _ = read_mapping(home / "results.json")
    checkpoint = _last(home)
    holder = at_work(home)
    state: Literal["running", "finished", "stopped"] = "running" if holder else "stopped"
    finished = bool(results) and results.get("step") == checkpoint
    if not holder and finished:
        state = "finished"
    tree = read_tree(home)
    training = tree.get("training")
    last = reports[-1] if reports else {}
    return RunStatus(
        folder=str(folder),
        recipe=about.get("recipe"),
        state=state,
        since=holder.get("since") if holder else _written(home, "results.json" if finished else "metrics.jsonl"),
        process=f"process {holder.get('pid')} on {holder.get('host')}" if holder else None,
        step=max([checkpoint or 0, *(event["step"] for event in events[-1:])]),
        max_steps=training.get("max_steps") if isinstance(training, dict) else None,
        checkpoint=checkpoint,
        measured={name: last.get(name) for name in _MEASURED},
        ended=results.get("ended") if finished else None,
        decides=about.get("decides"),
        higher_is_better=about.get("higher_is_better"),
        best=None if best is None else {"step": best["step"], "metrics": _metrics(best)},
        dev=_judged(results, "dev"),
        test=_judged(results, "test"),
        parameters=about.get("parameters"),
        settings={name: value for name, value in tree.items() if name != "about"},
    )


def at_work(home: Path) -> Facts | None:
    """Who is training in a folder, as its lock says (`pid`, `host`, `since`); None: nobody, or nobody says so."""
    found, _ = read_mapping(home / LOCK)
    if found.get("host") != socket.gethostname():
        return found or None  # of another machine's processes nothing is to be seen from here
    try:
        os.kill(int(found["pid"]), 0)
    except PermissionError:
        return found
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return found


def compare_runs(folders: Sequence[str | Path]) -> Facts:
    """Several runs beside each other.

    Returns:
        `runs`: of each what `status` says, and `settings`: the values of the keys in which they differ; the best first,
        where one metric decides in all of them; `sorted_by`: that metric (`dev NAME` by the full search, where all have
        been judged by it, else `NAME` of the best validation) or None; `differing`: the keys;
        `problems`: a line for each folder that cannot be read.
    """
    found, problems = [], []
    for folder in folders:
        try:
            found.append(status(folder))
        except (ModelFolderError, ConfigError, OSError) as error:
            problems.append(str(error))
    ordered, by = _sorted(found)
    keys = list(_differing([run.settings for run in found]))
    runs = [{**run.facts, "settings": {key: _at(run.settings, key) for key in keys}} for run in ordered]
    return {"runs": runs, "sorted_by": by, "differing": keys, "problems": problems}


def _sorted(runs: Sequence[RunStatus]) -> tuple[Sequence[RunStatus], str | None]:
    """The best first, and by what; as they are where different metrics decide."""
    deciding = {(run.decides, run.higher_is_better) for run in runs}
    if len(deciding) != 1 or None in next(iter(deciding)):
        return runs, None
    [(metric, higher)] = deciding
    judged = all(run.value("dev") is not None for run in runs)
    split: Literal["dev", "best"] = "dev" if judged else "best"

    def place(run: RunStatus) -> tuple[bool, float]:
        value = run.value(split)
        return value is None, 0.0 if value is None else -value if higher else value

    return sorted(runs, key=place), f"dev {metric}" if judged else metric


def _differing(trees: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The keys in which not all are alike."""
    first = trees[:1]
    yield from dict.fromkeys(each.key for one in first for other in trees[1:] for each in differences(one, other))


def _at(tree: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key; None where there is none."""
    here: Any = tree
    for name in key.split("."):
        here = here.get(name) if isinstance(here, Mapping) else None
    return here


def _metrics(event: Mapping[str, Any]) -> Facts:
    return {name: value for name, value in event.items() if name not in _NOT_METRICS}


def _judged(results: Mapping[str, Any], split: str) -> Mapping[str, Any] | None:
    found = results.get(split)
    metrics = found.get("metrics") if isinstance(found, dict) else None
    return metrics if isinstance(metrics, dict) else None


def _last(home: Path) -> int | None:
    try:
        return Checkpoints(home, keep=1).named("last")
    except ModelFolderError:
        return None


def _written(home: Path, name: str) -> str | None:
    try:
        return datetime.fromtimestamp((home / name).stat().st_mtime).isoformat(" ", "seconds")
    except OSError:
        return None
