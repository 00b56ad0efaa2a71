"""Series of numbers at equal distances in time: from CSV files, DataFrames and arrays; and stretches of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from anyseq.data.clock import Clock, Stamp, clock_of, parse, rows_of
from anyseq.data.files import Place, csv_rows
from anyseq.data.lines import STANDARD_INPUT, display_name
from anyseq.errors import DataError

_DATED = ("date", "time", "month", "year", "day", "week", "hour", "ds", "timestamp")


@dataclass(frozen=True)
class Layout:
    """What the columns of a table are.

    Attributes:
        date: The column of the dates; None: the first one, where it holds dates.
        variables: The columns to be forecast; none: all others.
        known: Columns that are known in advance (prices, holidays).
        fill: Carry the last value on to where one is missing; what was filled in so is no measurement.
    """

    date: str | None = None
    variables: Sequence[str] = ()
    known: Sequence[str] = ()
    fill: bool = False


@dataclass(frozen=True, eq=False)
class Series:
    """Numbers at equal distances in time.

    Attributes:
        names: Of the variables.
        values: A row each time.
        clock: The dates; None: there are none.
        known_names: Of what is known in advance.
        known: The same; it may have rows beyond those of `values`.
        file: Where it was read, None for data from Python.
        measured: Which values came; the others were filled in. None: all came.
    """

    names: tuple[str, ...]
    values: Float64[np.ndarray, "time variable"]
    clock: Clock | None = None
    known_names: tuple[str, ...] = ()
    known: Float64[np.ndarray, "time_and_more column"] | None = None
    file: str | None = None
    measured: Bool[np.ndarray, "time variable"] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def digest(self) -> str:
        """What it holds, in short."""
        arrays = [b"" if each is None else each.tobytes() for each in (self.values, self.known, self.measured)]
        found = blake2b(repr((self.names, self.clock, self.known_names)).encode(), digest_size=12)
        for each in arrays:
            found.update(each)
        return found.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Series) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def show(self, row: int) -> str:
        """The date of a row; its number from 1 where there are none."""
        return str(row + 1) if self.clock is None else self.clock.show(row)

    @property
    def outline(self) -> str:
        """What it is, in a line."""
        every = "without dates" if self.clock is None else str(self.clock.step)
        names = ", ".join(self.names[:8]) + (f" and {len(self.names) - 8} more" if len(self.names) > 8 else "")
        known = f"; known in advance: {', '.join(self.known_names)}" if self.known_names else ""
        return f"{len(self):,} rows, {every}, {self.show(0)} to {self.show(len(self) - 1)}, of {names}{known}"


@dataclass(frozen=True)
class Stretch:
    """Consecutive rows of a series, the last not included.

    Attributes:
        series: Which it is of.
        first, last: Rows; they may lie beyond the last value, where only what is known in advance is asked for.
        variable: One of the variables alone; None: all.
    """

    series: Series
    first: int
    last: int
    variable: int | None = None

    def __len__(self) -> int:
        return self.last - self.first

    def __repr__(self) -> str:
        return f"Stretch({self.series.digest}, {self.first}, {self.last}, {self.variable})"

    @property
    def names(self) -> tuple[str, ...]:
        """Of its variables."""
        return self.series.names if self.variable is None else (self.series.names[self.variable],)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and variables."""
        return len(self), len(self.names)

    @property
    def values(self) -> Float64[np.ndarray, "time variable"]:
        """Its numbers."""
        return self.series.values[self.first : self.last, self._columns]

    @property
    def measured(self) -> bool:
        """Whether all of its numbers came, and none was filled in."""
        given = self.series.measured
        return given is None or bool(given[self.first : self.last, self._columns].all())

    @property
    def begun(self) -> bool:
        """Whether each of its variables had come once by its first row: before, there is nothing to be carried on."""
        given = self.series.measured
        return given is None or bool(given[: self.first + 1, self._columns].any(0).all())

    @property
    def _columns(self) -> slice:
        return slice(None) if self.variable is None else slice(self.variable, self.variable + 1)

    def after(self, count: int) -> Stretch:
        """So many rows behind it."""
        return Stretch(self.series, self.last, self.last + count, self.variable)


def read_series(data: Any, layout: Layout) -> list[Series]:
    """Read what a recipe's `data.train` (dev, test) holds.

    Args:
        data: A .csv (or .csv.gz) with a header, or a list of such; from Python a DataFrame (dates as index or column),
            a mapping of columns, an array [time] or [time, variable], a list of numbers or of rows; or several of these
            in a list (see `are_several`).
        layout: What the columns are.

    Raises:
        DataError: it cannot be read; the message names file, line and remedy.
    """
    if isinstance(data, Series):
        return [data]
    if isinstance(data, str | Path):
        return [_read_csv(data, layout)]
    if are_several(data):
        return [series for part in data for series in read_series(part, layout)]
    header, rows = _table(data)
    return [_build(header, rows, layout, None)]


def are_several(data: Any) -> bool:
    """Whether this is a list of series: it begins with what is neither a number nor, as a list or tuple, a row."""
    return isinstance(data, list | tuple) and bool(data) and not isinstance(data[0], Real | list | tuple)


def _read_csv(path: str | Path, layout: Layout) -> Series:
    name = display_name(path)
    if not name.removesuffix(".gz").endswith(".csv") and str(path) != STANDARD_INPUT:
        raise DataError("a series is a .csv (or .csv.gz) with a header: rename it, or write it as one", name)
    rows = csv_rows(path)
    first = next(rows, None)
    if first is None:
        raise DataError("the file is empty; give one with a header and a row each time", name)
    header = [cell.strip() for cell in first[1]]
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise DataError("columns are separated by commas, and numbers have points: export it so", name, first[0])
    if all(_number(cell) is not None or parse(cell) is not None for cell in header):
        told = "the first line must name the columns, and these are dates or numbers: add a header (date,sales)"
        raise DataError(told, name, first[0])
    if len(set(header)) < len(header):
        double = next(cell for cell in header if header.count(cell) > 1)
        raise DataError(f"two columns are called {double!r}: rename one", name, first[0])
    return _build(header, rows, layout, name)


def _table(data: Any) -> tuple[list[str], Iterator[Place]]:
    """Header and rows, as texts, of data from Python."""
    index: list[Any] | None = None
    if hasattr(data, "columns") and hasattr(data, "to_dict"):  # a DataFrame
        columns = {str(name): list(data[name]) for name in data.columns}
        if len(data.index) and hasattr(data.index[0], "isoformat"):
            index = list(data.index)
    elif isinstance(data, Mapping):
        if other := next((name for name, column in data.items() if isinstance(column, str | Real)), None):
            raise DataError(
                f"a mapping of columns has a list of numbers or dates for each, not {other}={data[other]!r:.40}; files "
                "are given by their names alone: FILE.csv or [FILE.csv, ...]"
            )
        columns = {str(name): list(column) for name, column in data.items()}
    else:
        try:
            array = np.asarray(data, dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError(
                f"a series is a .csv, a DataFrame, a mapping of columns, or an array of numbers, not {data!r:.60}"
            ) from None
        if array.ndim not in (1, 2):
            raise DataError(f"an array of shape {array.shape} is given; a series is [time] or [time, variable]")
        array = array.reshape(len(array), -1)
        names = ["value"] if array.shape[1] == 1 else [f"value{place}" for place in range(1, array.shape[1] + 1)]
        columns = {name: array[:, place].tolist() for place, name in enumerate(names)}
    if index is not None:
        columns = {"date": index, **columns}
    lengths = {len(column) for column in columns.values()}
    if lengths in (set(), {0}) or len(lengths) > 1:
        raise DataError(f"columns of {sorted(lengths)} rows are given: give one row or more, as many of each")
    rows = zip(*columns.values(), strict=True)
    return list(columns), ((number, [_text(cell) for cell in row]) for number, row in enumerate(rows))


def _text(cell: Any) -> str:
    if hasattr(cell, "isoformat"):
        return str(cell.isoformat()).removesuffix("T00:00:00")
    return "" if cell is None or (isinstance(cell, float) and math.isnan(cell)) else str(cell)


def _number(cell: str) -> float | None:
    try:
        found = float(cell)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _build(header: Sequence[str], rows: Iterable[Place], layout: Layout, file: str | None) -> Series:
    table = list(rows)
    if not table:
        raise DataError("there is a header and no row; give a row each time", file)
    date = _date_column(header, table[0], layout, file)
    variables = tuple(layout.variables) or tuple(name for name in header if name not in (date, *layout.known))
    line = None if file is None else 1
    for name in (*variables, *layout.known):
        if name not in header:
            raise DataError(f"there is no column {name!r}; the columns are {', '.join(header)}", file, line)
    if not variables:
        raise DataError(f"no column is left to forecast: {', '.join(header)}", file, line)
    for number, cells in table:
        if len(cells) != len(header):
            raise DataError(f"{len(cells)} columns, the header has {len(header)}; mend the line", file, number)
    clock, places = None, list(range(len(table)))
    if date is not None:
        stamps = [_stamp(cells[header.index(date)], date, file, number) for number, cells in table]
        clock = clock_of(stamps, file)
        places = rows_of(stamps, clock, file, layout.fill)
    count = _given(header, table, variables)
    if not count:
        raise DataError(f"the columns {', '.join(variables)} hold no number at all; give some", file, table[0][0])
    values, measured = _columns(header, table[:count], places[:count], variables, layout.fill, file)
    known = _columns(header, table, places, layout.known, layout.fill, file)[0] if layout.known else None
    return Series(variables, values, clock, tuple(layout.known), known, file, None if measured.all() else measured)


def _date_column(header: Sequence[str], first: Place, layout: Layout, file: str | None) -> str | None:
    if layout.date is not None:
        if layout.date not in header:
            line = None if file is None else 1
            raise DataError(f"there is no column {layout.date!r}; there are {', '.join(header)}", file, line)
        return layout.date
    name, cell = header[0], first[1][0]
    stamp = None if name in (*layout.variables, *layout.known) else parse(cell)
    named = any(word in name.lower() for word in _DATED) or not name
    # A bare year may be a number like any other; what is called a date and is none is to be told.
    if stamp is not None and (stamp.detail or named):
        return name
    return name if stamp is None and named and _number(cell) is None and name not in layout.known else None


def _stamp(cell: str, name: str, file: str | None, line: int) -> Stamp:
    stamp = parse(cell, line)
    if stamp is None:
        raise DataError(
            f"{cell!r:.40} in the column {name!r} is no date; dates are written 2024-05-31, 2024-05, 2024 or "
            "2024-05-31 13:00", file, line,
        )  # fmt: skip
    return stamp


def _given(header: Sequence[str], table: Sequence[Place], variables: Sequence[str]) -> int:
    """Rows up to the last that has a value: what comes behind is known in advance."""
    columns = [header.index(name) for name in variables]
    count = len(table)
    while count and not any(table[count - 1][1][column].strip() for column in columns):
        count -= 1
    return count


def _columns(
    header: Sequence[str], table: Sequence[Place], places: Sequence[int], names: Sequence[str], fill: bool,
    file: str | None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Numbers of some columns, in rows without gaps, and which of them stand there.

    Where none does it is the last one before, for what comes later is not to be known; the first, where none came yet.
    """
    found = np.zeros((places[-1] + 1, len(names)))
    measured = np.zeros(found.shape, dtype=bool)
    every = np.arange(len(found))
    for number, name in enumerate(names):
        column = header.index(name)
        for (line, cells), place in zip(table, places, strict=True):
            cell = cells[column].strip()
            value = _number(cell)
            if value is None and cell:
                raise DataError(f"{cell!r:.40} in the column {name!r} is no number; {_remedy(cell, name)}", file, line)
            if value is None and not fill:
                raise DataError(
                    f"the column {name!r} is empty here; give a number, or have the last one carried on with "
                    "data.gaps=fill", file, line,
                )  # fmt: skip
            if value is not None:
                found[place, number], measured[place, number] = value, True
        there = measured[:, number]
        if not there.any():
            raise DataError(f"the column {name!r} holds no number; leave it out (data.variables)", file)
        last = np.maximum.accumulate(np.where(there, every, there.argmax()))
        found[:, number] = found[last, number]
    return found, measured


def _remedy(cell: str, name: str) -> str:
    """What to do about a cell that is no number."""
    if parse(cell) is not None:
        return f"if that is the column of the dates: data.date={name}"
    return "mend it, or leave the column out (data.variables names those to learn)"
