"""Whether line n of one text belongs to line n of another, found from the texts alone, whatever the languages.

A line becomes numbers: its length, and how often it has each of the most frequent characters and character trigrams,
less the mean of the lines around it (so that sorted texts, in which neighbours are alike, look no different). How well
the numbers of one side foretell those of the other is measured at all offsets at once, by Fourier transforms. The
offsets that stand out teach the canonical correlations of the two sides; by these every pair is scored, and all lines
are explained by as few stretches of one offset as can be, by dynamic programming.

Source:
    Hotelling 1936, Relations between two sets of variates: canonical correlations. Gale and Church 1993 align by
    lengths and dynamic programming; that what else goes together is learnt, and at every offset, is ours.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Complex, Float, Int, UInt
from torch import Tensor

FEWEST = 200
"""Lines below which nothing can be learnt."""
AROUND = 16
"""Lines whose mean is taken off each of them; offsets below are not quite independent of each other."""

_CHUNK = 4096  # lines turned into numbers at a time
_SAMPLE = 20_000  # lines in which what is frequent is counted
_BUCKETS = 1 << 15  # of the hash of characters and trigrams
_NUMBERS, _LINES_A_NUMBER = 64, 32  # of a line, at most; lines there must be for each
_LARGEST_COUNT = 3  # a character that comes oftener in a line says no more
_SMALLEST_VARIANCE = 1e-3  # relative to the largest
_SCANNED, _SCANNED_OF_MANY, _MANY = 16, 8, 40_000  # numbers compared at all offsets; of so many lines fewer suffice
_HIGHEST_PEAK = 4.0  # of a spectrum, relative to its mean
STANDS_OUT = 8.0  # standard deviations; the most that chance made, of some 10,000 offsets, was below
_SHARE_OF_BEST = 0.1  # that an offset must stand out
NEAR = (0, 1, -1, 2, -2, 3, -3)  # offsets always tried
_OFFSETS = 10  # offsets that are tried because they stand out
_VARIATES, _LARGEST_VARIATE = 32, 3.0
_ABOVE_CHANCE, _LARGEST_CORRELATION = 1.2, 0.95
_LARGEST_SCORE = 4.0  # nats; one pair alone proves nothing
_CHANGE = 20.0  # nats that a change of offset must be worth, besides the logarithm of its possible places

Lines = Float[np.ndarray, "line _"]
"""The numbers (or the canonical variates) of each line."""


@dataclass(frozen=True)
class Stretch:
    """Lines explained by one offset.

    Attributes:
        first, last: The first line and the one behind the last, counted from 0.
        offset: Line n of the source fits line n + offset of the target; None: no offset fits, the pairs are as lines
            drawn at random.
        gain: How much more likely (in nats) than that the lines belong together as they stand.
        about: Whether first and last are known roughly only.
    """

    first: int
    last: int
    offset: int | None
    gain: float = 0.0
    about: bool = False

    @property
    def count(self) -> int:
        """Lines."""
        return self.last - self.first


@dataclass(frozen=True)
class Order:
    """Whether two texts are in the same order.

    Attributes:
        relation: What goes together in them; None: nothing does, at any offset.
        stretches: The lines that do not fit as they stand.
        as_they_stand: Whether the pairs as they stand have something in common, whatever fits better.
    """

    relation: Relation | None
    stretches: Sequence[Stretch]
    as_they_stand: bool


@dataclass(frozen=True)
class Numbers:
    """How the lines of one side become numbers: uncorrelated, of variance 1, those that varied most first.

    Attributes:
        columns: The column of each hash of a character or trigram that is counted; 0 for the others.
        mean: Of the columns, of which the first is the length.
        whiten: From the columns to the numbers.
    """

    columns: Int[np.ndarray, " bucket"]
    mean: Float[np.ndarray, " column"]
    whiten: Float[np.ndarray, "column number"]

    @classmethod
    def of(cls, lines: Sequence[str], most: int) -> tuple[Numbers, Lines]:
        """Learn from lines what their numbers are, at most so many; gives those of these lines, too."""
        sample = lines[:: max(1, len(lines) // _SAMPLE)]
        seen = np.zeros(_BUCKETS, np.int64)
        for at in range(0, len(sample), _CHUNK):
            seen += np.bincount(_grams(sample[at : at + _CHUNK])[0], minlength=_BUCKETS)
        frequent = np.argsort(-seen, kind="stable")[: most - 1]
        frequent = frequent[seen[frequent] > 0]
        columns = np.zeros(_BUCKETS, np.int64)
        columns[frequent] = np.arange(1, len(frequent) + 1)
        width = 1 + len(frequent)
        raw = cls(columns, np.zeros(width, np.float32), np.eye(width, dtype=np.float32))(lines)
        mean = raw.mean(0)
        raw -= mean
        variances, directions = np.linalg.eigh((raw.T @ raw).astype(np.float64) / len(lines))
        kept = np.flatnonzero(variances > max(_SMALLEST_VARIANCE * variances[-1], 1e-9))[::-1]
        whiten = (directions[:, kept] / np.sqrt(variances[kept])).astype(np.float32)
        return cls(columns, mean, whiten), raw @ whiten

    def __call__(self, lines: Sequence[str]) -> Lines:
        """The numbers of some lines."""
        numbers = np.empty((len(lines), self.whiten.shape[1]), np.float32)
        for at in range(0, len(lines), _CHUNK):
            numbers[at : at + _CHUNK] = (self._raw(lines[at : at + _CHUNK]) - self.mean) @ self.whiten
        return numbers

    def _raw(self, lines: Sequence[str]) -> Float[np.ndarray, "line column"]:
        """Length and counts, less their means over the lines around."""
        grams, rows, lengths = _grams(lines)
        columns, width = self.columns[grams], len(self.mean)
        places = rows[columns > 0] * width + columns[columns > 0]
        counts = np.bincount(places, minlength=len(lines) * width).reshape(len(lines), width)
        raw = np.minimum(counts, _LARGEST_COUNT).astype(np.float32)
        raw[:, 0] = 2 * np.log1p(lengths)
        whole = len(lines) // AROUND * AROUND
        for part in (raw[:whole].reshape(-1, AROUND, width), raw[None, whole:]):
            if part.size:
                part -= part.mean(1, keepdims=True)
        return raw


def _grams(
    lines: Sequence[str],
) -> tuple[UInt[np.ndarray, " gram"], Int[np.ndarray, " gram"], Int[np.ndarray, " line"]]:
    """Hashes of all characters and trigrams, the line of each, and the lengths of the lines."""
    lines = [line.lower() for line in lines]
    lengths = np.fromiter(map(len, lines), np.int64, len(lines))
    text = "".join([f"  {line} " for line in lines]).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(text, np.uint32)
    rows = np.repeat(np.arange(len(lines)), lengths + 3)
    trigrams = codes[2:] + codes[1:-1] * np.uint32(0x85EBCA77) + codes[:-2] * np.uint32(0xC2B2AE3D)
    within = rows[:-2] == rows[2:]
    hashes = np.concatenate([codes + np.uint32(0x51ED270B), trigrams[within]]) * np.uint32(0x9E3779B1)
    hashes ^= hashes >> np.uint32(15)
    hashes *= np.uint32(0x2C1B3C6D)
    return hashes >> np.uint32(17), np.concatenate([rows, rows[:-2][within]]), lengths


@dataclass(frozen=True)
class Relation:
    """What goes together in two texts.

    Attributes:
        numbers: Of each side.
        directions: Of each side, from its numbers to its canonical variates.
        correlations: Of these, the largest first.
        strength: Standard deviations by which pairs stand out from lines drawn apart, over the root of their number.
    """

    numbers: tuple[Numbers, Numbers]
    directions: tuple[Float[np.ndarray, "number variate"], Float[np.ndarray, "another variate"]]
    correlations: Float[np.ndarray, " variate"]
    strength: float = 0.0

    def order(self, source: Sequence[str], target: Sequence[str]) -> Order:
        """Whether two other texts of the same kinds, of equally many lines, are in the same order."""
        variates = self.variates([self.numbers[0](source), self.numbers[1](target)])
        as_they_stand = bool(self.standing(variates)[0] > STANDS_OUT)
        return Order(self, self.unfit(variates, self.explain(variates)), as_they_stand)

    def variates(self, sides: Sequence[Lines]) -> list[Lines]:
        """Canonical variates of both sides, from their numbers."""
        pairs = zip(sides, self.directions, strict=True)
        return [np.clip(side @ direction, -_LARGEST_VARIATE, _LARGEST_VARIATE) for side, direction in pairs]

    def scores(self, variates: Sequence[Lines], offset: int) -> Float[np.ndarray, " line"]:
        """How much likelier (in nats) each line of the source and that of the target are as a pair than drawn apart."""
        source, target, r = variates[0], np.roll(variates[1], -offset, 0), self.correlations
        both, own = r / (1 - r * r), r * r / (2 * (1 - r * r))
        scores = (source * target) @ both - (source * source + target * target) @ own
        return np.clip(scores - 0.5 * np.log1p(-r * r).sum(), -_LARGEST_SCORE, _LARGEST_SCORE)

    def standing(self, variates: Sequence[Lines]) -> Float[np.ndarray, " offset"]:
        """How far each offset stands out from the others, in standard deviations."""
        source, target = (_spectrum(side) for side in variates)
        power = torch.from_numpy(self.correlations)[:, None] * source.conj() * target
        return _standing_out(torch.fft.irfft(power.sum(0), len(variates[0])).numpy())

    def explain(self, variates: Sequence[Lines], offsets: Sequence[int] = ()) -> list[Stretch]:
        """Explain all lines by as few stretches as can be.

        Args:
            variates: Of both sides.
            offsets: To be tried besides those near 0 and those that stand out.
        """
        tried = list(dict.fromkeys([*NEAR, *offsets, *_highest(self.standing(variates))]))
        by_chance = np.zeros(len(variates[0]), np.float32)
        scores = np.stack([*(self.scores(variates, offset) for offset in tried), by_chance])
        change = _CHANGE + math.log(scores.shape[1])
        if not _any_gain(scores[1:] - scores[0], change):
            return [Stretch(0, scores.shape[1], 0)]
        path = _likeliest_path(scores, change)
        places = np.array([*tried, 0])[path] + np.arange(len(path))
        wrapped = (places >= len(path)).astype(int) - (places < 0)  # offsets count on from the other end
        gains = scores[path, np.arange(len(path))] - scores[0]
        ends = np.flatnonzero(np.diff(path) | np.diff(wrapped)) + 1
        return [
            Stretch(
                first,
                last,
                None if path[first] == len(tried) else tried[path[first]] - int(wrapped[first]) * len(path),
                float(gains[first:last].sum()),
            )
            for first, last in itertools.pairwise([0, *ends.tolist(), len(path)])
        ]

    def unfit(self, variates: Sequence[Lines], stretches: Sequence[Stretch]) -> list[Stretch]:
        """Those stretches whose lines fit elsewhere, or nowhere.

        A part of another kind, whose lines belong together in another way, fits nowhere either; so lines that fit
        nowhere must be enough to tell, and have nothing in common as they stand.
        """
        return [each for each in stretches if each.offset or (each.offset is None and self._random(variates, each))]

    def _random(self, variates: Sequence[Lines], stretch: Stretch) -> bool:
        standing = self.standing([side[stretch.first : stretch.last] for side in variates])
        return self.strength * math.sqrt(stretch.count) > 2 * STANDS_OUT and bool(standing[0] < STANDS_OUT / 2)


def learn(source: Sequence[str], target: Sequence[str]) -> Order:
    """Learn what goes together in two texts of equally many lines, at least `FEWEST`, in whatever order these are."""
    lines = len(source)
    most = min(_NUMBERS, max(8, lines // _LINES_A_NUMBER))
    (from_source, sources), (from_target, targets) = Numbers.of(source, most), Numbers.of(target, most)
    numbers, sides = (from_source, from_target), (sources, targets)
    scanned = _SCANNED if lines < _MANY else _SCANNED_OF_MANY
    standing = _scan(*(side[:, :scanned] for side in sides))
    offsets = [offset for offset in _highest(standing) if standing[offset] > _SHARE_OF_BEST * standing.max()]
    if not offsets:
        return Order(None, [Stretch(0, lines, None)], as_they_stand=False)
    pairs = [Stretch(0, lines, offset) for offset in offsets]
    for _ in range(2):  # which offset the first round found for each line teaches the second
        relation = _correlate(numbers, sides, pairs)
        variates = relation.variates(sides)
        stretches = relation.explain(variates, offsets)
        pairs = [each for each in stretches if each.offset is not None]
        if not pairs or stretches == [Stretch(0, lines, 0)]:
            break
    relation = replace(relation, strength=float(relation.standing(variates).max()) / math.sqrt(lines))
    return Order(relation, relation.unfit(variates, stretches), bool(standing[0] > STANDS_OUT))


def _correlate(numbers: tuple[Numbers, Numbers], sides: Sequence[Lines], pairs: Sequence[Stretch]) -> Relation:
    """Canonical correlations of the lines that some stretches, each with an offset, put together."""
    source, target = sides
    covariance = np.zeros((source.shape[1], target.shape[1]))
    for each in pairs:
        fitting = (np.arange(each.first, each.last) + (each.offset or 0)) % len(target)
        covariance += source[each.first : each.last].T @ target[fitting]
    count = sum(each.count for each in pairs)
    left, found, right = np.linalg.svd(covariance / count, full_matrices=False)
    by_chance = sum(math.sqrt(side.shape[1]) for side in sides) / math.sqrt(count)  # the largest of no relation
    kept = int(np.clip((found > _ABOVE_CHANCE * by_chance).sum(), 1, _VARIATES))
    correlations = np.sqrt(np.clip(found[:kept] ** 2 - by_chance**2, 1e-4, _LARGEST_CORRELATION**2))
    directions = left[:, :kept].astype(np.float32), right[:kept].T.astype(np.float32)
    return Relation(numbers, directions, correlations.astype(np.float32))


def _scan(source: Lines, target: Lines) -> Float[np.ndarray, " line"]:
    """How far each offset stands out by the squared covariances of all numbers of one side with all of the other."""
    if not source.shape[1] or not target.shape[1]:  # a side whose lines are all alike
        return np.zeros(len(source))
    sources, targets = _spectrum(source), _spectrum(target)
    power = torch.zeros(len(source))
    for each in sources.conj():  # one by one, to spare memory
        power += torch.fft.irfft(each * targets, len(source)).square().sum(0)
    return _standing_out(power.numpy())


def _spectrum(numbers: Lines) -> Complex[Tensor, "number frequency"]:
    """The Fourier transform of each number, without what comes back regularly (every second line is longer, say)."""
    spectrum = torch.fft.rfft(torch.from_numpy(np.ascontiguousarray(numbers.T)))
    heights = spectrum.abs()
    return spectrum * (_HIGHEST_PEAK * heights.mean(1, keepdim=True) / heights.clamp(min=1e-12)).clamp(max=1)


def _standing_out(values: Float[np.ndarray, " offset"]) -> Float[np.ndarray, " offset"]:
    """Distance from the median, in robust standard deviations."""
    middle = np.median(values)
    deviation = max(1.4826 * float(np.median(np.abs(values - middle))), 0.1 * float(values.std()))
    return (values - middle) / (deviation or 1.0)


def _highest(standing: Float[np.ndarray, " offset"]) -> list[int]:
    """The offsets that stand out most, as numbers around 0, the best first."""
    best = [place for place in np.argsort(-standing)[:_OFFSETS].tolist() if standing[place] > STANDS_OUT]
    return [place if place <= len(standing) // 2 else place - len(standing) for place in best]


def _any_gain(gains: Float[np.ndarray, "row line"], change: float) -> bool:
    """Whether any run of lines of any row gains the two changes it costs, or the one where it lasts to the end."""
    sums = np.cumsum(np.pad(gains, ((0, 0), (1, 0))), 1, dtype=np.float64)
    lows = np.minimum.accumulate(sums, 1)
    return bool((sums - lows).max() > 2 * change or (sums[:, -1] - lows[:, -1]).max() > change)


def _likeliest_path(scores: Float[np.ndarray, "row line"], change: float) -> Int[np.ndarray, " line"]:
    """The row of each line such that the scores add up to most; a change of row costs, and not beginning in row 0."""
    rows, lines = scores.shape
    stay = np.arange(rows, dtype=np.int16)
    came_from = np.empty((lines, rows), np.int16)
    total = np.where(stay == 0, 0.0, -change)
    for line in range(lines):
        best = int(total.argmax())
        came_from[line] = np.where(total < total[best] - change, best, stay)
        total = np.maximum(total, total[best] - change) + scores[:, line]
    path = np.empty(lines, np.int64)
    row = int(total.argmax())
    for line in range(lines - 1, -1, -1):
        path[line] = row
        row = int(came_from[line, row])
    return path
