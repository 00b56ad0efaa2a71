"""Parsing: a tree over the words of a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field
from torch import Tensor

from anyseq.core import Codec, Constraint, Item
from anyseq.core.bracketed import escape, read_tree, words
from anyseq.data.check import Finding, examine
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.trees import Trees, TreesConfig
from anyseq.data.files import read_items, read_table
from anyseq.data.trees import holds_trees, read_trees
from anyseq.errors import ConfigError, UsageError
from anyseq.metrics.base import MetricConfig
from anyseq.metrics.brackets import BracketScoreConfig
from anyseq.search.constraints import Never
from anyseq.search.settings import SearchConfig
from anyseq.search.trees import BRACKETS_A_WORD, BRACKETS_MORE, WellFormed
from anyseq.tasks.splits import EncodedSource, Splits
from anyseq.tasks.text_to_text import TextCodecs, TextToText, TextToTextConfig
from anyseq.tasks.trivial import Trivial

_NAMED = 10


class ParseCodecs(TextCodecs):
    """How sentences and trees become symbols."""

    target: CodecConfig | None = Field(TreesConfig(), description="codec of the trees")


class ParseConfig(TextToTextConfig):
    """A tree over the words of a sentence (what stands between spaces), judged by labelled brackets."""

    codec: ParseCodecs = Field(description="how sentences and trees become symbols")
    well_formed: bool = Field(
        True, description="a constraint of the model: every output is a tree over exactly the sentence's words; false: "
        "what is none is repaired, and counted as `malformed`"
    )  # fmt: skip
    metrics: tuple[MetricConfig, ...] = Field(
        tuple(BracketScoreConfig(measured=each) for each in ("f1", "precision", "recall", "complete")),
        min_length=1, description="how good an output is; the first decides",
    )  # fmt: skip

    def build(self) -> Parse:
        """Make the task."""
        return Parse(self)


class Parse(TextToText):
    """Sentences, trees, and a model that writes a sentence's tree from left to right.

    Args:
        config: The recipe.
    """

    _config: ParseConfig

    def read_pairs(self, data: Any) -> list[Item]:
        """Files of trees, besides what all pairs of texts are read from."""

        def read_file(path: str | Path, fields: Sequence[str]) -> list[Item]:
            return read_trees(path) if holds_trees(path) else read_table(path, fields)

        return [_escaped(item) for item in read_items(data, read_file=read_file)]

    def _use_codecs(self, source: Codec, target: Codec) -> None:
        if not isinstance(target, Trees):
            raise ConfigError("codec.target: trees are brackets over the source's words: kind=trees, and joint=false")
        super()._use_codecs(source, target)
        self.trees = target

    @cached_property
    def model_limits(self) -> Constraint | None:
        """A tree over exactly the words, where that is asked for."""
        return WellFormed(self.trees.stream) if self._config.well_formed else None

    def search_limits(self, settings: SearchConfig) -> Sequence[Constraint]:
        """No unknown labels or tags; of a constrained model a tree that fits into the budget."""
        known = [Never(symbol, self.trees.stream.vocab_size) for symbol in self.trees.unknown_symbols]
        fits = [WellFormed(self.trees.stream, settings.stop())] if self._config.well_formed else []
        return [*known, *fits]

    def refuse(self, settings: SearchConfig) -> None:
        """Refuse what is said in words, which these outputs do not write: they are the sentence's."""
        if settings.prefix is not None or settings.forbid or settings.replace_unknown:
            raise UsageError(
                "search.prefix, search.forbid and search.replace_unknown are about words, and a parser writes none of "
                "its own: leave them out"
            )

    def encode_source(self, item: Item) -> EncodedSource:
        """The words, round brackets as trees write them."""
        return super().encode_source(_escaped(item))

    def output(self, values: Tensor, item: Item) -> str:
        """The tree over the sentence's words, whatever was written."""
        return self.trees.decode(values, _escaped(item))

    def repaired(self, values: Tensor, item: Item) -> bool:
        """Whether it was no tree over exactly these words."""
        return not self.trees.is_tree(values, _escaped(item))

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial:
        """All words in one bracket."""
        flat = [f"(S {item.raw['source']})" for item in items]
        return Trivial("all words in one bracket", flat)

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """Look for what is no tree, for trees over other words than their sentence's, and for too many brackets."""
        for name, items in (("train", splits.train), ("dev", splits.dev), ("test", test)):
            faults = [(item, fault) for item in items if (fault := _fault(item.raw["source"], item.raw["target"]))]
            if faults:
                yield Finding(
                    "error",
                    f"{name}: {len(faults):,} of {len(items):,} trees cannot be learnt (the first: {faults[0][1]}); "
                    "mend them",
                    tuple(item.place for item, _ in faults[:_NAMED]),
                )
        yield from examine(splits.train, splits.dev, test, held_out=splits.held_out, given=False)


def _escaped(item: Item) -> Item:
    source = str(item.raw["source"])
    return item if source == escape(source) else replace(item, raw={**item.raw, "source": escape(source)})


def _fault(source: str, target: str) -> str:
    try:
        moves = read_tree(target)
    except ValueError as fault:
        return str(fault)
    wanted, found = source.split(), list(words(moves))
    if wanted != found:
        other = next((pair for pair in zip(wanted, found, strict=False) if pair[0] != pair[1]), None)
        differ = f"{other[1]!r:.40} where the sentence has {other[0]!r:.40}" if other else "their number"
        return f"it has other words than its sentence: {differ}"
    count, most = sum(move.kind == "open" for move in moves), BRACKETS_A_WORD * len(found) + BRACKETS_MORE
    return f"{count} brackets over {len(found)} words, at most {most} may be" if count > most else ""
