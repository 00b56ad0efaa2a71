"""Autoencoding of texts: the target is the source itself, and what lies between is one vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field

from anyseq.core import Item
from anyseq.data.check import Finding
from anyseq.data.check_texts import examine_texts
from anyseq.data.files import read_texts
from anyseq.metrics.base import MetricConfig
from anyseq.metrics.error_rate import WordErrorRateConfig
from anyseq.metrics.exact_match import ExactMatchConfig
from anyseq.tasks.splits import Splits
from anyseq.tasks.text_to_text import TextToText, TextToTextConfig
from anyseq.tasks.trivial import Trivial


class AutoencodeConfig(TextToTextConfig):
    """Texts that are to come out as they went in, judged by exact match and word error rate."""

    preparable: ClassVar[tuple[str, ...]] = ("max_length",)

    metrics: tuple[MetricConfig, ...] = Field(
        (ExactMatchConfig(), WordErrorRateConfig()),
        min_length=1,
        description="how good an output is; the first decides",
    )

    def build(self) -> Autoencode:
        """Make the task."""
        return Autoencode(self)


class Autoencode(TextToText):
    """Texts and themselves.

    Args:
        config: The recipe.
    """

    _config: AutoencodeConfig

    def read(self) -> Splits:
        """The texts of train and dev; of a generator its sources."""
        splits = super().read()
        return replace(splits, train=doubled(splits.train), dev=doubled(splits.dev))

    def read_test(self) -> list[Item] | None:
        """The texts of test, None where there are none."""
        test = super().read_test()
        return None if test is None else doubled(test)

    def read_pairs(self, data: Any) -> list[Item]:
        """Texts, one a line; each is source and target."""
        return [replace(item, raw={"source": item.raw["target"], **item.raw}) for item in read_texts(data)]

    def columns_of(self, data: Any) -> Sequence[str]:
        """The texts."""
        return ("text",)

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """Look at the texts as they were read."""
        return examine_texts({"train": splits.train, "dev": splits.dev, "test": test})

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial:
        """One text for all: the nearest thing to an answer without a look at the source."""
        middle = sorted((item.raw["source"] for item in train), key=len)[len(train) // 2]
        return Trivial("a text of middle length, whatever comes in", [middle] * len(items))


def doubled(items: Sequence[Item]) -> list[Item]:
    """The sources alone, as targets too."""
    return [replace(item, raw={"source": item.raw["source"], "target": item.raw["source"]}) for item in items]
