"""Answering: a question over a story, or the last turn of a dialogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from anyseq.core import Item
from anyseq.data.check import Finding, Targets, examine
from anyseq.data.codecs.sentences import SentencesConfig
from anyseq.data.files import read_items, read_table
from anyseq.data.synthetic.dialogues import DialoguesConfig
from anyseq.data.turns import Replies, holds_turns, join_turns, read_turns, split_turns
from anyseq.metrics.base import MetricConfig
from anyseq.metrics.exact_match import ExactMatchConfig
from anyseq.models.encoders.hops import HopsEncoderConfig
from anyseq.tasks.splits import Splits
from anyseq.tasks.text_to_text import TextData, TextToText, TextToTextConfig
from anyseq.tasks.trivial import Trivial


class AnswerData(TextData):
    """Stories with a question, and answers; or turns of a dialogue, and replies. Without `train`, the generator's."""

    replies: Replies = Field(
        "second", description="of files of turns: learn each second turn of a conversation, or all but the first"
    )


class AnswerConfig(TextToTextConfig):
    """An answer to a question over a story, or a reply in a dialogue, judged by the share that is right."""

    data: AnswerData = Field(default_factory=AnswerData, description="what to learn from")
    turns: int = Field(
        0, ge=0, description="turns of a dialogue that a reply is made from, the last included; 0: it is no dialogue"
    )
    metrics: tuple[MetricConfig, ...] = Field(
        (ExactMatchConfig(),), min_length=1, description="how good an output is; the first decides"
    )

    @model_validator(mode="after")
    def _by_sentences(self) -> Self:
        if isinstance(self.model.encoder, HopsEncoderConfig) and not isinstance(self.codec.source, SentencesConfig):
            raise ValueError("model.encoder.kind=hops asks by the last sentence: set codec.source.kind=sentences")
        return self

    @model_validator(mode="after")
    def _as_many_turns(self) -> Self:
        made = self.data.generator
        if self.data.train is None and isinstance(made, DialoguesConfig) and made.turns != self.turns:
            raise ValueError(
                f"turns={self.turns}, but the generated dialogues have data.generator.turns={made.turns}: "
                "set both to the same number"
            )
        return self

    def build(self) -> Answer:
        """Make the task."""
        return Answer(self)


class Answer(TextToText):
    """Questions, each with the story that answers it; or the last turns of a dialogue, and the reply.

    Args:
        config: The recipe.
    """

    _config: AnswerConfig

    @property
    def turns(self) -> int:
        """As the recipe says."""
        return self._config.turns

    def source_of(self, turns: Sequence[str]) -> str:
        """The last turns, or where it is no dialogue the last one."""
        return join_turns(turns, self.turns) if self.turns else super().source_of(turns)

    def read_pairs(self, data: Any) -> list[Item]:
        """As all pairs of texts; of a dialogue files of turns, too, and of each source its last turns."""
        most = self.turns
        if not most:
            return read_items(data)

        def read_file(path: str | Path, fields: Sequence[str]) -> list[Item]:
            if holds_turns(path):
                return read_turns(path, most, self._config.data.replies)
            return read_table(path, fields)

        def last(item: Item) -> Item:
            return replace(item, raw={**item.raw, "source": join_turns(split_turns(item.raw["source"]), most)})

        return [last(item) for item in read_items(data, read_file=read_file)]

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """Look at the pairs as they were read, and say how often the most frequent answer is right."""
        targets: Targets = "replies" if self.turns else "labels"
        yield from examine(splits.train, splits.dev, test, held_out=splits.held_out, given=False, targets=targets)
        usual = _usual(splits.train)
        for name, items in (("dev", splits.dev), ("test", test)):
            if items:
                right = sum(item.raw["target"] == usual for item in items)
                yield Finding("note", f"{name}: always to answer {usual!r:.60} is right for {right / len(items):.1%}")

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial:
        """The most frequent answer."""
        return Trivial("the most frequent answer", [_usual(train)] * len(items))


def _usual(train: Sequence[Item]) -> str:
    """The most frequent answer."""
    return Counter(str(item.raw["target"]) for item in train).most_common(1)[0][0]
