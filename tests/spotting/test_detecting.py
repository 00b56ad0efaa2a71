from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyseq.data.spoken import Spoken
from anyseq.tasks.spot.detecting import Detector, Heard, Tally, Trace, choose, tally


def test_smoothing_and_detections_by_hand() -> None:
    detector = Detector(0.5, smooth=2, refractory=3)
    levels, found = detector.feed(np.array([0.0, 1.0, 1.0, 0.0]))
    assert levels.tolist() == [0, 0.5, 1, 0.5] and found == [1]  # reached once, and not left
    levels, found = detector.feed(np.array([0.0, 1.0]))
    assert levels.tolist() == [0, 0.5] and found == [5]
    assert detector.feed(np.array([0.0, 0.0, 1.0]))[1] == []  # too soon
    assert detector.feed(np.zeros(0))[1] == [] and detector.feed(np.array([0.0, 0.0, 1.0]))[1] == [11]
    assert Detector(0.5, smooth=0, refractory=0).feed(np.array([0.6]))[1] == [0]


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.lists(st.integers(0, 60), max_size=5), st.integers(1, 7))
def test_pieces_are_the_whole(scores: list[float], cuts: list[int], smooth: int) -> None:
    whole_levels, whole = Detector(0.6, smooth, 2).feed(np.array(scores))
    detector = Detector(0.6, smooth, 2)
    places = sorted(min(cut, len(scores)) for cut in cuts)
    pieces = [detector.feed(piece) for piece in np.split(np.array(scores), places)]
    np.testing.assert_allclose(np.concatenate([levels for levels, _ in pieces]), whole_levels, atol=1e-12)
    assert [place for _, found in pieces for place in found] == whole


def test_what_is_heard_missed_and_heard_for_nothing() -> None:
    spoken = [Spoken(1.0, 1.5, "a"), Spoken(1.7, 2.2, "b"), Spoken(5.0, 5.5, "a")]
    found = tally([Heard(spoken, [1.6, 1.8, 3.0, 7.0], 60.0)], tolerance_s=0.5)
    assert found.delays_s == pytest.approx([0.1, -0.4]) and found.missed == ["a"] and found.false_alarms == 2
    assert found.names == ["a", "b", "a"] and found.alarm_rate == pytest.approx(20)
    figures = found.figures()
    assert figures["miss_rate"] == pytest.approx(100 / 3) and figures["delay_mean_s"] == pytest.approx(-0.15)
    assert figures["recordings"] == 2 and figures["recordings_missed"] == 1 and figures["minutes_heard"] == 1
    assert "delay_mean_s" not in Tally().figures()
    twice = tally([Heard(spoken[:1], [1.2, 1.9], 60.0)], tolerance_s=0.5)
    assert (len(twice.missed), twice.false_alarms) == (0, 1)


def test_the_threshold_misses_least_with_few_false_alarms() -> None:
    levels = np.full(6000, 0.01)
    for place, level in ((1000, 0.9), (2000, 0.8), (3000, 0.6), (4000, 0.5), (5000, 0.3)):
        levels[place] = level
    spoken = [Spoken(place / 100 - 0.5, place / 100, str(place)) for place in (1000, 2000, 4000, 5000)]
    trace = Trace(levels, np.arange(6000) / 100, spoken, 60.0)
    for allowed, between in ((0.0, (0.6, 0.8)), (10.0, (0.01, 0.3))):
        threshold = choose([trace], allowed, refractory=50, tolerance_s=0.5)
        assert between[0] < threshold <= between[1]
        found = tally([trace.heard(threshold, 50)], 0.5)
        assert found.false_alarms == round(allowed / 10)
    silent = Trace(levels, trace.times_s, [], 60.0)
    assert choose([silent], 0.0, 50, 0.5) > 0.9
