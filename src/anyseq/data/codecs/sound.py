"""Sound as log-mel frames: how loud each band of frequencies is, a hundred times a second."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, final

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from anyseq.core import Codec, Item, Vectors
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.measured import Measured
from anyseq.data.prefixes import Step
from anyseq.data.waves import read_header, read_wave, resampled
from anyseq.errors import DataError

_FILE = "codec.json"
_FLOOR = 1e-6  # of a band's mean square: -60 dB of full scale; below it there is silence


@final
class Sound(Codec):
    """Log-mel frames, each band less its mean over train, by its standard deviation there.

    A frame is the power spectrum of a Hann window; bands are triangles evenly spaced on the mel scale
    2595 log10(1 + f / 700). Frame t needs the samples up to t * hop + window and no others, so that sound may come in
    pieces. What is shorter than a window is one frame of it and silence.

    Args:
        sample_rate_hz: Of what is heard; other rates are resampled.
        window, hop: Samples of a frame, and from frame to frame.
        bands: How many.
        measured: Mean and standard deviation of each band.
        loudness_db: Training hears recordings louder or softer by up to so much, and from up to a hop later on.

    Source:
        Davis and Mermelstein 1980 (mel filters); O'Shaughnessy 1987 (the scale).
    """

    def __init__(
        self,
        sample_rate_hz: int,
        window: int,
        hop: int,
        bands: int,
        measured: Measured | None,
        loudness_db: float = 0.0,
    ) -> None:
        self.sample_rate_hz, self.window, self.hop, self.bands = sample_rate_hz, window, hop, bands
        self.measured, self.loudness_db = measured, loudness_db
        self.stream = Vectors(bands)

    @cached_property
    def _filters(self) -> Float[Tensor, "frequency band"]:
        size = self._size
        edges = torch.linspace(0, _mel(self.sample_rate_hz / 2), self.bands + 2, dtype=torch.float64)
        edges = 700 * (10 ** (edges / 2595) - 1)
        frequency = torch.arange(size // 2 + 1, dtype=torch.float64)[:, None] * self.sample_rate_hz / size
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        rising, falling = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
        weights = torch.minimum(rising, falling).clamp(min=0)
        return (weights / weights.sum(0).clamp(min=1e-9)).float()

    @cached_property
    def _taper(self) -> Float[Tensor, " sample"]:
        return torch.hann_window(self.window)

    @property
    def _size(self) -> int:
        """Of the Fourier transform: the next power of two."""
        return 1 << (self.window - 1).bit_length()

    def samples(self, raw: Any) -> Float[Tensor, " sample"]:
        """The samples of a recording, in [-1, 1], at this codec's rate.

        Args:
            raw: A WAV file's name, or samples (whole numbers of 16 bits, or floats), which have this rate.
        """
        if isinstance(raw, str):
            wave = read_wave(raw)
            return torch.from_numpy(resampled(wave.samples, wave.sample_rate_hz, self.sample_rate_hz))
        samples = torch.as_tensor(raw)
        if samples.dim() != 1 or not len(samples):
            raise DataError(f"a recording is one row of samples, not an array of shape {list(samples.shape)}")
        if samples.dtype == torch.int16:
            return samples.float() / 32768
        if not samples.is_floating_point():
            raise DataError(f"samples are whole numbers of 16 bits, or floats in [-1, 1], not {samples.dtype}")
        if not bool(samples.isfinite().all()):
            raise DataError("a recording holds nan or infinity; mend it")
        return samples.float()

    def frames(self, samples: Float[Tensor, " sample"]) -> Float[Tensor, "time band"]:
        """The frames of samples, before they are scaled by what train was like."""
        if len(samples) < self.window:
            samples = torch.cat([samples, samples.new_zeros(self.window - len(samples))])
        spectrum = torch.fft.rfft(samples.unfold(0, self.window, self.hop) * self._taper, n=self._size)
        return ((spectrum.abs() ** 2 / self.window) @ self._filters + _FLOOR).log()

    def scaled(self, frames: Float[Tensor, "time band"]) -> Float[Tensor, "time band"]:
        """Frames as a model reads them."""
        return frames if self.measured is None else self.measured.scaled(frames)

    def encode(self, raw: Any) -> Float[Tensor, "time band"]:
        """Encode a recording.

        Raises:
            DataError: it is none.
        """
        return self.scaled(self.frames(self.samples(raw)))

    def augment(self, raw: Any, seed: int) -> Float[Tensor, "time band"]:
        """The same, louder or softer, beginning a little later."""
        draw, samples = random.Random(seed), self.samples(raw)
        gain = 10 ** (draw.uniform(-self.loudness_db, self.loudness_db) / 20)
        first = draw.randrange(min(self.hop, len(samples)))
        return self.scaled(self.frames(samples[first:] * gain))

    @property
    def augments(self) -> bool:
        """Whether loudness varies."""
        return self.loudness_db > 0

    def decode(self, values: Float[Tensor, "time band"], item: Item | None = None) -> Tensor:
        """The frames before scaling; there is no way back to sound."""
        return values if self.measured is None else self.measured.original(values)

    def save(self, folder: Path) -> None:
        """Write `codec.json`."""
        names = ("sample_rate_hz", "window", "hop", "bands", "loudness_db")
        assert self.measured is not None  # what is saved was fitted
        content = {**{name: getattr(self, name) for name in names}, "measured": self.measured.as_lists()}
        (folder / _FILE).write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelFolderError: the file is missing or is none of ours.
        """
        return cls(**Measured.read(folder / _FILE))


class SoundConfig(CodecConfig):
    """A recording: a WAV file's name, or samples."""

    reads_files: ClassVar[bool] = True
    endings: ClassVar[tuple[str, ...]] = (".wav",)
    steps: ClassVar[tuple[Step, ...]] = ()
    in_training: ClassVar[tuple[str, ...]] = ("loudness_db",)

    sample_rate_hz: int = Field(8000, ge=1000, description="samples a second; other recordings are resampled")
    window_ms: float = Field(25.0, gt=0, description="length of a frame")
    hop_ms: float = Field(10.0, gt=0, description="from frame to frame")
    bands: int = Field(40, ge=1, description="bands of the mel scale")
    loudness_db: float = Field(
        0.0, ge=0, description="training hears recordings louder or softer by up to so much, begun up to a hop later"
    )

    @model_validator(mode="after")
    def _all_is_heard(self) -> Self:
        if self.hop_ms > self.window_ms:
            raise ValueError(
                f"hop_ms={self.hop_ms:g} is above window_ms={self.window_ms:g}, and what lies between two frames would "
                "not be heard: give at most the window"
            )
        return self

    def fit(self, raws: Iterable[Any]) -> Sound:
        """Learn each band's mean and standard deviation.

        Raises:
            DataError: there is no recording, or one cannot be read.
        """
        codec = self.unmeasured()
        total = squares = torch.zeros(self.bands, dtype=torch.float64)
        count = 0
        for raw in raws:
            frames = codec.frames(codec.samples(raw)).double()
            total, squares, count = total + frames.sum(0), squares + (frames**2).sum(0), count + len(frames)
        if not count:
            raise DataError("there are no recordings to learn from; look at data.train")
        codec.measured = Measured.of(total, squares, count)
        return codec

    def unmeasured(self) -> Sound:
        """The codec before it knows what train is like: it reads samples, and makes frames that are not scaled."""
        window, hop = (max(1, round(self.sample_rate_hz * ms / 1000)) for ms in (self.window_ms, self.hop_ms))
        return Sound(self.sample_rate_hz, window, hop, self.bands, None, self.loudness_db)

    def remarks(self, raws: Iterable[Any]) -> Iterator[str]:
        """How many recordings are brought to another rate, or to one channel."""
        heads = [read_header(raw) for raw in raws if isinstance(raw, str)]
        if other := Counter(each.sample_rate_hz for each in heads if each.sample_rate_hz != self.sample_rate_hz):
            rates = ", ".join(f"{count:,} of {rate} Hz" for rate, count in sorted(other.items()))
            yield f"recordings resampled to codec.source.sample_rate_hz={self.sample_rate_hz}: {rates}"
        if several := sum(each.channels > 1 for each in heads):
            yield f"{several:,} recordings have several channels, of which the mean is taken"

    def load(self, folder: Path) -> Sound:
        """Read a codec of this kind that `Sound.save` wrote; training hears as these settings say."""
        codec = Sound.load(folder)
        codec.loudness_db = self.loudness_db
        return codec


def _mel(frequency_hz: float) -> float:
    return float(2595 * torch.log10(torch.tensor(1 + frequency_hz / 700, dtype=torch.float64)))
