"""Metrics of pointers: the papers' figures, by hand."""

from __future__ import annotations

import pytest

from anyseq.errors import DataError
from anyseq.metrics.pointing import OutlineConfig, PointersRightConfig, TourConfig, TrianglesConfig

SQUARE = "0 0 2 0 2 2 0 2 1 1 output "
HULL, TOUR = SQUARE + "1 2 3 4 1", "0 0 2 0 2 2 0 2 output 1 2 3 4 1"


def value(config, outputs: list[str], reference: str) -> float:  # type: ignore[no-untyped-def]
    return config.build().measure(outputs, [[reference]] * len(outputs)).value


def test_outlines_may_begin_anywhere() -> None:
    right = ["1 2 3 4 1", "3 4 1 2 3", SQUARE + "2 3 4 1 2"]
    wrong = ["1 4 3 2 1", "1 2 3 4", "1 2 3 1", "1 2 3 4 5 1", "", "7 8"]
    assert value(OutlineConfig(), right, HULL) == 100
    assert value(OutlineConfig(), wrong, HULL) == 0
    assert value(OutlineConfig(), right + wrong[:3], HULL) == 50


def test_area_is_that_of_simple_polygons_or_failed() -> None:
    area, simple = OutlineConfig(measured="area"), OutlineConfig(measured="simple")
    assert value(area, ["1 2 3 4 1", "1 2 3 1", "2 1 4 3 2"], HULL) == pytest.approx(100 * 2.5 / 3)
    crossing = ["1 3 2 4 1"]
    assert value(simple, [*crossing, "1 2 3 1", "1 2 1", "1 2 2 3 1"], HULL) == 25
    assert value(area, crossing * 2 + ["1 2 3 1"] * 198, HULL) == pytest.approx(50)  # 1 % are none
    assert value(area, crossing * 3 + ["1 2 3 1"] * 197, HULL) == 0, "FAIL"


def test_triangles_are_sets() -> None:
    reference = SQUARE + "1 2 5 2 3 5 3 4 5 1 4 5"
    outputs = ["3 4 5 1 4 5 1 2 5 2 3 5", "1 2 5 2 3 5 3 4 5 1 4 5", "1 2 5 2 3 5 1 3 4", "1 2"]
    assert value(TrianglesConfig(), outputs, reference) == 50
    assert value(TrianglesConfig(measured="coverage"), outputs, reference) == pytest.approx(100 * 10 / 16)


def test_tours_are_measured_by_length() -> None:
    crossing = 4 + 2 * 8**0.5
    outputs = ["1 2 3 4 1", "3 2 1 4 3", "1 3 2 4 1"]
    gap, length, valid = (TourConfig(measured=each) for each in ("gap", "length", "valid"))
    assert value(length, outputs, TOUR) == pytest.approx((16 + crossing) / 3)
    assert value(gap, outputs, TOUR) == pytest.approx(100 * ((16 + crossing) / 24 - 1))
    assert value(valid, outputs, TOUR) == 100
    broken = ["1 2 2 3 1", "", "1 2 9"]  # mended: 1 2 3 4
    assert value(valid, broken, TOUR) == 0 and value(gap, broken, TOUR) == pytest.approx(0)
    assert not gap.build().higher_is_better
    assert gap.build().sentences(["1 3 2 4 1"], [[TOUR]]) == pytest.approx([100 * (crossing / 8 - 1)])


def test_pointers_in_order() -> None:
    assert value(PointersRightConfig(), ["2 1 3", "2 1", "1 2 3"], "0.2 0.1 0.3 output 2 1 3") == pytest.approx(100 / 3)


def test_a_reference_is_a_whole_line() -> None:
    with pytest.raises(DataError, match=r"output 1 4 2 1.*task: point"):
        value(OutlineConfig(), ["1 2"], "1 2 3 1")
    with pytest.raises(DataError, match="element 9 of 4"):
        value(TourConfig(), ["1 2"], "0 0 2 0 2 2 0 2 output 9 1")
