"""MIDI files as frames of sounding keys, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from anyseq.errors import DataError, MissingExtraError

LOWEST, KEYS = 21, 88
"""MIDI number of a piano's lowest key, and how many there are."""

_PERCUSSION = 9  # the channel whose keys are drums
_TICKS = 480
_VELOCITY = 80


def read_midi(path: str, frame_beats: float) -> np.ndarray:
    """Read which keys sound in each frame [frame, key], as booleans.

    A key sounds in a frame if it does so a quarter of a frame after that has begun: what was played a little late or
    held a little long is where it was meant. All tracks and channels count, save percussion; how loud, and whether a
    key that goes on sounding was struck anew, is lost. Frames end with the last note; keys beyond a piano's are left
    out.

    Args:
        path: The file.
        frame_beats: Length of a frame, in beats (quarters).

    Raises:
        DataError: it is missing, damaged, of a kind without beats, or without a note.
        MissingExtraError: mido is not installed.
    """
    notes, ticks = _notes(path)
    frame = ticks * frame_beats
    spans = [(_frame_of(begin, frame), _frame_of(end, frame), key - LOWEST) for begin, end, key in notes]
    spans = [span for span in spans if span[0] < span[1] and 0 <= span[2] < KEYS]
    if not spans:
        held = f"{len(notes):,} notes, of which none is long enough for a frame of {frame_beats:g} beats, or a piano's"
        raise DataError(f"there is no music in this file ({held if notes else 'no notes'}); leave it out", path)
    roll = np.zeros((max(end for _, end, _ in spans), KEYS), dtype=bool)
    for begin, end, key in spans:
        roll[begin:end, key] = True
    return roll


def write_midi(roll: np.ndarray, path: Path, frame_beats: float, tempo_bpm: float) -> None:
    """Write frames as a file of one track; a key that sounds in frames one after the other is one note.

    Args:
        roll: Which keys sound [frame, key].
        path: The file to write.
        frame_beats: Length of a frame, in beats (quarters).
        tempo_bpm: Beats a minute.

    Raises:
        MissingExtraError: mido is not installed.
    """
    library = mido()
    file = library.MidiFile(ticks_per_beat=_TICKS)
    track = file.add_track()
    track.append(library.MetaMessage("set_tempo", tempo=library.bpm2tempo(tempo_bpm)))
    silent = np.zeros((1, KEYS), dtype=np.int8)
    changes = np.diff(np.concatenate([silent, roll.astype(np.int8), silent]), axis=0)
    last = 0
    for frame, change in enumerate(changes):
        now = round(frame * frame_beats * _TICKS)
        for kind, sign in (("note_off", -1), ("note_on", 1)):
            for key in np.flatnonzero(change == sign).tolist():
                track.append(library.Message(kind, note=key + LOWEST, velocity=_VELOCITY, time=now - last))
                last = now
    track.append(library.MetaMessage("end_of_track", time=round(len(roll) * frame_beats * _TICKS) - last))
    file.save(path)


def _frame_of(tick: int, frame: float) -> int:
    """The first frame whose point of looking is not before a tick."""
    return max(0, int(np.ceil(tick / frame - 0.25)))


def _notes(path: str) -> tuple[list[tuple[int, int, int]], int]:
    """Begin, end (in ticks) and key of each note, and the ticks of a beat."""
    library = mido()
    try:
        file = library.MidiFile(path)
        messages = list(library.merge_tracks(file.tracks))
    except FileNotFoundError:
        raise DataError("there is no such file", path) from None
    except Exception as fault:  # whatever mido stumbles over in a damaged file
        reason = "it ends too early" if isinstance(fault, EOFError) else f"{type(fault).__name__}: {fault}"
        raise DataError(f"this is no MIDI file, or a damaged one ({reason})", path) from None
    if file.type == 2 or not 0 < file.ticks_per_beat < 0x8000:
        raise DataError("this MIDI file has no common beats (type 2, or SMPTE time); save it as type 1", path)
    return _spans(messages), file.ticks_per_beat


def _spans(messages: list[Any]) -> list[tuple[int, int, int]]:
    now, notes = 0, []
    sounding: dict[tuple[int, int], int] = {}
    for message in messages:
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == _PERCUSSION:
            continue
        place = message.channel, message.note
        if place in sounding:  # struck anew, it ends, too
            notes.append((sounding.pop(place), now, message.note))
        if message.type == "note_on" and message.velocity:
            sounding[place] = now
    return [*notes, *((begin, now, note) for (_, note), begin in sounding.items())]


def mido() -> Any:
    """The library that knows MIDI.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import mido as library
    except ImportError as error:
        raise MissingExtraError("mido", "examples") from error
    return library
