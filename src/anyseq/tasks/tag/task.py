"""Tagging: a tag for every token of a text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import torch
from jaxtyping import Bool
from pydantic import Field, model_validator
from torch import Tensor

from anyseq.core import Constraint, Item, Symbols
from anyseq.data.check import Finding, examine
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.factored import SEPARATOR, FactoredConfig, FactoredTokens, split_factors
from anyseq.data.codecs.spelt import SpeltTokens
from anyseq.data.codecs.text import REPLACEMENT
from anyseq.data.codecs.tokens import Tokens, TokensConfig
from anyseq.data.columns import holds_columns, read_columns
from anyseq.data.files import read_items, read_table
from anyseq.errors import ConfigError
from anyseq.metrics.base import MetricConfig
from anyseq.metrics.tags import SpanF1Config, TagAccuracyConfig, is_label, label_of, tags_of
from anyseq.models.decoders.aligned import CrfDecoder
from anyseq.search.constraints import All, Constrained
from anyseq.search.tagging import AsLong, Following
from anyseq.tasks.confusion import plot_confusion
from anyseq.tasks.splits import Splits
from anyseq.tasks.text_to_text import TextCodecs, TextData, TextToText, TextToTextConfig
from anyseq.tasks.trivial import Trivial

if TYPE_CHECKING:
    from anyseq.tasks.decoding import Prediction

_NAMED = 10


class TagData(TextData):
    """Sentences with a tag for each token. Without `train`, the generator's."""

    columns: tuple[int, int] = Field(
        (0, -1), strict=False, description="where a file has columns: those of the token and its tag; -1 is the last"
    )
    factors: tuple[int, ...] = Field(
        (), strict=False, description="further columns, read as factors of the token (codec.source.kind=factored)"
    )


class TagCodecs(TextCodecs):
    """How sentences and tags become symbols."""

    target: CodecConfig | None = Field(TokensConfig(), description="codec of the tags")


class TagConfig(TextToTextConfig):
    """A tag for each token (what stands between spaces), judged by accuracy and, of spans, F1."""

    preparable: ClassVar[tuple[str, ...]] = ("max_length", "columns", "factors")

    data: TagData = Field(default_factory=TagData, description="what to learn from")
    codec: TagCodecs = Field(description="how sentences and tags become symbols")
    scheme: Literal["free", "iob"] = Field(
        "free", description="which tags may follow which: free: any; iob: I-x only behind B-x or I-x"
    )
    metrics: tuple[MetricConfig, ...] = Field(
        (TagAccuracyConfig(), SpanF1Config()), min_length=1, description="how good an output is; the first decides"
    )

    @model_validator(mode="after")
    def _factors_of_a_codec(self) -> Self:
        source, columns = self.codec.source, len(self.data.factors)
        if not columns:
            return self
        factors = len(source.factors) if isinstance(source, FactoredConfig) else 0
        if columns != factors:
            raise ValueError(
                f"data.factors names {columns} columns, the codec of the source reads {factors}: set codec.source="
                f"'{{kind: factored, base: {{kind: spelt}}, factors: [{', '.join(['tokens'] * columns)}]}}', or "
                "leave data.factors out"
            )
        return self

    def build(self) -> Tag:
        """Make the task."""
        return Tag(self)


class Tag(TextToText):
    """Sentences, tags, and a model that gives each token one.

    That there are as many tags as tokens, and no illegal sequence of them, is a constraint of the model: training,
    scoring and search all see the renormalised rest.

    Args:
        config: The recipe.
    """

    plots = ("judged",)

    _config: TagConfig

    def plot(self, items: Sequence[Item], predictions: Sequence[Prediction], path: Path) -> None:
        """Draw the confusion matrix of all tokens."""
        pairs = [
            pair
            for item, found in zip(items, predictions, strict=True)
            for pair in zip(tags_of(item.raw["target"]), tags_of(found.output), strict=False)
        ]
        plot_confusion([wanted for wanted, _ in pairs], [given for _, given in pairs], path)

    def read_pairs(self, data: Any) -> list[Item]:
        """Files of columns, besides what all pairs of texts are read from."""

        def read_file(path: str | Path, fields: Sequence[str]) -> list[Item]:
            if not holds_columns(path):
                return read_table(path, fields)
            data = self._config.data
            return read_columns(path, data.columns, factors=data.factors, separator=SEPARATOR)

        return read_items(data, read_file=read_file)

    def in_sentences(self, path: str) -> bool:
        """Files of columns."""
        return holds_columns(path)

    @cached_property
    def model_limits(self) -> Constraint:
        """As many tags as tokens, in a legal sequence."""
        tags = self.codecs["target"]
        if not isinstance(tags, Tokens):
            raise ConfigError("codec.target: tags are whole tokens: kind=tokens")
        iob, labelled = self._config.scheme == "iob", self._config.model.decoder.labels
        as_long = AsLong(tags.stream.vocab_size, tags.stream.end, more=int(labelled))
        if not (iob or labelled):
            return as_long
        return All([as_long, Following(self._legal)])

    def build_model(self) -> None:
        """Make the model; a field is one over the sequences that obey its constraint.

        Raises:
            ConfigError: the source does not come token by token.
        """
        if not isinstance(self.codecs["source"], Tokens | SpeltTokens | FactoredTokens):
            kind = type(self.codecs["source"]).__name__.lower()
            raise ConfigError(
                f"codec.source: a tag is said of each token, and {kind} cuts texts otherwise: kind=spelt, tokens, or "
                "factored (a model to begin with, --from, needs such a codec, too)"
            )
        super().build_model()
        if not self.model.encoder.placed:
            raise ConfigError("model.encoder: a tag is said of each token, and this encoder leaves one place for all")
        constrained = self.model.decoder
        if isinstance(constrained, Constrained) and isinstance(constrained.decoder, CrfDecoder):
            tags = self.codecs["target"]
            constrained.decoder.only(self._legal, tags.stream.end if isinstance(tags.stream, Symbols) else 0)

    @property
    def _legal(self) -> Bool[Tensor, "before symbol"]:
        """What may follow what."""
        tags = self.codecs["target"]
        if not isinstance(tags, Tokens):
            raise ConfigError("codec.target: tags are whole tokens: kind=tokens")
        return legal(tags.shown, iob=self._config.scheme == "iob", labelled=self._config.model.decoder.labels)

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """Look for sentences with another number of tags than tokens, and for illegal tags."""
        parts = (("train", splits.train), ("dev", splits.dev), ("test", test))
        for name, items in parts:
            yield from _unlabelled(name, items, self._config.model.decoder.labels)
            yield from _unequal(name, items)
            if isinstance(codec := self._config.codec.source, FactoredConfig):
                yield from _unfactored(name, items, len(codec.factors))
            if self._config.scheme == "iob":
                yield from (*_illegal(name, items), *_of_no_span(name, items))
            yield from _new(name, items, splits.train)
        yield from examine(splits.train, splits.dev, test, held_out=splits.held_out, given=False, targets="labels")

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial:
        """To each token its most frequent tag; to an unknown one the most frequent of all."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for item in train:
            for token, tag in zip(item.raw["source"].split(), tags_of(item.raw["target"]), strict=False):
                counts[token][tag] += 1
        usual = sum(counts.values(), Counter[str]()).most_common(1)[0][0]
        tags = {token: of.most_common(1)[0][0] for token, of in counts.items()}
        [(label, _)] = Counter(label_of(item.raw["target"]) for item in train).most_common(1)
        first = [f"[{label}]"] if label else []
        outputs = [[*first, *(tags.get(token, usual) for token in item.raw["source"].split())] for item in items]
        return Trivial("each token's most frequent tag", list(map(" ".join, outputs)))


def legal(tags: Sequence[str], *, iob: bool, labelled: bool) -> Bool[Tensor, "before symbol"]:
    """What may follow what; a row more for the beginning.

    Args:
        tags: What each symbol is shown as.
        iob: `I-x` stands behind `B-x` or `I-x` alone.
        labelled: A label stands first, and nowhere else. (A label or tag that train lacks may stand anywhere.)
    """

    table = torch.ones(len(tags) + 1, len(tags), dtype=torch.bool)
    places = {tag: place for place, tag in enumerate(tags)}
    for place, tag in enumerate(tags):
        if iob and tag.startswith("I-"):
            table[:, place] = False
            table[[places[each] for each in (f"B-{tag[2:]}", tag) if each in places], place] = True
        if labelled and tag != REPLACEMENT:
            table[:-1, place] &= not is_label(tag)
            table[-1, place] &= is_label(tag)
    return table


def _unlabelled(name: str, items: Sequence[Item], labelled: bool) -> Iterator[Finding]:
    wrong = [item for item in items if bool(label_of(item.raw["target"])) != labelled]
    if wrong:
        what = (
            "have no label before their tags, as in `[label] O B-x O`; mend the lines"
            if labelled
            else "have a label before their tags, for which the decoder needs a setting: model.decoder.label=max"
        )
        message = f"{name}: {len(wrong):,} of {len(items):,} sentences {what}"
        yield Finding("error", message, tuple(item.place for item in wrong[:_NAMED]))


def _unequal(name: str, items: Sequence[Item]) -> Iterator[Finding]:
    counts = [(item, len(item.raw["source"].split()), len(tags_of(item.raw["target"]))) for item in items]
    wrong = [each for each in counts if each[1] != each[2]]
    if wrong:
        _, tokens, tags = wrong[0]
        yield Finding(
            "error",
            f"{name}: {len(wrong):,} of {len(items):,} sentences have another number of tags than of tokens (the "
            f"first: {tokens} tokens, {tags} tags); tokens stand between spaces: mend the lines",
            tuple(item.place for item, *_ in wrong[:_NAMED]),
        )


def _unfactored(name: str, items: Sequence[Item], factors: int) -> Iterator[Finding]:
    wrong = [
        (item, row[0])
        for item in items
        if (row := next((row for row in split_factors(item.raw["source"], factors) if not all(row)), None))
    ]
    if wrong:
        yield Finding(
            "error",
            f"{name}: {len(wrong):,} of {len(items):,} sentences have tokens without their {factors} factors (the "
            f"first: {wrong[0][1]!r}); they stand behind the token, {SEPARATOR!r} between, or are columns of the file "
            "(data.factors): mend the lines",
            tuple(item.place for item, _ in wrong[:_NAMED]),
        )


def _illegal(name: str, items: Sequence[Item]) -> Iterator[Finding]:
    wrong = [(item, fault) for item in items if (fault := _first_illegal(tags_of(item.raw["target"])))]
    if wrong:
        yield Finding(
            "error",
            f"{name}: {len(wrong):,} of {len(items):,} sentences have an illegal sequence of tags (the first: "
            f"{wrong[0][1]}); a span begins with B-: mend the lines, or set scheme=free",
            tuple(item.place for item, _ in wrong[:_NAMED]),
        )


def _of_no_span(name: str, items: Sequence[Item]) -> Iterator[Finding]:
    tags = Counter(tag for item in items for tag in tags_of(item.raw["target"]))
    strange = [tag for tag, _ in tags.most_common() if tag != "O" and not tag.startswith(("B-", "I-"))]
    if strange:
        listed = ", ".join(strange[:_NAMED]) + (", ..." if len(strange) > _NAMED else "")
        message = f"{name}: scheme=iob knows B-x, I-x and O, and lets any other tag stand anywhere: {listed}"
        yield Finding("note", message)


def _new(name: str, items: Sequence[Item], train: Sequence[Item]) -> Iterator[Finding]:
    known = {tag for item in train for tag in item.raw["target"].split()}
    found = [(item, new) for item in items if (new := set(item.raw["target"].split()) - known)]
    if found:
        tags = sorted(set().union(*(new for _, new in found)))
        listed = ", ".join(map(repr, tags[:_NAMED])) + (", ..." if len(tags) > _NAMED else "")
        yield Finding(
            "warning",
            f"{name}: {len(found):,} of {len(items):,} sentences have tags that train lacks: {listed}; add some",
            tuple(item.place for item, _ in found[:_NAMED]),
        )


def _first_illegal(tags: Sequence[str]) -> str:
    for before, tag in zip(["the beginning", *tags], tags, strict=False):
        if tag.startswith("I-") and before not in (f"B-{tag[2:]}", tag):
            return f"{tag} behind {before}"
    return ""
