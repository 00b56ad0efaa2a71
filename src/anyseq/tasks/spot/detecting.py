"""From a score for each frame to detections; which of them are right; from which score on one counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64
from numpy.lib.stride_tricks import sliding_window_view
from pydantic import Field

from anyseq.core import PartConfig
from anyseq.data.spoken import Spoken

_LEVELS = 400  # thresholds that are tried
TEN_MINUTES_S = 600.0


class DetectionConfig(PartConfig):
    """When the keyword counts as said."""

    hold_ms: float = Field(300.0, gt=0, description="frames so long behind the keyword's end say that it was said")
    lead_ms: float = Field(50.0, ge=0, description="frames so long before its end, too")
    smooth_ms: float = Field(60.0, ge=0, description="the mean probability of so much sound counts")
    refractory_ms: float = Field(500.0, ge=0, description="after a detection there is none for so long")
    tolerance_ms: float = Field(
        500.0, gt=0, description="a detection is right from the keyword's beginning until so long behind its end"
    )
    false_alarms: float = Field(
        0.5, ge=0, description="in ten minutes: the threshold is the one that misses least on dev with so many at most"
    )


@dataclass(frozen=True)
class Detection:
    """The keyword was heard.

    Attributes:
        time_s: When, in seconds of sound from the beginning.
        score: The smoothed probability, in [0, 1].
    """

    time_s: float
    score: float


class Detector:
    """Smooths scores as they come and says where they rise above the threshold; it holds a stream's state.

    Args:
        threshold: From this on.
        smooth: Frames whose mean counts; before the beginning there are zeros.
        refractory: Frames from one detection to the next, at least.
    """

    def __init__(self, threshold: float, smooth: int, refractory: int) -> None:
        self.threshold, self.refractory = threshold, refractory
        self._past, self._level = np.zeros(max(1, smooth) - 1), -np.inf
        self._frames, self._last = 0, -refractory - 1

    def feed(self, scores: Float64[np.ndarray, " frame"]) -> tuple[Float64[np.ndarray, " frame"], list[int]]:
        """The smoothed scores of the next frames, and those of the frames, counted from the stream's beginning, at
        which there is a detection."""
        smoothed = smooth(scores, self._past)
        self._past = np.concatenate([self._past, scores])[len(scores) :]
        places = rising(np.concatenate([[self._level], smoothed]), self.threshold) + self._frames
        found = spaced(places.tolist(), self.refractory, self._last)
        if len(smoothed):
            self._level, self._frames = smoothed[-1], self._frames + len(smoothed)
        self._last = found[-1] if found else self._last
        return smoothed, found


def smooth(scores: Float64[np.ndarray, " frame"], past: Float64[np.ndarray, " past"]) -> Float64[np.ndarray, " frame"]:
    """The mean of each score and those before it, as many as there is past.

    Source:
        Chen et al. 2014, "Small-footprint keyword spotting using deep neural networks", equation 2.
    """
    return sliding_window_view(np.concatenate([past, scores]), len(past) + 1).mean(1) if len(scores) else scores


def rising(levels: Float64[np.ndarray, " frame"], threshold: float) -> np.ndarray:
    """Where levels reach the threshold that the one before did not; counted from the second."""
    above = levels >= threshold
    return np.flatnonzero(above[1:] & ~above[:-1])


def spaced(places: Iterable[int], refractory: int, last: int) -> list[int]:
    """Those of the places that are far enough behind the last one that is left."""
    found = []
    for place in places:
        if place - last > refractory:
            found.append(place)
            last = place
    return found


@dataclass(frozen=True)
class Heard:
    """A stream with what was said and what was heard.

    Attributes:
        spoken: The keyword's occurrences.
        times_s: Of the detections, in order.
        seconds: Length of the stream.
    """

    spoken: Sequence[Spoken]
    times_s: Sequence[float]
    seconds: float


@dataclass(frozen=True)
class Tally:
    """How streams were heard.

    Attributes:
        delays_s: Of each occurrence that was heard: how long behind its end (before it: less than 0).
        missed: Names of the recordings of those that were not.
        names: Of the recordings of all.
        false_alarms: Detections that were none.
        seconds: Length of all streams.
    """

    delays_s: Sequence[float] = field(default=())
    missed: Sequence[str] = field(default=())
    names: Sequence[str] = field(default=())
    false_alarms: int = 0
    seconds: float = 0.0

    @property
    def alarm_rate(self) -> float:
        """False alarms in ten minutes."""
        return self.false_alarms * TEN_MINUTES_S / max(self.seconds, 1e-9)

    @property
    def miss_rate(self) -> float:
        """Occurrences that were not heard, in percent."""
        return 100 * len(self.missed) / max(1, len(self.names))

    def figures(self) -> dict[str, float]:
        """For people; delays only where something was heard."""
        figures = {"miss_rate": self.miss_rate, "false_alarms_per_10_minutes": self.alarm_rate}
        if self.delays_s:
            figures["delay_mean_s"] = float(np.mean(self.delays_s))
            figures["delay_90th_percentile_s"] = float(np.percentile(self.delays_s, 90))
        return figures | {
            "said": float(len(self.names)),
            "recordings": float(len(set(self.names))),
            "recordings_missed": float(len(set(self.missed))),
            "minutes_heard": self.seconds / 60,
        }


def tally(streams: Iterable[Heard], tolerance_s: float) -> Tally:
    """Count what was heard, missed, and heard for nothing.

    A detection belongs to the first occurrence not heard yet that began before it, and ended after it or at most
    `tolerance_s` before; else it is a false alarm.
    """
    delays, missed, names, alarms, seconds = [], [], [], 0, 0.0
    for stream in streams:
        heard: dict[int, float] = {}
        for time_s in stream.times_s:
            belongs = (
                number
                for number, each in enumerate(stream.spoken)
                if number not in heard and each.begin_s < time_s <= each.end_s + tolerance_s
            )
            number = next(belongs, None)
            if number is None:
                alarms += 1
            else:
                heard[number] = time_s - stream.spoken[number].end_s
        delays += [heard[number] for number in sorted(heard)]
        names += [each.name for each in stream.spoken]
        missed += [each.name for number, each in enumerate(stream.spoken) if number not in heard]
        seconds += stream.seconds
    return Tally(delays, missed, names, alarms, seconds)


@dataclass(frozen=True)
class Trace:
    """A stream's smoothed scores.

    Attributes:
        levels: One a frame.
        times_s: When each frame ends.
        spoken: The keyword's occurrences.
        seconds: Length of the stream.
    """

    levels: Float64[np.ndarray, " frame"]
    times_s: Float64[np.ndarray, " frame"]
    spoken: Sequence[Spoken]
    seconds: float

    def heard(self, threshold: float, refractory: int) -> Heard:
        """What is heard from this threshold on."""
        places = rising(np.concatenate([[-np.inf], self.levels]), threshold)
        times = self.times_s[spaced(places.tolist(), refractory, -refractory - 1)]
        return Heard(self.spoken, times.tolist(), self.seconds)


def choose(traces: Sequence[Trace], false_alarms: float, refractory: int, tolerance_s: float) -> float:
    """The threshold that misses least with so many false alarms in ten minutes at most, of equals the middle one.

    Tried are quantiles of the levels, ever closer towards the highest. Where all have more false alarms, none of
    them is reached.
    """
    levels = np.concatenate([trace.levels for trace in traces])
    shares = 1 - np.geomspace(0.5, 0.5 / len(levels), _LEVELS)
    tried = np.unique(np.quantile(levels, [*shares, 1.0]))
    found = []
    for threshold in tried[::-1]:
        counted = tally((trace.heard(threshold, refractory) for trace in traces), tolerance_s)
        if counted.alarm_rate > false_alarms:
            break
        found.append((len(counted.missed), float(threshold)))
    if not found:
        return float(np.nextafter(tried[-1], np.inf))
    least = min(missed for missed, _ in found)
    best = [threshold for missed, threshold in found if missed == least]
    return best[len(best) // 2]
