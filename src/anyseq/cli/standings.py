"""Where runs stand, in words: one in a few lines, several in a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anyseq.cli.columns import columns

Facts = Mapping[str, Any]


def standing(run: Facts) -> Iterator[str]:
    """A run in a line, and what was measured last."""
    from anyseq.training.progress import duration

    measured = run["measured"]
    most = "" if run["max_steps"] is None else f" of {run['max_steps']:,}"
    by = f" ({run['process']})" if run["process"] else ""
    since = f" since {run['since']}" if run["since"] else ""
    left = measured["minutes_left"] if run["state"] != "finished" else None
    yield f"{run['state']}{since}{by}, at step {run['step']:,}{most}" + (
        "" if left is None else f"; {duration(left)} left" + ("" if run["state"] == "running" else " to train")
    )
    if run["state"] == "stopped" and run["checkpoint"] is not None:
        yield f"anyseq train --resume {run['folder']} goes on from step {run['checkpoint']:,}"
    if measured["loss"] is not None:
        yield "  ".join(_measured(measured))


def _measured(measured: Facts) -> Iterator[str]:
    yield f"loss {measured['loss']:.3f}"
    yield f"learning rate {measured['learning_rate']:.2e}"
    yield f"{measured['tokens_per_second']:,.0f} tokens/s"
    if measured["wait_share"] is not None:
        yield f"data wait {measured['wait_share']:.0%}"
    if measured["memory_mb"] is not None:
        yield f"{measured['memory_mb']:,.0f} MB"


def comparison(found: Facts) -> Iterator[str]:
    """A line for each run, and by what they are sorted."""
    runs = found["runs"]
    if not runs:
        return
    metrics = {run["decides"] for run in runs}
    metric = f" {next(iter(metrics))}" if len(metrics) == 1 and None not in metrics else ""
    keys = found["differing"]
    header = ["run", "state", "step", "minutes", "parameters", f"best{metric}", f"dev{metric}", f"test{metric}", *keys]
    rows = [header, *([*_row(run, bool(metric)), *(_setting(run["settings"][key]) for key in keys)] for run in runs)]
    used = [at for at, name in enumerate(header) if name in ("run", *keys) or any(row[at] for row in rows[1:])]
    yield from columns([[row[at] for at in used] for row in rows], left=(0, 1))
    if found["sorted_by"] is not None and len(runs) > 1:
        judged = found["sorted_by"].startswith("dev ")
        how = "by the full search" if judged else "of the best validation: not all are judged by the full search"
        yield f"the best first: {found['sorted_by']} {how}"


def _row(run: Facts, same: bool) -> list[str]:
    minutes, parameters = run["measured"]["minutes"], run["parameters"]
    best = run["best"]
    value = _figure(None if best is None else best["metrics"], run["decides"], same)
    return [
        run["folder"],
        run["state"],
        f"{run['step']:,}" + ("" if run["max_steps"] is None else f"/{run['max_steps']:,}"),
        "" if minutes is None else f"{minutes:.1f}",
        "" if parameters is None else f"{parameters:,}",
        value and f"{value} @{best['step']:,}",
        _figure(run["dev"], run["decides"], same),
        _figure(run["test"], run["decides"], same),
    ]


def _figure(metrics: Facts | None, name: str | None, same: bool) -> str:
    """The figure that decides; with its name where not the same decides in all runs."""
    value = None if metrics is None or name is None else metrics.get(name)
    return "" if value is None else f"{value:.4g}" if same else f"{name} {value:.4g}"


def _setting(value: Any) -> str:
    from anyseq.config.writer import flow

    return flow(value)
