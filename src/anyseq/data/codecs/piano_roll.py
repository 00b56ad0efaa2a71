"""Music as a piano roll: which of a piano's 88 keys sound in each frame."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Literal, Self, final

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from anyseq.core import Codec, Item, Vectors
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.midi import KEYS, LOWEST, mido, read_midi, write_midi
from anyseq.data.prefixes import Step
from anyseq.errors import DataError, ModelFolderError

_FILE = "codec.json"
_MIDI = (".mid", ".midi")
_SILENCE = "-"
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_KEY = re.compile(r"([A-Ga-g])([#b]?)(\d)|(\d{2,3})")

Notation = Literal["names", "numbers"]


@final
class PianoRoll(Codec):
    """A piece as vectors of 88 keys, from MIDI number 21 (A0) to 108 (C8): 1 where a key sounds.

    A raw value is the name of a MIDI file (`.mid`, `.midi`), an array [frame, 88], or a text: frames between spaces,
    the keys of each with `+` between (`C3+G3+E4+C5`, flats and sharps, or MIDI numbers: `48+55+64+72`), `-` where
    nothing sounds.

    Law: decode(encode(x)) is the text with sharps, keys in ascending order.

    Args:
        frame_beats: Length of a frame in beats (quarters), for MIDI files.
        tempo_bpm: Beats a minute of the files it writes.
        notation: How `decode` writes keys.
        transpose: Training hears a piece moved by up to so many semitones, as far as the keyboard reaches.
        least_frames: Training hears a piece's beginning, of at least so many frames; None: all of it.
        most_frames: And of at most so many; None: up to all of it.
    """

    def __init__(
        self,
        frame_beats: float = 1.0,
        tempo_bpm: float = 100.0,
        notation: Notation = "names",
        transpose: int = 0,
        least_frames: int | None = None,
        most_frames: int | None = None,
    ) -> None:
        self.frame_beats, self.tempo_bpm, self.notation = frame_beats, tempo_bpm, notation
        self.transpose, self.least_frames, self.most_frames = transpose, least_frames, most_frames
        self.stream = Vectors(KEYS)

    def encode(self, raw: Any) -> Float[Tensor, "time key"]:
        """Encode a piece.

        Raises:
            DataError: it is none; the message names the file, or the frame.
        """
        return torch.from_numpy(self._roll(raw)).float()

    def _roll(self, raw: Any) -> np.ndarray:
        if not isinstance(raw, str):
            return _from_array(np.asarray(raw))
        if names_midi(raw):
            return _from_file(raw.strip(), self.frame_beats)
        return _from_text(raw)

    def augment(self, raw: Any, seed: int) -> Float[Tensor, "time key"]:
        """The same moved up or down, or its beginning."""
        draw, roll = Random(seed), self.encode(raw)
        sounding = roll.any(0).nonzero()
        if len(sounding):
            down, up = int(sounding[0]), KEYS - 1 - int(sounding[-1])
            roll = roll.roll(draw.randint(-min(self.transpose, down), min(self.transpose, up)), 1)
        most = min(self.most_frames or len(roll), len(roll))
        least = most if self.least_frames is None else min(self.least_frames, most)
        return roll[: draw.randint(least, most)]

    @property
    def augments(self) -> bool:
        """Whether training hears pieces moved, or shortened."""
        return self.transpose > 0 or self.least_frames is not None or self.most_frames is not None

    def decode(self, values: Float[Tensor, "time key"], item: Item | None = None) -> str:
        """The piece as a text, in which a key sounds from 0.5 on."""
        return " ".join(
            "+".join(self._written(key + LOWEST) for key in np.flatnonzero(frame).tolist()) or _SILENCE
            for frame in (values >= 0.5).numpy()
        )

    def _written(self, number: int) -> str:
        return str(number) if self.notation == "numbers" else f"{_NAMES[number % 12]}{number // 12 - 1}"

    def refuse_to_write(self) -> None:
        """Refuse to write files where that will not do, before there is anything to write.

        Raises:
            MissingExtraError: mido is not installed.
        """
        mido()

    def write(self, text: str, path: Path) -> None:
        """Write a piece that `decode` gave as a MIDI file.

        Raises:
            MissingExtraError: mido is not installed.
        """
        write_midi(self._roll(text), path, self.frame_beats, self.tempo_bpm)

    def save(self, folder: Path) -> None:
        """Write `codec.json`."""
        names = ("frame_beats", "tempo_bpm", "notation", "transpose", "least_frames", "most_frames")
        (folder / _FILE).write_text(json.dumps({name: getattr(self, name) for name in names}), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelFolderError: the file is missing or is none of ours.
        """
        path = folder / _FILE
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as fault:
            raise ModelFolderError(
                f"{path} is no codec of this kind ({fault!r}); copy the model folder again, whole"
            ) from None


class PianoRollConfig(CodecConfig):
    """Music, as the piano's keys that sound in each frame: a MIDI file, a text, or an array [frame, 88]."""

    reads_files: ClassVar[bool] = True
    endings: ClassVar[tuple[str, ...]] = _MIDI
    steps: ClassVar[tuple[Step, ...]] = ("frames",)
    in_training: ClassVar[tuple[str, ...]] = ("transpose", "least_frames", "most_frames")

    frame_beats: float = Field(1.0, gt=0, description="length of a frame in beats (quarters), for MIDI files")
    tempo_bpm: float = Field(100.0, ge=1, le=1000, description="beats a minute of the MIDI files that are written")
    notation: Notation = Field(
        "names", description="how keys are written: C4, F#4, or as MIDI numbers, 60, 66; both are read"
    )
    transpose: int = Field(
        0, ge=0, lt=KEYS, description="training hears pieces moved by up to so many semitones, within the keyboard"
    )
    least_frames: int | None = Field(
        None, ge=1, description="training hears beginnings of pieces, of at least so many frames; null: all of each"
    )
    most_frames: int | None = Field(None, ge=1, description="and of at most so many; null: up to all of each")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least_frames is not None and self.most_frames is not None and self.least_frames > self.most_frames:
            raise ValueError(f"least_frames={self.least_frames} is above most_frames={self.most_frames}: swap them")
        return self

    def names_file(self, raw: str) -> bool:
        """Anything else is a text."""
        return names_midi(raw)

    def fit(self, raws: Iterable[Any]) -> PianoRoll:
        """Nothing is learnt: there are 88 keys."""
        return PianoRoll(**self.model_dump(include=set(type(self).model_fields)))

    def load(self, folder: Path) -> PianoRoll:
        """Read a codec of this kind that `PianoRoll.save` wrote; training hears as these settings say."""
        codec = PianoRoll.load(folder)
        for name in self.in_training:
            setattr(codec, name, getattr(self, name))
        return codec


def names_midi(raw: str) -> bool:
    """Whether a text is the name of a MIDI file."""
    return raw.strip().lower().endswith(_MIDI)


def _from_array(roll: np.ndarray) -> np.ndarray:
    if roll.ndim != 2 or roll.shape[1] != KEYS or not bool(np.isin(roll, (0, 1)).all()):
        raise DataError(
            f"a piece is an array [frame, {KEYS}] of 0 and 1, key 0 being MIDI number {LOWEST}; this is one of shape "
            f"{list(roll.shape)} and type {roll.dtype}"
        )
    return roll.astype(bool)


def _from_text(text: str) -> np.ndarray:
    frames = text.split()
    roll = np.zeros((len(frames), KEYS), dtype=bool)
    for number, frame in enumerate(frames):
        for key in frame.split("+") if frame != _SILENCE else ():
            roll[number, _key(key, number + 1) - LOWEST] = True
    return roll


def _key(written: str, frame: int) -> int:
    found = _KEY.fullmatch(written)
    number = -1
    if found is not None and found[4]:
        number = int(found[4])
    elif found is not None:
        number = 12 * (int(found[3]) + 1) + _STEPS[found[1].upper()] + {"": 0, "#": 1, "b": -1}[found[2]]
    if not LOWEST <= number < LOWEST + KEYS:
        raise DataError(
            f"frame {frame}: {written!r:.40} is none of a piano's keys: A0 to C8 (C4, F#4, Bb4), or as MIDI numbers "
            f"{LOWEST} to {LOWEST + KEYS - 1}; a frame is keys with + between (C3+E4), or {_SILENCE}"
        )
    return number


def _from_file(path: str, frame_beats: float) -> np.ndarray:
    """A file's frames, which are kept: training hears a piece again and again."""
    try:
        changed = Path(path).stat().st_mtime_ns
    except OSError:
        changed = 0  # reading it will say what is wrong
    return _kept(path, frame_beats, changed)


@lru_cache(maxsize=10_000)
def _kept(path: str, frame_beats: float, changed: int) -> np.ndarray:
    return read_midi(path, frame_beats)
