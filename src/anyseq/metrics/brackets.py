"""How good trees are: labelled brackets by the rules of EVALB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from pydantic import Field

from anyseq.core.bracketed import NO_TAG, TOP, Move, read_tree
from anyseq.metrics.base import Metric, MetricConfig, check_items, own_signature

Measured = Literal["f1", "precision", "recall", "complete"]

_DELETED = frozenset({",", ":", "``", "''", "."})
# Words that the Penn Treebank tags so, where a tree has no tags.
_DELETED_WORDS = frozenset({*_DELETED, ";", "-", "--", "...", "?", "!", "`", "'", '"'})
_EQUAL = {"PRT": "ADVP"}


class BracketScore(Metric):
    r"""Labelled brackets in percent: one is right where its label, its first and its last word are.

    As EVALB with COLLINS.prm: punctuation (by the reference's tags `, : \`\` '' .`, or as words where it has no tags)
    does not count as words, brackets of nothing else do not count, nor does TOP; traces and functions are gone, PRT is
    ADVP. An output over other words has no bracket right. Of several references the one that agrees best counts.

    Args:
        measured: F1, precision, recall, or the share of trees with all brackets right and none too many.

    Source:
        Sekine and Collins 1997, EVALB; Black et al. 1991. EVALB leaves outputs over other words out; here they count.
    """

    higher_is_better = True

    def __init__(self, measured: Measured) -> None:
        self.measured = measured
        self.name = "complete_match" if measured == "complete" else f"labelled_{measured}"

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        """[right brackets, brackets of the output, brackets of the reference, complete, trees] of each item."""
        check_items(outputs, references)
        return [
            max((_agreement(output, each) for each in given), key=lambda found: _VALUES["f1"](*found))
            for output, given in zip(outputs, references, strict=True)
        ]

    def combine(self, totals: Sequence[float]) -> float:
        """Percent, 0 to 100; where there is nothing to be right or wrong, 100."""
        return _VALUES[self.measured](*totals)

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """References, rules, version."""
        return own_signature(references, {"brackets": "evalb", "parameters": "COLLINS.prm"})


def _share(part: float, whole: float) -> float:
    return 100 * part / whole if whole else 100.0


_VALUES: Mapping[Measured, Callable[[float, float, float, float, float], float]] = {
    "f1": lambda right, output, reference, complete, trees: _share(2 * right, output + reference),
    "precision": lambda right, output, reference, complete, trees: _share(right, output),
    "recall": lambda right, output, reference, complete, trees: _share(right, reference),
    "complete": lambda right, output, reference, complete, trees: _share(complete, trees),
}


def _agreement(output: str, reference: str) -> list[float]:
    own, other = _moves(output), _moves(reference)
    words = [move for move in other if move.kind == "word"]
    counts = [
        move.label not in _DELETED if move.label != NO_TAG else move.word not in _DELETED_WORDS for move in words
    ]
    wanted = brackets(other, counts)
    if [move.word for move in own if move.kind == "word"] != [move.word for move in words]:
        written = brackets(own, [True] * sum(move.kind == "word" for move in own))
        return [0.0, float(written.total()), float(wanted.total()), 0.0, 1.0]
    found = brackets(own, counts)
    right = (found & wanted).total()
    return [float(right), float(found.total()), float(wanted.total()), float(found == wanted), 1.0]


def _moves(text: str) -> list[Move]:
    """The tree; what is none is its words in one bracket without label."""
    try:
        return read_tree(text)
    except ValueError:
        return [Move("open", ""), *(Move("word", NO_TAG, word) for word in text.split()), Move("close", "")]


def brackets(moves: Sequence[Move], counts: Sequence[bool]) -> Counter[tuple[str, int, int]]:
    """The brackets of a tree: label, words before it, words before its end; each as often as it stands there.

    Args:
        moves: The tree.
        counts: Of each word, whether it counts as one.
    """
    found = Counter[tuple[str, int, int]]()
    opened: list[int] = []
    word, place = 0, 0
    for move in moves:
        if move.kind == "open":
            opened.append(place)
        elif move.kind == "word":
            place += counts[word]
            word += 1
        elif (first := opened.pop()) < place and move.label != TOP:
            found[_EQUAL.get(move.label, move.label), first, place] += 1
    return found


class BracketScoreConfig(MetricConfig):
    """Labelled brackets of trees, by EVALB's rules (COLLINS.prm)."""

    measured: Measured = Field("f1", description="F1, precision, recall, or the share of trees that are wholly right")

    def build(self) -> BracketScore:
        """Make the metric."""
        return BracketScore(self.measured)
