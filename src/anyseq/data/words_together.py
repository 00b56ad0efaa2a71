"""Which words of two texts come together, where nothing else tells whether their lines are in the same order.

In long lines of which one word matters, lengths and frequent characters say nothing. So for a few offsets and for some
drawn at random it is measured how much more often than by chance any two words are in lines that belong together.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from jaxtyping import Float, Int

from anyseq.data.order import NEAR, STANDS_OUT, Order, Stretch

_RAREST = 3  # lines a word must be in
_PARTS, _LINES_OF_A_PART = 8, 400  # parts of the text that are judged alone; lines there must be for each
_LOOKED_AT, _PAIRS_LOOKED_AT = 1000, 1 << 20  # lines of a part, and pairs of words in them, at most
_BY_CHANCE = 16  # offsets drawn at random
_BUCKETS = 1 << 16  # of the hash of two words


@dataclass(frozen=True)
class Words:
    """The words of each line of a text, each word once in a line.

    Attributes:
        starts: Where each line's words begin, and the end of the last.
        words: Their numbers.
        weights: Of each, by its number: the rarer the more.
    """

    starts: Int[np.ndarray, " boundary"]
    words: Int[np.ndarray, " occurrence"]
    weights: Float[np.ndarray, " word"]

    @classmethod
    def of(cls, lines: Sequence[str]) -> Words:
        """Number the words that are in some lines at least."""
        sets = [set(line.lower().split()) for line in lines]
        counts = Counter(itertools.chain.from_iterable(sets))
        numbers = {word: number for number, word in enumerate(word for word in counts if counts[word] >= _RAREST)}
        found = [sorted(numbers[word] for word in line if word in numbers) for line in sets]
        starts = np.cumsum([0, *map(len, found)])
        weights = np.array([counts[word] ** -0.5 for word in numbers])
        return cls(starts, np.fromiter(itertools.chain.from_iterable(found), np.int64, int(starts[-1])), weights)


def order_by_words(source: Sequence[str], target: Sequence[str]) -> Order | None:
    """Whether two texts of equally many lines are in the same order, near enough or with halves exchanged.

    Returns:
        Without a relation, and with stretches that end where a part (an eighth) of the text does; None where in most
        parts no words come together.
    """
    lines = len(source)
    sides = Words.of(source), Words.of(target)
    half = lines // 2
    tried = [*NEAR, half, -half, lines - half, half - lines]
    draw = Random(0)
    drawn = [draw.randrange(lines // 10, lines - lines // 10) for _ in range(_BY_CHANCE)]
    parts = min(_PARTS, max(1, lines // _LINES_OF_A_PART))
    ends = [lines * part // parts for part in range(parts + 1)]
    stretches, as_they_stand, telling = [], False, 0
    for first, last in itertools.pairwise(ends):
        rows = _looked_at(sides, first, last)
        by_chance = [_together(sides, rows, offset) for offset in drawn]
        deviation = float(np.std(by_chance)) or 1.0
        standing = [(_together(sides, rows, offset) - float(np.mean(by_chance))) / deviation for offset in tried]
        best = int(np.argmax(standing))
        telling += standing[best] > STANDS_OUT
        as_they_stand |= standing[0] > STANDS_OUT
        if standing[best] > STANDS_OUT and standing[best] > 2 * standing[0]:
            middle = (first + last) // 2 + tried[best]
            wrapped = (middle >= lines) - (middle < 0)  # offsets count on from the other end
            offset = tried[best] - wrapped * lines
            stretches.append(Stretch(first, last, offset, standing[best] ** 2 / 2, about=True))
    return Order(None, _joined(stretches), as_they_stand) if 2 * telling > parts else None


def _looked_at(sides: tuple[Words, Words], first: int, last: int) -> Int[np.ndarray, " row"]:
    """The lines of a part that are looked at, evenly spread: the fewer, the longer they are."""
    words = [(side.starts[last] - side.starts[first]) / (last - first) for side in sides]
    most = max(1, min(_LOOKED_AT, int(_PAIRS_LOOKED_AT / max(1.0, words[0] * words[1]))))
    return np.arange(first, last)[:: -(-(last - first) // most)]


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Stretches that touch and have one offset are one."""
    joined: list[Stretch] = []
    for each in stretches:
        if joined and (joined[-1].last, joined[-1].offset) == (each.first, each.offset):
            joined[-1] = replace(joined[-1], last=each.last, gain=joined[-1].gain + each.gain)
        else:
            joined.append(each)
    return joined


def _together(sides: tuple[Words, Words], rows: Int[np.ndarray, " row"], offset: int) -> float:
    """Sum over all pairs of words of the square of how often they come together, over what their numbers let expect."""
    source, target = sides
    fitting = (rows + offset) % (len(target.starts) - 1)
    counts = np.diff(source.starts)[rows], np.diff(target.starts)[fitting]
    pairs = counts[0] * counts[1]
    row = np.repeat(np.arange(len(rows)), pairs)
    within = np.arange(len(row)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    one = source.words[source.starts[rows][row] + within // counts[1][row]]
    other = target.words[target.starts[fitting][row] + within % counts[1][row]]
    places = (one * 40_503 + other * 2_654_435_761) % _BUCKETS
    sums = np.bincount(places, source.weights[one] * target.weights[other], _BUCKETS)
    return float(np.square(sums).sum())
