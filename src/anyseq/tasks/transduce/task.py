"""Transduction: a string of characters to another, where only an exact answer is right."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from anyseq.core import Item
from anyseq.data.check import Finding
from anyseq.data.codecs.characters import Characters
from anyseq.data.codecs.tokens import Tokens
from anyseq.data.files import SIDES, read_items
from anyseq.metrics.base import MetricConfig
from anyseq.metrics.error_rate import CharacterErrorRateConfig
from anyseq.metrics.exact_match import ExactMatchConfig
from anyseq.tasks.splits import Splits
from anyseq.tasks.text_to_text import TextData, TextToText, TextToTextConfig
from anyseq.tasks.trivial import Trivial

_TARGET = SIDES[1]


class TransduceData(TextData):
    """Pairs of short texts. Without `train`, the generator's."""

    columns: tuple[str, ...] = Field(
        SIDES, strict=False,
        description="what a file's columns are: `target` one of them; the others, in this order and with a space "
        "between, make the source",
    )  # fmt: skip
    target_without: str = Field(
        "", description="regular expression: what it matches is taken out of targets as they are read (marks of stress)"
    )
    alternatives: bool = Field(
        False, description="targets of one source are all right: they are judged as one, by the nearest"
    )

    @field_validator("columns")
    @classmethod
    def _one_is_the_target(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        if len(columns) < 2 or columns.count(_TARGET) != 1 or len(set(columns)) < len(columns):
            listed = ", ".join(columns) or "none"
            raise ValueError(f"one column is called target, one or more have other names, each its own; not {listed}")
        return columns

    @field_validator("target_without")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as fault:
            raise ValueError(f"{pattern!r} is no regular expression: {fault}") from None
        return pattern


class TransduceConfig(TextToTextConfig):
    """Transduction, judged by exact match and character error rate."""

    preparable: ClassVar[tuple[str, ...]] = ("max_length", "columns", "target_without")

    data: TransduceData = Field(default_factory=TransduceData, description="what to learn from")
    metrics: tuple[MetricConfig, ...] = Field(
        (ExactMatchConfig(), CharacterErrorRateConfig()),
        min_length=1,
        description="how good an output is; the first decides",
    )

    def build(self) -> Transduce:
        """Make the task."""
        return Transduce(self)


class Transduce(TextToText):
    """Short texts, read from tables of two columns or more.

    Args:
        config: The recipe.
    """

    _config: TransduceConfig

    def read_pairs(self, data: Any) -> list[Item]:
        """Tables whose columns are `data.columns`, besides what all pairs of texts are read from."""
        return [self._pair(item) for item in read_items(data, self.columns_of(data))]

    def columns_of(self, data: Any) -> Sequence[str]:
        """`data.columns`; of a file a side, the sides."""
        sides = isinstance(data, Mapping) and set(data) == set(SIDES)
        return SIDES if sides else self._config.data.columns

    def _pair(self, item: Item) -> Item:
        source = " ".join(text for name, text in item.raw.items() if name != _TARGET)
        return replace(item, raw={"source": source, _TARGET: self._tidied(item.raw[_TARGET])})

    def _tidied(self, target: str) -> str:
        """A target without what `data.target_without` matches."""
        pattern = self._config.data.target_without
        return re.sub(pattern, "", target) if pattern else target

    def read_judged(
        self, source: Path | None, targets: Sequence[Path], data: Path | None
    ) -> tuple[list[Item], list[list[str]]]:
        """As of all pairs; targets from files of their own are tidied like those of a table."""
        items, references = super().read_judged(source, targets, data)
        if data is not None:
            return items, references
        references = [list(map(self._tidied, each)) for each in references]
        pairs = zip(items, references, strict=True)
        return [replace(item, raw={**item.raw, _TARGET: each[0]}) for item, each in pairs], references

    def judged(
        self, items: Sequence[Item], references: Sequence[Sequence[str]]
    ) -> tuple[Sequence[Item], Sequence[Sequence[str]]]:
        """One item a source, all its targets its references, where `data.alternatives` says so."""
        if not self._config.data.alternatives:
            return items, references
        together: dict[str, tuple[Item, dict[str, None]]] = {}
        for item, own in zip(items, references, strict=True):
            together.setdefault(item.raw["source"], (item, {}))[1].update(dict.fromkeys(own))
        return [item for item, _ in together.values()], [list(own) for _, own in together.values()]

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial:
        """Characters to tokens: each character's most frequent token, where there are as many; else the source itself.

        What the source's codec reads as one symbol though it is several characters (a feature) is no part of it.
        """
        source, target = self.codecs["source"], self.codecs["target"]
        if not isinstance(source, Characters):
            return super().trivial(train, items)
        letters = {item.raw["source"]: [part for part in source.parts(item.raw["source"]) if len(part) == 1]
                   for item in (*train, *items)}  # fmt: skip
        if not isinstance(target, Tokens):
            return Trivial("the source itself", ["".join(letters[item.raw["source"]]) for item in items])
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for item in train:
            tokens = target.parts(item.raw[_TARGET])
            if len(tokens) == len(letters[item.raw["source"]]):
                for letter, token in zip(letters[item.raw["source"]], tokens, strict=True):
                    counts[letter][token] += 1
        best = {letter: seen.most_common(1)[0][0] for letter, seen in counts.items()}
        outputs = (" ".join(best[each] for each in letters[item.raw["source"]] if each in best) for item in items)
        return Trivial("each character's most frequent token", list(outputs))

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """As of all pairs; and how many sources have several targets, where only one of them can be right."""
        yield from super().examine(splits, test)
        if self._config.data.alternatives:
            return
        several: dict[str, set[str]] = {}
        for item in splits.train:
            several.setdefault(item.raw["source"], set()).add(item.raw[_TARGET])
        torn = [item for item in splits.train if len(several[item.raw["source"]]) > 1]
        if torn:
            yield Finding(
                "warning",
                f"train: {len(torn):,} of {len(splits.train):,} pairs have a source that has another target, too; if "
                "all are right, data.alternatives=true judges by the nearest",
                tuple(item.place for item in torn[:10]),
            )
