"""Dates at equal distances: how they are read, how far apart they are, and how they go on."""

from __future__ import annotations

import re
from calendar import monthrange
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Literal

from anyseq.errors import DataError

_DATE = re.compile(
    r"(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.0+)?)?(?:Z|\+00:00)?)?)?)?"
)
_FORMS = ("%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")
_UNITS = {1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}
_DAY_S = 86400
_SHORTEST_MONTH_S = 28 * _DAY_S


@dataclass(frozen=True)
class Stamp:
    """A date as it was read.

    Attributes:
        at: The moment; its first one where a day, a month or a year is meant.
        detail: How much was given: 0 a year, 1 a month, 2 a day, 3 minutes, 4 seconds.
        line: Where it stands.
    """

    at: datetime
    detail: int
    line: int


def parse(text: str, line: int = 0) -> Stamp | None:
    """Read `2024`, `2024-05`, `2024-05-31`, `2024-05-31 13:00` (also with / and T); None where it is none of these."""
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return None
    given = [int(part) for part in found.groups() if part is not None]
    try:
        at = datetime(*(given + [1, 1][len(given) - 1 :] if len(given) < 3 else given))  # type: ignore[arg-type]
    except ValueError:
        return None
    return Stamp(at, min(len(given) - 1, 2) if len(given) < 4 else len(given) - 2, line)


@dataclass(frozen=True)
class Step:
    """From each date to the next: so many months, or so many seconds.

    Attributes:
        unit: Of `count`.
        count: At least 1.
        at_end: Months are told by their last day.
    """

    unit: Literal["month", "second"]
    count: int
    at_end: bool = False

    def __str__(self) -> str:
        if self.unit == "month":
            number, name = (self.count // 12, "year") if self.count % 12 == 0 else (self.count, "month")
        else:
            size = max(size for size in _UNITS if self.count % size == 0)
            number, name = self.count // size, _UNITS[size]
        return f"every {name}" if number == 1 else f"every {number} {name}s"

    @property
    def season(self) -> int:
        """Rows after which things usually repeat: of months a year, of days a week, of what is shorter a day; 1: none.
        """
        if self.unit == "month":
            return 12 // self.count if 12 % self.count == 0 else 1
        known = {604800: 52, _DAY_S: 7}
        if self.count in known:
            return known[self.count]
        return _DAY_S // self.count if self.count < _DAY_S and _DAY_S % self.count == 0 else 1


@dataclass(frozen=True)
class Clock:
    """Dates that go on for ever.

    Attributes:
        first: The first one.
        step: To the next.
        form: How they are written.
    """

    first: datetime
    step: Step
    form: str

    def at(self, row: int) -> datetime:
        """The date of a row, from 0; there may be no such row yet."""
        if self.step.unit == "second":
            return self.first + timedelta(seconds=row * self.step.count)
        month = self.first.month - 1 + row * self.step.count
        year, month = self.first.year + month // 12, month % 12 + 1
        days = monthrange(year, month)[1]
        return self.first.replace(year=year, month=month, day=days if self.step.at_end else min(self.first.day, days))

    def show(self, row: int) -> str:
        """The same as a file has it."""
        return self.at(row).strftime(self.form)

    def row(self, at: datetime) -> float:
        """Which row a date is; a whole number where it is one."""
        if self.step.unit == "second":
            return (at - self.first).total_seconds() / self.step.count
        months = (at.year - self.first.year) * 12 + at.month - self.first.month
        row = months / self.step.count
        return row if row != int(row) or self.at(int(row)) == at else row + 0.5


def clock_of(stamps: Sequence[Stamp], file: str | None) -> Clock:
    """Find how far apart dates are: the most frequent distance.

    Raises:
        DataError: there is one date, or none is frequent.
    """
    if len(stamps) < 2:
        raise DataError("two dates are the least from which a distance is known: give more rows", file)
    form = _FORMS[max(stamp.detail for stamp in stamps)]
    dates = [stamp.at for stamp in stamps]
    seconds = [int((b - a).total_seconds()) for a, b in pairwise(dates)]
    at_end = 2 * sum(date.day == monthrange(date.year, date.month)[1] for date in dates) > len(dates)
    same_day = 2 * Counter(date.day for date in dates).most_common(1)[0][1] > len(dates)
    if (at_end or same_day) and median(seconds) >= _SHORTEST_MONTH_S:
        months = [12 * date.year + date.month for date in dates]
        return Clock(dates[0], Step("month", _usual([b - a for a, b in pairwise(months)], file, stamps), at_end), form)
    return Clock(dates[0], Step("second", _usual(seconds, file, stamps)), form)


def _usual(distances: Sequence[int], file: str | None, stamps: Sequence[Stamp]) -> int:
    (usual, count), *_ = Counter(each for each in distances if each > 0).most_common(1) or [(0, 0)]
    if 2 * count < len(distances):
        raise DataError(
            "fewer than half of the dates are equally far apart: bring the rows to one distance (a row an hour, a day, "
            "a month), or leave the dates out", file, stamps[0].line,
        )  # fmt: skip
    return usual


def rows_of(stamps: Sequence[Stamp], clock: Clock, file: str | None, fill: bool) -> list[int]:
    """Which row each date is, so that gaps are seen.

    Args:
        stamps: As they stand in the file.
        clock: Theirs.
        file: Its name, for messages.
        fill: Whether rows may be lacking.

    Raises:
        DataError: dates stand twice, not in order, off the clock, or rows are lacking; names the first of these.
    """
    rows = [clock.row(stamp.at) for stamp in stamps]
    steps = list(zip(rows, rows[1:], stamps, stamps[1:], strict=False))
    for one, two, last, stamp in steps:
        shown = stamp.at.strftime(clock.form)
        if two == one:
            raise DataError(f"the date {shown} stands there twice; remove a row", file, stamp.line)
        if two < one:
            previous = last.at.strftime(clock.form)
            raise DataError(f"{shown} stands behind {previous}: sort the rows by date", file, stamp.line)
        if two != int(two):
            raise DataError(f"the rows are {clock.step}, and {shown} is between two; mend the date", file, stamp.line)
    gaps = [(int(two - one) - 1, last, stamp) for one, two, last, stamp in steps if two > one + 1]
    if gaps and not fill:
        lost, last, stamp = gaps[0]
        between = f"between {last.at.strftime(clock.form)} and {stamp.at.strftime(clock.form)}"
        more = f" (and there are {len(gaps) - 1:,} gaps more)" if len(gaps) > 1 else ""
        missing = f"{lost:,} {'is' if lost == 1 else 'are'} missing{more}"
        raise DataError(
            f"the rows are {clock.step}, and {between} {missing}; add them, or have the last values carried "
            "on with data.gaps=fill", file, stamp.line,
        )  # fmt: skip
    return [int(row) for row in rows]
