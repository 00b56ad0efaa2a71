"""Progressions in four voices, of four styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from anyseq.core import Item
from anyseq.data.synthetic.base import SizedGeneratorConfig, collect, split_of

MAJOR, MINOR, SEVENTH, DIMINISHED = (0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 6)
_HELD_OUT = 0.1
_FREE = 4  # chords of a phrase between the first and the cadence
_INVERTED, _PASSING = 0.1, 0.2
_USUAL = (8, 2, 1, 1, 1)
"""Weights of what may stand at a place, the most usual first."""
_BASS, _UPPER = (36, 55), (52, 77)


@dataclass(frozen=True)
class _Style:
    """A collection.

    Attributes:
        scale: Semitones above the tonic, for passing notes.
        chords: Root above the tonic, and tones above the root, by name; the first is the tonic's.
        follows: What may follow what, the most usual first.
        cadences: What a phrase ends with, the most usual first.
    """

    scale: Sequence[int]
    chords: Mapping[str, tuple[int, Sequence[int]]]
    follows: Mapping[str, Sequence[str]]
    cadences: Sequence[Sequence[str]]


_STYLES = {
    "major": _Style(
        (0, 2, 4, 5, 7, 9, 11),
        {"I": (0, MAJOR), "ii": (2, MINOR), "iii": (4, MINOR), "IV": (5, MAJOR), "V": (7, MAJOR), "vi": (9, MINOR),
            "V7": (7, SEVENTH)},
        {"I": ("IV", "V", "vi", "ii", "iii"), "ii": ("V", "V7"), "iii": ("vi", "IV"), "IV": ("V", "I", "ii", "V7"),
            "V": ("I", "vi"), "vi": ("ii", "IV", "V"), "V7": ("I", "vi")},
        (("ii", "V7", "I"), ("IV", "V", "I"), ("IV", "V7", "I")),
    ),
    "minor": _Style(
        (0, 2, 3, 5, 7, 8, 11),
        {"i": (0, MINOR), "ii": (2, DIMINISHED), "III": (3, MAJOR), "iv": (5, MINOR), "V": (7, MAJOR),
            "VI": (8, MAJOR), "V7": (7, SEVENTH)},
        {"i": ("iv", "V", "VI", "ii", "III"), "ii": ("V", "V7"), "III": ("VI", "iv"), "iv": ("V", "i", "ii", "V7"),
            "V": ("i", "VI"), "VI": ("ii", "iv", "V"), "V7": ("i", "VI")},
        (("ii", "V7", "i"), ("iv", "V", "i"), ("iv", "V7", "i")),
    ),
    "dorian": _Style(
        (0, 2, 3, 5, 7, 9, 10),
        {"i": (0, MINOR), "ii": (2, MINOR), "III": (3, MAJOR), "IV": (5, MAJOR), "v": (7, MINOR), "VII": (10, MAJOR)},
        {"i": ("IV", "VII", "v", "III"), "ii": ("v", "i"), "III": ("IV", "VII"), "IV": ("i", "VII", "ii"),
            "v": ("i", "IV"), "VII": ("i", "IV")},
        (("IV", "VII", "i"), ("ii", "v", "i"), ("III", "VII", "i")),
    ),
    "blues": _Style(
        (0, 3, 5, 6, 7, 10),
        {"I7": (0, SEVENTH), "IV7": (5, SEVENTH), "V7": (7, SEVENTH)},
        {"I7": ("IV7", "I7"), "IV7": ("I7", "IV7"), "V7": ("IV7", "I7")},
        (("V7", "IV7", "I7"), ("I7", "V7", "I7")),
    ),
}  # fmt: skip


class CadencesConfig(SizedGeneratorConfig):
    """Progressions of two or three phrases of eight chords, each ending with a cadence, in any of the twelve keys.

    The styles (the targets) are major, minor, dorian and blues. Bass and three voices above it, each chord as near as
    can be to the one before; a chord lasts two frames, in the second of which the highest voice may pass on, and a
    phrase's last one four. A source is frames of keys as text.
    """

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split."""
        draw = Random(f"{self.seed} {split}")

        def piece() -> dict[str, str] | None:
            name = draw.choice(list(_STYLES))
            text = _piece(_STYLES[name], draw)
            return {"source": text, "target": name} if split_of(text, self.seed, _HELD_OUT) == split else None

        return collect(split, self.size(split), piece)


def _piece(style: _Style, draw: Random) -> str:
    tonic, tonic_chord = draw.randrange(12), next(iter(style.chords))
    phrases = [_phrase(style, tonic_chord, draw) for _ in range(draw.choice((2, 3)))]
    bass, upper = draw.randint(40, 50), (draw.randint(57, 62), draw.randint(62, 67), draw.randint(67, 72))
    frames: list[tuple[int, ...]] = []
    for phrase in phrases:
        for place, name in enumerate(phrase, 1):
            root, tones = style.chords[name]
            bass = _bass(tonic + root + (tones[1] if draw.random() < _INVERTED else 0), bass)
            upper = _voiced([(tonic + root + tone) % 12 for tone in tones[-3:]], upper)
            frames.append((bass, *upper))
            if place == len(phrase):
                frames += [frames[-1]] * 3
            else:
                near = [step for step in (-2, -1, 1, 2) if (upper[-1] + step - tonic) % 12 in style.scale]
                passing = draw.choice(near or [0]) if draw.random() < _PASSING else 0
                frames.append((bass, *upper[:-1], upper[-1] + passing))
    return " ".join("+".join(map(str, sorted(set(frame)))) for frame in frames)


def _phrase(style: _Style, first: str, draw: Random) -> list[str]:
    chords = [first]
    for _ in range(_FREE):
        follows = style.follows[chords[-1]]
        chords += draw.choices(follows, _USUAL[: len(follows)])
    return [*chords, *draw.choices(style.cadences, _USUAL[: len(style.cadences)])[0]]


def _bass(pitch: int, before: int) -> int:
    """The pitch of this class that is nearest to the one before, the lower of two."""
    return min((each for each in range(*_BASS) if each % 12 == pitch % 12), key=lambda each: (abs(each - before), each))


def _voiced(classes: Sequence[int], before: Sequence[int]) -> tuple[int, int, int]:
    """The close position of three pitch classes with the least movement from the voices before."""
    found = []
    for turned in range(3):
        order = [*classes[turned:], *classes[:turned]]
        for low in (each for each in range(*_UPPER) if each % 12 == order[0]):
            middle = low + (order[1] - low) % 12
            high = middle + (order[2] - middle) % 12
            if high < _UPPER[1]:
                found.append((low, middle, high))
    return min(found, key=lambda each: (sum(abs(a - b) for a, b in zip(each, before, strict=True)), each))
