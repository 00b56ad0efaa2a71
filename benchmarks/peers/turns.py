"""Sides that take turns, so that a slow minute of the machine strikes all of them; tables of what they reached."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from peers.environments import Skipped

Figures = Mapping[str, float]
SPEED, BY_PROCESSOR = "tokens_per_second", "tokens_per_processor_second"
OURS = "anyseq"


@dataclass
class Outcome:
    """What a comparison found.

    Attributes:
        figures: Of each side that could be measured, round by round.
        skipped: Of each other one, why.
    """

    figures: dict[str, list[Figures]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def median(self, side: str, key: str) -> float | None:
        """Over the rounds; None where it was not measured."""
        values = [each[key] for each in self.figures.get(side, ()) if key in each]
        return statistics.median(values) if values else None

    def ratio(self, side: str, key: str) -> float | None:
        """How many times as fast anyseq is: the median of the ratios within each round."""
        rounds = zip(self.figures.get(OURS, ()), self.figures.get(side, ()), strict=False)
        ratios = [ours[key] / theirs[key] for ours, theirs in rounds if key in ours and key in theirs]
        return statistics.median(ratios) if ratios else None


def take_turns(sides: Mapping[str, Callable[[], Figures]], rounds: int) -> Outcome:
    """Measure each side once a round; one that fails is out, with its reason, and the others go on."""
    found = Outcome()
    for number in range(rounds):
        for name, measure in sides.items():
            if name in found.skipped:
                continue
            try:
                figures = measure()
            except Skipped as reason:
                found.skipped[name] = str(reason)
                found.figures.pop(name, None)
                print(f"  {name}: skipped, {reason}", file=sys.stderr, flush=True)
                continue
            found.figures.setdefault(name, []).append(figures)
            said = "  ".join(f"{key} {value:,.4g}" for key, value in figures.items())
            print(f"  round {number + 1}  {name}: {said}", file=sys.stderr, flush=True)
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


COMPARED = (
    "what", "toolkit", "target tokens/s", "anyseq is", "by processor time", "to reach", "of the limit", "peak memory",
)  # fmt: skip


def compared(what: str, found: Outcome, reach: Mapping[str, float]) -> list[list[str]]:
    """Rows under `COMPARED`, one for each side; `limit` is none, but what the others are a share of.

    Args:
        what: Is measured.
        found: The outcome.
        reach: How many times as fast as each side anyseq has to be.
    """
    return [_row(what, name, found, reach) for name in (*found.figures, *found.skipped) if name != "limit"]


def _row(what: str, name: str, found: Outcome, reach: Mapping[str, float]) -> list[str]:
    speed, peak = found.median(name, SPEED), found.median(name, "peak_mb")
    if speed is None:
        return [what, name, f"skipped: {found.skipped[name]}", *[""] * 5]
    limit, flop = found.median("limit", "gflops"), found.median(OURS, "gflop_per_token")
    ratios = [None if name == OURS else found.ratio(name, key) for key in (SPEED, BY_PROCESSOR)]
    return [
        what,
        name,
        f"{speed:,.0f}",
        *("" if ratio is None else f"{ratio:.2f} times as fast" for ratio in ratios),
        f"{reach[name]:g}" if name in reach else "",
        "" if flop is None or limit is None else f"{speed * flop / limit:.0%}",
        "" if peak is None else f"{peak:,.0f} MB",
    ]
