"""Classification: one label for a whole text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from anyseq.core import Batch, Constraint, Hypotheses, Item, Stopped, content
from anyseq.data.check import Finding, finding, headed, share
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.label_set import LabelSet, LabelSetConfig, joined, labels_of
from anyseq.data.codecs.labels import Labels, LabelsConfig
from anyseq.data.files import SIDES, read_items
from anyseq.data.media import left_alone, read_labelled
from anyseq.errors import ConfigError
from anyseq.metrics.base import MetricConfig
from anyseq.metrics.exact_match import ExactMatchConfig
from anyseq.metrics.sets import LabelF1Config
from anyseq.search.settings import SearchConfig
from anyseq.search.tagging import Exactly
from anyseq.tasks.confusion import plot_confusion
from anyseq.tasks.splits import Splits
from anyseq.tasks.text_to_text import TextCodecs, TextData, TextToText, TextToTextConfig
from anyseq.tasks.trivial import Trivial

if TYPE_CHECKING:
    from anyseq.tasks.decoding import Prediction

_NAMED = 10
_FEWEST = 5  # texts of a label in train, below which there is hardly anything to learn it from


class ClassifyData(TextData):
    """Texts with a label each. Without `train`, the generator's."""

    label_first: bool = Field(False, description="where a file has both: the label stands in the first column")


class ClassifyCodecs(TextCodecs):
    """How texts and labels become symbols."""

    target: CodecConfig | None = Field(LabelsConfig(), description="codec of the labels")


class ClassifyConfig(TextToTextConfig):
    """One label for a text, judged by the share that is right."""

    preparable: ClassVar[tuple[str, ...]] = ("max_length", "label_first")

    data: ClassifyData = Field(default_factory=ClassifyData, description="what to learn from")
    codec: ClassifyCodecs = Field(description="how texts and labels become symbols")
    metrics: tuple[MetricConfig, ...] = Field(
        (ExactMatchConfig(),), min_length=1, description="how good an output is; the first decides"
    )

    @model_validator(mode="after")
    def _one_separator(self) -> Self:
        if isinstance(target := self.codec.target, LabelSetConfig):
            for metric in self.metrics:
                if isinstance(metric, LabelF1Config) and metric.separator != target.separator:
                    raise ValueError(
                        f"labels stand apart by {target.separator!r} in codec.target, by {metric.separator!r} in the "
                        "metric label_f1: give both one (metrics='[exact_match, {kind: label_f1, separator: ...}]')"
                    )
        return self

    def build(self) -> Classify:
        """Make the task."""
        return Classify(self)


class Classify(TextToText):
    """Texts, labels, and a model that gives each text one: a constraint of the model, which training sees too.

    Args:
        config: The recipe.
    """

    _config: ClassifyConfig

    @property
    def plots(self) -> tuple[Literal["predictions", "judged"], ...]:  # type: ignore[override]
        """The confusion matrix; of several labels there is none."""
        return () if isinstance(self._config.codec.target, LabelSetConfig) else ("judged",)

    def plot(self, items: Sequence[Item], predictions: Sequence[Prediction], path: Path) -> None:
        """Draw the confusion matrix."""
        plot_confusion([item.raw["target"].strip() for item in items], [each.output for each in predictions], path)

    def read_pairs(self, data: Any) -> list[Item]:
        """As all pairs of texts, or with the label first; or files in folders, where the codec reads files."""
        fields = SIDES[::-1] if self._config.data.label_first else SIDES
        source = self._config.codec.source
        if not source.reads_files:
            return read_items(data, fields)
        return read_labelled(data, fields, source.names_file, endings=source.endings)

    @cached_property
    def model_limits(self) -> Constraint | None:
        """One label; several are one vector of yes and no, which needs no limit."""
        labels = self.codecs["target"]
        if isinstance(labels, LabelSet):
            return None
        if not isinstance(labels, Labels):
            raise ConfigError("codec.target: a label is a whole text: kind=labels; several are a label_set")
        return Exactly(1, labels.stream.vocab_size, labels.stream.end)

    def search(self, batch: Batch, settings: SearchConfig) -> Hypotheses:
        """Search a label, or the one vector of several."""
        if isinstance(self.codecs["target"], LabelSet):
            found = super().search(batch, settings.model_copy(update={"max_length": 1}))
            return replace(found, stopped=found.stopped.masked_fill(found.stopped == Stopped.BUDGET, Stopped.END))
        return super().search(batch, settings)

    def _labels(self, text: str) -> list[str]:
        """The labels that a target names."""
        target = self._config.codec.target
        return labels_of(text, target.separator) if isinstance(target, LabelSetConfig) else [text.strip()]

    def _canonical(self, text: str) -> str:
        """A target as outputs are written: several labels have no order."""
        target = self._config.codec.target
        return joined(self._labels(text), target.separator) if isinstance(target, LabelSetConfig) else text

    def judged(
        self, items: Sequence[Item], references: Sequence[Sequence[str]]
    ) -> tuple[Sequence[Item], Sequence[Sequence[str]]]:
        """Every item by itself, several labels in one order."""
        return items, [[self._canonical(text) for text in given] for given in references]

    def _counts(self, items: Sequence[Item]) -> dict[str, int]:
        """Items by label, the most frequent first."""
        labels = (label for item in items for label in self._labels(item.raw["target"]))
        return dict(Counter(filter(None, labels)).most_common())

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """Count the labels; look for such as train hardly has, texts with two, and texts that stand in two splits."""
        source = self._config.codec.source
        for name, items in (("train", splits.train), ("dev", splits.dev), ("test", test)):
            others = left_alone(getattr(self._config.data, name), source.endings) if source.reads_files else ()
            for remark in (*others, *source.remarks(item.raw["source"] for item in items)):
                yield Finding("note", f"{name}: {remark}")
            yield from headed(name, items)
        counts = self._counts(splits.train)
        listed = ", ".join(f"{label!r} {count:,}" for label, count in list(counts.items())[:_NAMED])
        more = f" and {len(counts) - _NAMED} more" if len(counts) > _NAMED else ""
        labels = f"{len(counts):,} label{'s'[: len(counts) != 1]}"
        yield Finding("note", f"train: {len(splits.train):,} items with {labels}: {listed}{more}")
        if len(counts) == 1 and not isinstance(self._config.codec.target, LabelSetConfig):
            yield Finding("warning", "train: all items have the same label, and there is nothing to be told apart; "
                          "give items of another label, too")  # fmt: skip
        if len(counts) > len({content(item.raw["source"]) for item in splits.train}):
            advice = "data.label_first=false" if self._config.data.label_first else "data.label_first=true"
            message = "train: there are more different labels than texts; does the label stand in the other column"
            yield Finding("warning", f"{message}? {advice}")
        yield from _joined(self._config.codec.target, counts)
        rare = [label for label, count in counts.items() if count < _FEWEST]
        if rare:
            names, have = ", ".join(map(repr, rare[:_NAMED])), "labels have" if len(rare) > 1 else "label has"
            yield Finding("warning", f"train: {len(rare):,} {have} fewer than {_FEWEST} items: {names}")
        known = {*counts, ""}
        for name, items in (("dev", splits.dev), ("test", test)):
            strange = [item for item in items if not known.issuperset(self._labels(item.raw["target"]))]
            if strange:
                message = f"{name}: {len(strange):,} of {len(items):,} items have a label that train lacks; add some"
                yield Finding("warning", message, tuple(item.place for item in strange[:_NAMED]))
            if self._config.data.train is not None:
                yield from _again(name, items, splits.train)
        first: dict[Hashable, Item] = {}
        torn = [
            item
            for item in splits.train
            if self._canonical(first.setdefault(content(item.raw["source"]), item).raw["target"])
            != self._canonical(item.raw["target"])
        ]
        if torn:
            message = f"train: {len(torn):,} items stand there with another label, too; which is meant?"
            yield Finding("warning", message, tuple(item.place for item in torn[:_NAMED]))

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial:
        """The most frequent label, or set of labels."""
        [(usual, _)] = Counter(self._canonical(item.raw["target"]).strip() for item in train).most_common(1)
        return Trivial("the most frequent label", [usual] * len(items))


def _joined(target: CodecConfig | None, counts: Mapping[str, int]) -> Iterator[Finding]:
    """Of several labels in a text: such as are several themselves, with another separator between."""
    others = ";|/,".replace(target.separator, "") if isinstance(target, LabelSetConfig) else ""
    for other in others:
        joint = [label for label in counts if set(label.split(other)) & (counts.keys() - {label})]
        if joint:
            yield Finding(
                "warning",
                f"train: {joint[0]!r} is read as one label; where {other!r} stands between labels: "
                f"codec.target.separator='{other}' metrics='[exact_match, {{kind: label_f1, separator: \"{other}\"}}]'",
            )


def _again(name: str, items: Sequence[Item], train: Sequence[Item]) -> Iterator[Finding]:
    """Of given data what stands in train too."""
    seen = {content(item.raw["source"]) for item in train}
    if found := [item for item in items if content(item.raw["source"]) in seen]:
        better = f"results on {name} will look better than they are: remove them from train"
        yield finding("warning", f"{name}: {share(len(found), len(items))} items stand in train too; {better}", found)
