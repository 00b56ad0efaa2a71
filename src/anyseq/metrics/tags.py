"""How good tags are: the share that is right, and F1 of the spans they mark."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from anyseq.metrics.base import Metric, MetricConfig, check_items, own_signature
from anyseq.metrics.sets import SetF1

Span = tuple[str, int, int]
"""A type, the first token, the one after the last."""


class TagAccuracy(Metric):
    """The percentage of tokens with the right tag; a tag that is missing, or one too many, is wrong.

    A label of the sentence before the tags, `[label]`, is none of them.

    Of several references the one that agrees best counts, of equal ones the first.
    """

    name = "accuracy"
    higher_is_better = True

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        """[right ones, tags] of each item."""
        check_items(outputs, references)
        return [
            max((_agreement(tags_of(output), tags_of(each)) for each in given), key=lambda found: found[0] / found[1])
            for output, given in zip(outputs, references, strict=True)
        ]

    def combine(self, totals: Sequence[float]) -> float:
        """Percent, 0 to 100."""
        right, tags = totals
        return 100 * right / tags

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """References, version."""
        return own_signature(references, {"unit": "tag"})


def _agreement(output: Sequence[str], reference: Sequence[str]) -> list[float]:
    right = sum(one == other for one, other in zip(output, reference, strict=False))
    return [float(right), float(max(len(output), len(reference), 1))] if output or reference else [1.0, 1.0]


class LabelAccuracy(Metric):
    """The percentage of sentences with the right label, which stands before the tags in square brackets."""

    name = "label_accuracy"
    higher_is_better = True

    def statistics(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]]:
        """[right ones, sentences] of each item."""
        check_items(outputs, references)
        pairs = zip(outputs, references, strict=True)
        return [[float(label_of(output) in map(label_of, given)), 1.0] for output, given in pairs]

    def combine(self, totals: Sequence[float]) -> float:
        """Percent, 0 to 100."""
        right, sentences = totals
        return 100 * right / sentences

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """References, version."""
        return own_signature(references, {"unit": "sentence"})


def label_of(text: str) -> str:
    """The label that stands before the tags, `[label]`; nothing where there is none."""
    first = text.split(maxsplit=1)[:1]
    return first[0][1:-1] if first and is_label(first[0]) else ""


def tags_of(text: str) -> list[str]:
    """The tags, without a label before them."""
    tokens = text.split()
    return tokens[1:] if tokens and is_label(tokens[0]) else tokens


def is_label(token: str) -> bool:
    """Whether a token is a label of the sentence."""
    return token.startswith("[") and token.endswith("]")


class SpanF1(SetF1):
    """F1 of spans in percent: a span is right where its first token, its last and its type are.

    Source:
        Tjong Kim Sang and Buchholz 2000 (CoNLL-2000), the rules of their `conlleval`.
    """

    name = "f1"

    def named(self, text: str) -> set[Hashable]:
        """The spans of tags."""
        return set(spans(tags_of(text)))

    def signature(self, references: Sequence[Sequence[str]]) -> str:
        """References, rules, version."""
        return own_signature(references, {"spans": "conlleval"})


def spans(tags: Sequence[str]) -> list[Span]:
    """The spans that tags mark, `B-type` or `I-type` each (or `E-type` at an end, `S-type` alone), or `O`.

    A span begins at every B-, and at an I- behind another type or behind nothing; so tags of both kinds (IOB1, IOB2)
    are read, and illegal sequences, too. A tag without a hyphen, `O` apart, is a type by itself.

    Example:
        >>> spans("B-NP I-NP B-NP O I-VP".split())
        [('NP', 0, 2), ('NP', 2, 3), ('VP', 4, 5)]
    """
    found: list[Span] = []
    first, current, closed = 0, "", False
    for place, tag in enumerate([*tags, "O"]):
        position, _, kind = tag.partition("-") if "-" in tag else ("O" if tag == "O" else "B", "", tag)
        kind = "" if position == "O" else kind
        if current and (position in "BS" or kind != current or closed):
            found.append((current, first, place))
            current = ""
        if kind and not current:
            first, current = place, kind
        closed = position in "ES"
    return found


class TagAccuracyConfig(MetricConfig):
    """The percentage of tokens with the right tag."""

    def build(self) -> TagAccuracy:
        """Make the metric."""
        return TagAccuracy()


class LabelAccuracyConfig(MetricConfig):
    """The percentage of sentences with the right label before the tags, `[label]`."""

    def build(self) -> LabelAccuracy:
        """Make the metric."""
        return LabelAccuracy()


class SpanF1Config(MetricConfig):
    """F1 of the spans that tags mark (IOB), as conlleval computes it."""

    def build(self) -> SpanF1:
        """Make the metric."""
        return SpanF1()
