"""WAV files: samples in, whatever their width, their rate and their number of channels."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import gcd

import numpy as np

from anyseq.errors import DataError, MissingExtraError


@dataclass(frozen=True)
class Wave:
    """A recording.

    Attributes:
        samples: In [-1, 1], float32; of several channels their mean.
        sample_rate_hz: Samples a second.
        channels: How many there were.
    """

    samples: np.ndarray
    sample_rate_hz: int
    channels: int


def read_wave(path: str) -> Wave:
    """Read a WAV file of whole numbers (PCM, 8 to 32 bits).

    Raises:
        DataError: it is missing, damaged, empty or of another kind.
    """
    with _opened(path) as file:
        channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
        content = file.readframes(file.getnframes())
    frames = np.frombuffer(content[: len(content) // (width * channels) * width * channels], dtype=np.uint8)
    if not frames.size:
        raise DataError("the recording is empty", path)
    return Wave(_floats(frames, width).reshape(-1, channels).mean(1, dtype=np.float32), rate, channels)


@dataclass(frozen=True)
class Header:
    """What a WAV file says of itself.

    Attributes:
        sample_rate_hz: Samples a second.
        channels: How many there are.
        seconds: How long it is.
    """

    sample_rate_hz: int
    channels: int
    seconds: float


def read_header(path: str) -> Header:
    """What a WAV file says of itself, without its sound.

    Raises:
        DataError: as `read_wave`.
    """
    with _opened(path) as file:
        rate = file.getframerate()
        return Header(rate, file.getnchannels(), file.getnframes() / max(1, rate))


@contextmanager
def _opened(path: str) -> Iterator[wave.Wave_read]:
    try:
        with wave.open(path) as file:
            yield file
    except FileNotFoundError:
        raise DataError("there is no such recording", path) from None
    except (wave.Error, EOFError, OSError) as fault:
        raise DataError(f"this is no WAV file of whole numbers (PCM): {_reason(fault)}; convert it", path) from None


def _reason(fault: Exception) -> str:
    return "it ends too early to be one" if isinstance(fault, EOFError) else str(fault)


def _floats(content: np.ndarray, width: int) -> np.ndarray:
    """Bytes of samples, the lowest first, as numbers in [-1, 1]; those of one byte have no sign."""
    if width == 1:
        return (content.astype(np.float32) - 128) / 128
    high = np.zeros((content.size // width, 4), dtype=np.uint8)
    high[:, 4 - width :] = content.reshape(-1, width)
    return high.view("<i4")[:, 0].astype(np.float32) / 2**31


def resampled(samples: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """The same sound at another rate, by a polyphase filter.

    Raises:
        MissingExtraError: SciPy is not installed, and the rates differ.
    """
    if from_hz == to_hz:
        return samples
    try:
        from scipy.signal import resample_poly
    except ImportError as error:
        raise MissingExtraError("scipy", "examples") from error
    common = gcd(from_hz, to_hz)
    return resample_poly(samples, to_hz // common, from_hz // common).astype(np.float32)
