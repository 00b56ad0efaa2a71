"""Series as people have them: dates, gaps, columns; stretches, and the codec that makes vectors of them."""

from __future__ import annotations

import gzip
from collections import UserDict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anyseq.config import load_recipe
from anyseq.core import Item
from anyseq.data.clock import Clock, Step, clock_of, parse
from anyseq.data.codecs.series import SeriesCodec, SeriesConfig
from anyseq.data.series import Layout, Series, Stretch, read_series
from anyseq.data.synthetic.seasons import SeasonsConfig
from anyseq.errors import DataError
from tiny_runs import write

MONTHS = ("month,sold", "2023-11,1", "2023-12,2.5", "2024-01,3", "2024-02,-4e1")


def read(path: Path, **layout: Any) -> Series:
    (series,) = read_series(path, Layout(**layout))
    return series


def dates(*texts: str) -> list[Any]:
    return [parse(text, line) for line, text in enumerate(texts, 2)]


@pytest.mark.parametrize(
    ("texts", "step", "season", "following"),
    [
        (("2023-11", "2023-12", "2024-01"), "every month", 12, "2024-02"),
        (("2023-01-31", "2023-02-28", "2023-03-31"), "every month", 12, "2023-04-30"),
        (("2023-01-01", "2023-04-01", "2023-07-01"), "every 3 months", 4, "2023-10-01"),
        (("1990", "1991", "1992"), "every year", 1, "1993"),
        (("2024-02-27", "2024-02-28", "2024-02-29"), "every day", 7, "2024-03-01"),
        (("2024-02-20", "2024-02-27", "2024-03-05"), "every week", 52, "2024-03-12"),
        (("2024-02-27 22:00", "2024-02-27 23:00", "2024-02-28 00:00"), "every hour", 24, "2024-02-28 01:00"),
        (("2024/2/27T22:00:00", "2024/2/27T22:30:00", "2024/2/27T23:00:00"), "every 30 minutes", 48,
         "2024-02-27 23:30:00"),
    ],
)  # fmt: skip
def test_dates_go_on(texts: tuple[str, ...], step: str, season: int, following: str) -> None:
    clock = clock_of(dates(*texts), None)
    assert (str(clock.step), clock.step.season, clock.show(3)) == (step, season, following)
    assert [clock.row(stamp.at) for stamp in dates(*texts)] == [0, 1, 2]


@pytest.mark.parametrize("text", ["", "31.12.2024", "2024-13", "2024-02-30", "2024-02-03 25:00", "yesterday", "12"])
def test_what_is_no_date(text: str) -> None:
    assert parse(text) is None


def test_a_file_with_a_header_and_dates(tmp_path: Path) -> None:
    series = read(write(tmp_path / "a.csv", *MONTHS))
    assert series.names == ("sold",) and series.values[:, 0].tolist() == [1, 2.5, 3, -40]
    assert series.clock == Clock(datetime(2023, 11, 1), Step("month", 1), "%Y-%m") and series.show(4) == "2024-03"
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    assert read(packed) == series
    assert read(write(tmp_path / "b.csv", *[line.split(",")[1] for line in MONTHS])).clock is None


def test_columns_are_chosen_and_some_known_in_advance(tmp_path: Path) -> None:
    lines = ("when,a,price,b", "2024-01-01,1,7,4", "2024-01-02,2,8,5", "2024-01-03,,9,", "2024-01-04,,9.5,")
    series = read(write(tmp_path / "a.csv", *lines), date="when", known=("price",))
    assert series.names == ("a", "b") and len(series) == 2 and series.known is not None
    assert series.known[:, 0].tolist() == [7, 8, 9, 9.5]
    assert read(tmp_path / "a.csv", variables=("b",)).names == ("b",)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ((), "the file is empty"),
        (MONTHS[:1], "a header and no row"),
        (("2023-11,x", "2023-12,2"), "no column"),
        (("2023-11,1", "2023-12,2"), ":1: the first line must name the columns"),
        (("1,2", "3,4"), ":1: the first line must name the columns"),
        (("month;sold", "2023-11;1"), ":1: columns are separated by commas"),
        (("a,a", "1,2"), "two columns are called 'a'"),
        ((*MONTHS, "2024-03"), ":6: 1 columns, the header has 2"),
        ((*MONTHS, "2024-03,many"), ":6: 'many' in the column 'sold' is no number; mend it, or leave"),
        (("sold,day", "1,2024-01-01", "2,2024-01-02"), r":2: '2024-01-01' .* no number; if .*: data\.date=day"),
        ((*MONTHS, "2024-03,nan"), ":6: 'nan' in the column 'sold' is no number"),
        ((*MONTHS, "2024-03,", "2024-04,1"), ":6: the column 'sold' is empty here"),
        ((*MONTHS, "2024-06,1"), ":6: the rows are every month, and between 2024-02 and 2024-06 3 are missing; add"),
        ((*MONTHS, "2024-04,1", "2024-06,1"), ":6: .* 1 is missing .and there are 1 gaps more"),
        ((*MONTHS, "2024-02,1"), ":6: the date 2024-02 stands there twice"),
        ((*MONTHS, "2024-04,1", "2023-10,1"), ":7: 2023-10 stands behind 2024-04: sort"),
        ((*MONTHS, "2024-03-07,1", "2024-04,1"), ":6: the rows are every month, and 2024-03-07 is between two"),
        ((*MONTHS, "March,1"), ":6: 'March' in the column 'month' is no date; dates are written 2024-05-31"),
        (("month,sold", "Jan,1", "Feb,2"), ":2: 'Jan' in the column 'month' is no date"),
        (("month,sold", "2024-01,1"), "two dates are the least"),
    ],
)  # fmt: skip
def test_faults_are_named_by_file_and_line(lines: tuple[str, ...], told: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", *lines)
    with pytest.raises(DataError, match=told) as fault:
        read(path, variables=("sold",) if told == "no column" else ())
    assert "a.csv" in str(fault.value)


def test_other_faults(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", *MONTHS)
    for layout, told in (({"date": "when"}, "no column 'when'"), ({"variables": ("x",)}, "no column 'x'")):
        with pytest.raises(DataError, match=told):
            read(path, **layout)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"a series is a \.csv"):
        read(write(tmp_path / "a.txt", *MONTHS))
    with pytest.raises(DataError, match="a DataFrame, a mapping of columns, or an array of numbers"):
        read_series(["x"] * 0 or object(), Layout())
    for given in ({"path": "a.csv", "weight": 2}, [{"weight": 2, "path": "a.csv"}]):
        with pytest.raises(DataError, match=r"has a list of numbers or dates for each, not (path|weight)="):
            read_series(given, Layout())
    with pytest.raises(DataError, match=r"a series is \[time\] or \[time, variable\]"):
        read_series(np.zeros((2, 2, 2)), Layout())


def test_gaps_are_filled_in_where_that_is_asked_for(tmp_path: Path) -> None:
    lines = ("day,a,b", "2024-01-01,1,10", "2024-01-02,,20", "2024-01-05,4,50")
    series = read(write(tmp_path / "a.csv", *lines), fill=True)
    np.testing.assert_allclose(series.values, [[1, 10], [1, 20], [1, 20], [1, 20], [4, 50]])  # none knows what comes
    assert series.show(4) == "2024-01-05" and series.measured is not None
    assert series.measured.tolist() == [[True, True], [False, True], [False, False], [False, False], [True, True]]
    assert Stretch(series, 0, 1).measured and Stretch(series, 0, 2, 1).measured and not Stretch(series, 0, 2).measured
    late = read(write(tmp_path / "b.csv", "day,a,b", "2024-01-01,,1", "2024-01-02,5,2"), fill=True)
    assert late.values[:, 0].tolist() == [5, 5]
    assert [Stretch(late, *rows).begun for rows in ((0, 2), (1, 2), (0, 2, 0), (0, 2, 1))] == [False, True, False, True]


def test_what_was_filled_in_is_not_learnt_from() -> None:
    values, came = np.array([1.0, 2, 3, 3, 3, 6])[:, None], np.array([True, True, True, False, False, True])[:, None]
    codec = SeriesConfig(season=1).fit([Stretch(Series(("a",), values, measured=came), 0, 6)])
    assert codec.measured.mean.tolist() == [3] and codec.naive == (1,)
    assert codec.measured.deviation.item() == pytest.approx(np.array([1, 2, 3, 6]).std(), rel=1e-6)
    with pytest.raises(DataError, match="a has no number in the rows of train"):
        SeriesConfig().fit([Stretch(Series(("a",), values, measured=came), 3, 5)])


class Frame(UserDict[str, list[Any]]):
    """As much of a DataFrame as is needed."""

    def __init__(self, columns: dict[str, list[Any]], index: list[Any]) -> None:
        super().__init__(columns)
        self.columns, self.index = list(columns), index

    def to_dict(self, orient: str) -> Any:
        raise AssertionError(orient)


def test_data_from_python() -> None:
    days = [datetime(2024, 1, day) for day in (1, 2, 3)]
    for data in (Frame({"a": [1, 2, 3]}, days), Frame({"date": days, "a": [1.0, 2, 3]}, [0, 1, 2]),
        {"date": days, "a": [1, 2, 3]}):  # fmt: skip
        (series,) = read_series(data, Layout())
        assert series.names == ("a",) and series.show(3) == "2024-01-04" and series.values[:, 0].tolist() == [1, 2, 3]
    (plain,) = read_series([1, 2.5], Layout())
    assert plain.names == ("value",) and plain.values.tolist() == [[1], [2.5]] and plain.show(2) == "3"
    (two,) = read_series(np.arange(6).reshape(3, 2), Layout())
    assert two.names == ("value1", "value2") and len(two) == 3
    assert read_series([two, plain], Layout()) == [two, plain]
    assert read_series([np.array([1, 2.5]), {"value": [1, 2.5]}], Layout()) == [plain, plain], "not rows of one"
    assert read_series([[0, 1], (2, 3), [4, 5]], Layout()) == [two]
    assert read_series([np.float32(1), np.float32(2.5)], Layout()) == [plain]


def test_what_is_read_to_be_learnt_is_read_alike_to_be_forecast() -> None:
    task: Any = load_recipe("forecast/series", {"codec.target.calendar": [], "data.look_back": 3}).build()
    rows = [[0.0, 5], [1, 7], [2, 8], [4, 7]]
    task.fit_codecs([Item({"source": Stretch(series, 0, 4)}) for series in read_series(rows, Layout())])
    for given, items in ((rows, 1), ([np.array(rows)] * 2, 2), ([np.array(rows[:3])], 1)):
        assert len(task.sources(given)) == items


def stretch(rows: int = 48, variables: int = 2) -> Stretch:
    return Stretch(SeasonsConfig(rows=60, variables=variables).series(), 0, rows)


def saved(codec: SeriesCodec, folder: Path) -> SeriesCodec:
    codec.save(folder)
    return SeriesCodec.load(folder)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("log", [False, True])
def test_8_values_come_back(apart: bool, log: bool, tmp_path: Path) -> None:
    whole = stretch()
    codec = SeriesConfig(apart=apart, log=log).fit([whole])
    assert codec.encode(whole if not apart else Stretch(whole.series, 0, 48, 0))[:, 0].mean().item() == pytest.approx(
        0, abs=1e-4
    )
    for each in (codec, saved(codec, tmp_path)):
        own = Stretch(whole.series, 5, 9, 1) if apart else Stretch(whole.series, 5, 9)
        encoded = each.encode(own)
        assert encoded.shape == (4, each.stream.dim) and encoded.dtype == torch.float32
        np.testing.assert_allclose(each.decode(encoded, Item({"source": own})), own.values, rtol=1e-5)
        torch.testing.assert_close(each.features(own), codec.features(own))


def test_it_is_fitted_to_the_rows_of_train_each_once() -> None:
    whole = stretch()
    overlapping = [Stretch(whole.series, row, row + 10) for row in range(21)]
    codec, rows = SeriesConfig().fit(overlapping), whole.series.values[:30]
    np.testing.assert_allclose(codec.measured.mean, rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(codec.measured.deviation, rows.std(0), rtol=1e-5)
    assert codec.season == 12
    naive = np.abs(rows[12:] - rows[:-12]).mean(0)
    for each in (codec, SeriesConfig(log=True).fit(overlapping)):  # in the units given
        np.testing.assert_allclose(each.naive, naive, rtol=1e-5)


def test_features_of_rows_that_have_and_have_not_come() -> None:
    whole = stretch()
    codec = SeriesConfig(calendar=("year", "month", "weekday", "hour", "yearday"), apart=True).fit([whole])
    known = codec.features(Stretch(whole.series, 0, 60, 1))
    assert known.shape == (60, codec.features_dim) == (60, 1 + 12 + 7 + 24 + 4 + 1 + 2)
    assert known[:, 1:13].argmax(1).tolist() == [row % 12 for row in range(60)]
    torch.testing.assert_close(known[[0, 47], 0], torch.tensor([-1.0, 1.0]))
    assert known[:, -2:].tolist() == [[0, 1]] * 60
    assert len(codec.features(Stretch(whole.series, 50, 60, 0))) == 10
    with pytest.raises(DataError, match="cut must be known in advance, and the last row is 1999-12: give 3 rows more"):
        codec.features(Stretch(whole.series, 50, 63, 0))


def test_series_of_other_columns_are_not_learnt_from_together(tmp_path: Path) -> None:
    files = [write(tmp_path / "a.csv", "t,a", "1,2"), write(tmp_path / "b.csv", "t,b", "1,2")]
    with pytest.raises(DataError, match=r"b\.csv: this series is of t, b, the first one .*a\.csv\) of t, a: name the"):
        SeriesConfig().fit(Stretch(series, 0, 1) for series in read_series(files, Layout()))


def test_another_series_is_refused() -> None:
    codec = SeriesConfig().fit([stretch()])
    with pytest.raises(DataError, match="the model's variables are sales1, sales2, these are sales"):
        codec.encode(stretch(variables=1))
    hourly = SeasonsConfig(every="hour", rows=60, variables=2).series()
    with pytest.raises(DataError, match="the model's rows are every month, these are every hour"):
        codec.refuse_other(hourly)
    with pytest.raises(DataError, match="is for values above 0, and a is 0 at 1: set it to false"):
        SeriesConfig(log=True).fit([Stretch(Series(("a",), np.zeros((5, 1))), 0, 5)])
    with pytest.raises(DataError, match="there are no dates"):
        SeriesConfig(calendar=("month",)).fit([Stretch(Series(("a",), np.zeros((5, 1))), 0, 5)])
