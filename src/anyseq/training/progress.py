"""What a person sees while a model trains."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Column

from anyseq.data.check import Severity


@dataclass(frozen=True)
class Report:
    """How training stands.

    Attributes:
        step: Updates so far.
        share: Share of training behind us, in [0, 1].
        minutes: Spent so far.
        loss: Mean since the last report, per symbol, in nats.
        learning_rate: The present one.
        tokens_per_second: Target symbols per second of training, validation left out.
        wait_share: Share of the updates' time spent on getting their batches, in [0, 1].
        memory_mb: On a GPU the most that tensors took so far, else what the process has resident, in 2^20 bytes.
        minutes_left: Until training ends, as far as can be told; None where neither steps nor minutes end it.
    """

    step: int
    share: float
    minutes: float
    loss: float
    learning_rate: float
    tokens_per_second: float
    wait_share: float
    memory_mb: float | None
    minutes_left: float | None


@runtime_checkable
class Listener(Protocol):
    """Is told how training goes."""

    def noted(self, note: str, severity: Severity = "note") -> None:
        """There is something to know about the data or the settings."""

    def reported(self, report: Report) -> None:
        """Some updates were made."""

    def validated(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        """A validation was made; `best` says it is the best so far."""

    def ended(self, reason: str) -> None:
        """Training ended."""


class Silent:
    """Says nothing."""

    def noted(self, note: str, severity: Severity = "note") -> None:
        """Say nothing."""

    def reported(self, report: Report) -> None:
        """Say nothing."""

    def validated(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        """Say nothing."""

    def ended(self, reason: str) -> None:
        """Say nothing."""


class Several:
    """Tells several listeners, one after the other.

    Args:
        listeners: Whom.
    """

    def __init__(self, *listeners: Listener) -> None:
        self.listeners = listeners

    def noted(self, note: str, severity: Severity = "note") -> None:
        """Tell them all."""
        for listener in self.listeners:
            listener.noted(note, severity)

    def reported(self, report: Report) -> None:
        """Tell them all."""
        for listener in self.listeners:
            listener.reported(report)

    def validated(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        """Tell them all."""
        for listener in self.listeners:
            listener.validated(step, metrics, best)

    def ended(self, reason: str) -> None:
        """Tell them all."""
        for listener in self.listeners:
            listener.ended(reason)


def shown(metrics: Mapping[str, float]) -> str:
    """Metrics in one line."""
    return "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def duration(minutes: float) -> str:
    """A time for people: `40 s`, `14 min`, `2 h 05 min`."""
    seconds = round(minutes * 60)
    if seconds < 60:
        return f"{seconds} s"
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest:02} min" if hours else f"{rest} min"


def measured(report: Report) -> str:
    """How fast it goes, and what it takes."""
    parts = [f"{report.tokens_per_second:,.0f} tokens/s", f"data wait {report.wait_share:.0%}"]
    if report.memory_mb is not None:
        parts.append(f"{report.memory_mb:,.0f} MB")
    return "  ".join(parts)


class Lines:
    """Plain lines on stderr, for files and pipes."""

    def noted(self, note: str, severity: Severity = "note") -> None:
        """One line."""
        print(f"{severity}: {note}", file=sys.stderr, flush=True)

    def reported(self, report: Report) -> None:
        """One line."""
        left = "" if report.minutes_left is None else f", {duration(report.minutes_left)} left"
        print(
            f"step {report.step}  {report.share:.0%}  loss {report.loss:.3f}  lr {report.learning_rate:.2e}  "
            f"{measured(report)}  in {duration(report.minutes)}{left}",
            file=sys.stderr,
            flush=True,
        )

    def validated(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        """One line."""
        print(f"step {step}  dev: {shown(metrics)}{'  (best)' if best else ''}", file=sys.stderr, flush=True)

    def ended(self, reason: str) -> None:
        """One line."""
        print(f"training ended: {reason}", file=sys.stderr, flush=True)


class Bar:
    """A live bar on a terminal, with a line for each validation above it."""

    def __init__(self) -> None:
        self.progress = Progress(
            BarColumn(bar_width=12),
            TaskProgressColumn(),
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=Console(stderr=True),
        )
        self.task = self.progress.add_task("starting", total=1.0)

    def noted(self, note: str, severity: Severity = "note") -> None:
        """Print a line above the bar."""
        self.progress.console.print(f"{severity}: {note}", markup=False)

    def reported(self, report: Report) -> None:
        """Move the bar."""
        self.progress.start()
        left = "" if report.minutes_left is None else f"{duration(report.minutes_left)} left  "
        text = f"{left}step {report.step}  loss {report.loss:.3f}  {measured(report)}"
        self.progress.update(self.task, completed=report.share, description=text)

    def validated(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        """Print a line above the bar."""
        star = "  [green]best[/green]" if best else ""
        self.progress.console.print(f"  step {step}  dev: {shown(metrics)}{star}")

    def ended(self, reason: str) -> None:
        """Leave the terminal as it was."""
        self.progress.stop()
        self.progress.console.print(f"training ended: {reason}")


def listener() -> Listener:
    """A bar on a terminal, lines elsewhere."""
    return Bar() if sys.stderr.isatty() else Lines()
