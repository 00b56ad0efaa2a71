"""Streams of sound put together from recordings of single words: gaps, noise, babble."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from jaxtyping import Float32, Int16
from pydantic import Field, model_validator

from anyseq.core import PartConfig
from anyseq.data.spoken import Spoken
from anyseq.errors import DataError

_LEAST = 1e-5  # root mean square below which a recording is silence, which no gain makes loud
_SEED = 2**63


@dataclass(frozen=True)
class Recording:
    """A word as somebody said it.

    Attributes:
        samples: In [-1, 1].
        label: The word.
        name: Tells it from others.
    """

    samples: Float32[np.ndarray, " sample"]
    label: str
    name: str


@dataclass(frozen=True)
class Stream:
    """Sound in which words are said.

    Attributes:
        samples: Whole numbers of 16 bits.
        spoken: The keyword's occurrences, in order.
    """

    samples: Int16[np.ndarray, " sample"]
    spoken: Sequence[Spoken]


class StreamsConfig(PartConfig):
    """How streams are put together."""

    count: int = Field(200, ge=1, description="how many streams")
    seconds: float = Field(12.0, ge=1, description="length of each")
    every_s: float = Field(2.0, gt=0, description="from word to word, on average")
    gaps_s: tuple[float, float] = Field(
        (0.2, 4.0), strict=False, description="shortest and longest silence between words"
    )
    keyword_share: float = Field(0.1, gt=0, lt=1, description="share of the words that are the keyword")
    noises: tuple[Literal["none", "white", "babble", "recorded"], ...] = Field(
        ("none", "white", "babble"), min_length=1, strict=False,
        description="what else is heard, one of these a stream: nothing, white noise, other words said by several at "
        "once, what data.noise holds",
    )  # fmt: skip
    snr_db: tuple[float, float] = Field(
        (5.0, 25.0), strict=False, description="how much louder the words are than that, from, to"
    )
    voices: int = Field(6, ge=1, description="how many babble")
    level_db: tuple[float, float] = Field(
        (-35.0, -20.0), strict=False, description="loudness of the words of a stream below full scale, from, to"
    )
    loudness_db: float = Field(6.0, ge=0, description="each word is up to so much louder or softer than that")
    speed: float = Field(0.0, ge=0, lt=1, description="each word is up to this share faster or slower, and so higher")
    seed: int = Field(1, ge=0, description="of the draws; another seed gives other streams")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for name in ("gaps_s", "snr_db", "level_db"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is from {low} to {high}: give the lower first")
        if self.gaps_s[0] < 0:
            raise ValueError(f"gaps_s begins at {self.gaps_s[0]}: a silence has no length below 0")
        return self


class Composer:
    """Puts streams together: words with gaps between, each brought to about the same loudness, and noise.

    A word is the keyword with the probability asked for; the recordings of either kind come in rounds, each once before
    any comes again. Gaps are drawn by a power of a uniform number, such that a word comes every so many seconds. The
    noise is softer than the words by the ratio asked for, root mean square to root mean square.

    Args:
        recordings: Of the keyword and of other words, at one rate.
        keyword: A label among theirs.
        sample_rate_hz: Samples a second.
        babble: What is said in the background; None: the recordings. The keyword's are left out.
        recorded: Noise, at the same rate.

    Raises:
        DataError: there is no recording of the keyword, or of other words.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        keyword: str,
        sample_rate_hz: int,
        babble: Sequence[Recording] | None = None,
        recorded: Sequence[Float32[np.ndarray, " sample"]] = (),
    ) -> None:
        self.keywords = [each for each in recordings if each.label == keyword]
        self.others = [each for each in recordings if each.label != keyword]
        if not self.keywords:
            labels = ", ".join(sorted({each.label for each in self.others})[:20])
            raise DataError(f"no recording is of data.keyword={keyword!r}; they are of: {labels}")
        if not self.others:
            raise DataError(f"all recordings are of data.keyword={keyword!r}: give recordings of other words, too")
        self.babble = self.others if babble is None else [each for each in babble if each.label != keyword]
        self.sample_rate_hz, self.recorded = sample_rate_hz, recorded
        lengths = [len(each.samples) for each in recordings]
        self._mean_s = sum(lengths) / len(lengths) / sample_rate_hz

    def stream(self, settings: StreamsConfig, seed: int) -> Stream:
        """One stream; the same seed gives the same."""
        draw = np.random.default_rng(seed)
        sound = np.zeros(round(settings.seconds * self.sample_rate_hz), dtype=np.float32)
        level = 10 ** (draw.uniform(*settings.level_db) / 20)
        spoken = list(self._say(sound, level, settings, draw))
        noise = self._noise(len(sound), settings, draw)
        if noise is not None:
            sound += noise * np.float32(level * 10 ** (-draw.uniform(*settings.snr_db) / 20) / _loudness(noise))
        return Stream(np.round(sound * 32767).clip(-32768, 32767).astype(np.int16), spoken)

    def streams(self, settings: StreamsConfig) -> list[Stream]:
        """As many as the settings say."""
        return [self.stream(settings, settings.seed * _SEED + number) for number in range(settings.count)]

    def _say(
        self, sound: Float32[np.ndarray, " sample"], level: float, settings: StreamsConfig, draw: np.random.Generator
    ) -> Iterator[Spoken]:
        """Put words into the sound, as long as they end in it; give the keyword's occurrences."""
        keywords, others = _rounds(self.keywords, draw), _rounds(self.others, draw)
        low, high = settings.gaps_s
        share = min(0.98, max(0.02, (settings.every_s - self._mean_s - low) / max(high - low, 1e-9)))
        place = 0
        while True:
            place += int((low + (high - low) * draw.random() ** (1 / share - 1)) * self.sample_rate_hz)
            keyword = draw.random() < settings.keyword_share
            recording = next(keywords if keyword else others)
            samples = _played(recording.samples, draw.uniform(1 - settings.speed, 1 + settings.speed))
            end = place + len(samples)
            if end > len(sound):
                return
            loud = level * 10 ** (draw.uniform(-settings.loudness_db, settings.loudness_db) / 20)
            sound[place:end] += samples * np.float32(loud / _loudness(samples))
            if keyword:
                name = re.sub(r"\s", "_", recording.name)
                yield Spoken(place / self.sample_rate_hz, end / self.sample_rate_hz, name)
            place = end

    def _noise(
        self, length: int, settings: StreamsConfig, draw: np.random.Generator
    ) -> Float32[np.ndarray, " sample"] | None:
        kind = settings.noises[int(draw.integers(len(settings.noises)))]
        if kind == "none":
            return None
        if kind == "white":
            return np.asarray(draw.standard_normal(length, dtype=np.float32))
        if kind == "babble":
            voices = [_one_behind_the_other(self.babble, length, draw) for _ in range(settings.voices)]
            return np.asarray(np.sum(voices, axis=0, dtype=np.float32))
        if not self.recorded:
            raise DataError("noises has `recorded`, and there are no recordings of noise: give data.noise=FOLDER")
        recorded = self.recorded[int(draw.integers(len(self.recorded)))]
        return np.resize(np.roll(recorded, -int(draw.integers(len(recorded)))), length)


def _rounds(recordings: Sequence[Recording], draw: np.random.Generator) -> Iterator[Recording]:
    """Endless, in rounds of all in another order each."""
    while True:
        yield from (recordings[place] for place in draw.permutation(len(recordings)))


def _one_behind_the_other(
    recordings: Sequence[Recording], length: int, draw: np.random.Generator
) -> Float32[np.ndarray, " sample"]:
    """A voice that goes on, each recording as loud as the other; it begins somewhere in a word."""
    parts: list[np.ndarray] = []
    lacking = length
    while lacking > 0:
        samples = recordings[int(draw.integers(len(recordings)))].samples
        part = samples / np.float32(_loudness(samples))
        parts.append(part if parts else part[draw.integers(len(part)) :])
        lacking -= len(parts[-1])
    return np.concatenate(parts)[:length]


def _played(samples: Float32[np.ndarray, " sample"], speed: float) -> Float32[np.ndarray, " played"]:
    if speed == 1:
        return samples
    places = np.arange(0, len(samples) - 1, speed)
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


def _loudness(samples: Float32[np.ndarray, " sample"]) -> float:
    """Root mean square."""
    return max(_LEAST, float(np.sqrt(np.mean(np.square(samples)))))
