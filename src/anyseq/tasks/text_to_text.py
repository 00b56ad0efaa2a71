"""Text in, text out: what translation and transduction have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from anyseq.core import (
    Batch,
    Codec,
    Constraint,
    Hypotheses,
    Item,
    Memory,
    Padded,
    PartConfig,
    Pointers,
    Symbols,
    Units,
    Unknown,
    Vectors,
)
from anyseq.data.batching import pack
from anyseq.data.check import Finding, examine
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.copying import CopyCodec
from anyseq.data.files import SIDES
from anyseq.data.prefixes import Step, prefixes
from anyseq.data.selection import Selection, sift
from anyseq.data.synthetic.base import Epochs
from anyseq.models.seq2seq import Seq2Seq, Seq2SeqConfig
from anyseq.search.constraints import Constrained, Never
from anyseq.search.settings import SearchConfig
from anyseq.tasks.lines import LinesConfig, LinesData, OfLines
from anyseq.tasks.splits import EncodedSource, Splits
from anyseq.tasks.text_limits import TextLimits
from anyseq.tasks.trivial import Trivial
from anyseq.tasks.unknown_words import replace_unknown
from anyseq.tasks.word_vectors import start_from


class TextData(LinesData):
    """Pairs of lines. Without `train`, the generator's."""

    train: Any = Field(
        None, description="pairs to learn from: FILE (.tsv .jsonl .csv) or [FILE, ...], or source=FILE target=FILE; or "
        "a folder of `anyseq prepare`; or [{path: FILE, weight: 2}, ...]: an epoch shows each item of it twice"
    )
    dev: Any = Field(None, description="pairs to choose and stop by; null: held out of train")
    test: Any = Field(None, description="pairs for the final figure; null: no final figure")
    held_out: int = Field(
        500, ge=1, description="pairs held out of train where no dev is given, at most a tenth; no source in both"
    )
    max_length: int = Field(256, ge=2, description="longest side in symbols, end included; longer pairs are left out")
    max_skipped: float = Field(0.01, ge=0, le=1, description="largest share of pairs that may be left out")


class TextCodecs(PartConfig):
    """How text becomes symbols. A bare name (`codec=words`) is the kind of codec on both sides."""

    named: ClassVar[tuple[str, ...]] = ("source", "target")

    source: CodecConfig = Field(description="codec of the source")
    target: CodecConfig | None = Field(None, description="codec of the target; null: as the source's")
    joint: bool = Field(False, description="one codec, learnt from both sides, for both sides")

    @model_validator(mode="after")
    def _whose_vocabulary(self) -> Self:
        if self.target is None and not self.joint and dict(self.source).get("vocabulary") is not None:
            raise ValueError(
                "codec.source.vocabulary is the source's; give the target's codec too (codec.target.kind=..., with a "
                "vocabulary of its own or none), or set codec.joint=true where the file is for both sides"
            )
        return self


class TextToTextConfig(LinesConfig):
    """Text in, text out."""

    data: TextData = Field(default_factory=TextData, description="what to learn from")
    codec: TextCodecs = Field(description="how text becomes symbols")
    model: Seq2SeqConfig = Field(description="the encoder-decoder")

    def build(self) -> TextToText:
        """Make the task."""
        return TextToText(self)


class TextToText(OfLines):
    """Pairs of lines, a codec for each side, an encoder-decoder.

    Args:
        config: The recipe.
    """

    def __init__(self, config: TextToTextConfig) -> None:
        self._config = config
        self._copying: CopyCodec | None = None  # where the model copies
        self._naming: CopyCodec | None = None  # where unknown words are to be replaced
        self.metrics = [metric.build() for metric in config.metrics]

    @property
    def config(self) -> TextToTextConfig:
        """The recipe."""
        return self._config

    def epochs(self) -> Epochs | None:
        """As the generator draws them, where nothing else is learnt from."""
        data = self._config.data
        return data.generator.epochs() if data.train is None and data.generator is not None else None

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """Look at the pairs as they were read; of generated ones equal sides are meant, and no order can be lost."""
        train = self._config.data.train
        columns, given = self.columns_of(train), train is not None
        return examine(splits.train, splits.dev, test, held_out=splits.held_out, given=given, columns=columns)

    @property
    def also_encoded(self) -> Mapping[str, Any]:
        """Whether the model copies, which reads more of a source than its symbols."""
        return {"copies": True} if self._config.model.decoder.copies else {}

    @property
    def reads_files(self) -> bool:
        """As the source's codec does."""
        return self._config.codec.source.reads_files

    @property
    def endings(self) -> tuple[str, ...]:
        """As the source's codec reads them."""
        return self._config.codec.source.endings

    @property
    def steps(self) -> tuple[Step, ...]:
        """As the source's codec says."""
        return self._config.codec.source.steps

    def beginnings(self, source: str, by: Step) -> list[str]:
        """Every beginning; of a file's its text is read."""
        codec = self.codecs["source"]
        return prefixes(str(codec.decode(codec.encode(source))) if self.reads_files else source, by)

    @property
    def source_limit(self) -> str:
        """`data.max_length`."""
        return f"data.max_length={self._config.data.max_length}"

    def fit_codecs(self, items: Sequence[Item], reading: Codec | None = None) -> None:
        """Learn one codec for both sides, or one for each."""
        codec = self._config.codec
        target = codec.source if codec.target is None else codec.target
        if reading is not None:
            self._use_codecs(reading, target.fit(item.raw["target"] for item in items))
            return
        if codec.joint:
            shared = codec.source.fit(chain.from_iterable((item.raw["source"], item.raw["target"]) for item in items))
            self._use_codecs(shared, shared)
            return
        self._use_codecs(
            codec.source.fit(item.raw["source"] for item in items), target.fit(item.raw["target"] for item in items)
        )

    def save_codecs(self, folder: Path) -> None:
        """One folder for each codec."""
        for side in SIDES[:1] if self._config.codec.joint else SIDES:
            (folder / side).mkdir(parents=True)
            self.codecs[side].save(folder / side)

    def load_codecs(self, folder: Path) -> None:
        """Read what `save_codecs` wrote."""
        codec = self._config.codec
        source = codec.source.load(folder / "source")
        target = codec.source if codec.target is None else codec.target
        self._use_codecs(source, source if codec.joint else target.load(folder / "target"))

    def _use_codecs(self, source: Codec, target: Codec) -> None:
        self.codecs = {"source": source, "target": target}
        copies = self._config.model.decoder.copies
        self._copying, self._naming = CopyCodec(source, target, self._limit) if copies else None, None
        self._limits = TextLimits(target, self._copying)

    @property
    def _limit(self) -> int:
        """The longest source, in symbols."""
        return self._config.data.max_length

    @property
    def copied_length(self) -> int | None:
        """The longest source, where the model copies."""
        return None if self._copying is None else self._limit

    def build_model(self) -> None:
        """Make the model for the codecs' streams, under its constraints where it has some."""
        model = self._config.model.build(self.codecs["source"].stream, self.codecs["target"].stream)
        if (limits := self.model_limits) is not None:
            model = Seq2Seq(model.encoder, Constrained(model.decoder, limits))
        self.model: Seq2Seq = model

    @property
    def model_limits(self) -> Constraint | None:
        """The constraint of the model, which training, scoring and search all see; None: there is none.

        Raises:
            ConfigError: the target's codec is of a kind that it cannot be told of.
        """
        return None

    def initialise(self) -> Sequence[str]:
        """Word vectors into the embeddings, where the recipe has some."""
        files = self._config.model.vectors.files
        return [start_from(path, side, self.model, self.codecs[side]) for side, path in files.items()]

    def sift(self, items: Sequence[Item]) -> Selection:
        """Those that are empty on no side and short enough, and all that the model reads of them."""

        def encode(item: Item) -> Mapping[str, Tensor]:
            return {side: self.codecs[side].encode(item.raw[side]) for side in SIDES}

        found = sift(items, encode, self._limit)
        # Copying reads more of a source than its symbols.
        return found if self._copying is None else replace(found, fields=pack(map(self.encode, found.items)))

    def remarks(self, lengths: Mapping[str, Tensor]) -> Iterator[str]:
        """What to know where targets are longer than search may make its outputs."""
        limit, longest = self._config.search.max_length, int(lengths["target"].max())
        if longest > limit:
            count, total = int((lengths["target"] > limit).sum()), len(lengths["target"])
            yield (
                f"{count:,} of {total:,} targets ({count / total:.2%}) are longer than search.max_length={limit} and "
                f"can never be given in full: set search.max_length={longest}"
            )

    def encode_source(self, item: Item) -> EncodedSource:
        """Symbols up to the end symbol; what is cut keeps its end."""
        if self.reads_files and isinstance(item.raw["source"], str) and not item.raw["source"]:
            return EncodedSource(torch.zeros(0), empty=True, cut=False)
        symbols = self.codecs["source"].encode(item.raw["source"])
        others = {} if self._copying is None else self._copying.fields(self._copying.read(item.raw["source"]))
        limit = self._limit
        if isinstance(self.codecs["source"].stream, Vectors):  # they have no end symbol
            return EncodedSource(symbols[:limit], not len(symbols), len(symbols) > limit)
        if len(symbols) > limit:
            return EncodedSource(torch.cat([symbols[: limit - 1], symbols[-1:]]), False, True, others)
        return EncodedSource(symbols, len(symbols) == 1, False, others)

    def encode(self, item: Item, seed: int | None = None) -> Mapping[str, Tensor]:
        """Symbols of each side, ending with the end symbol; what else the model reads of the source."""
        if self._copying is not None:
            return self._encode_copied(self._copying, item, seed)
        if seed is None:
            return {**self.encode_source(item).fields, "target": self.codecs["target"].encode(item.raw["target"])}
        return {side: self._drawn(side, item, seed) for side in SIDES}

    def _drawn(self, side: str, item: Item, seed: int) -> Tensor:
        """A side as its codec varies it; the two are drawn apart, also where they hold the same text."""
        return self.codecs[side].augment(item.raw[side], 2 * seed + SIDES.index(side))

    def _encode_copied(self, copying: CopyCodec, item: Item, seed: int | None) -> Mapping[str, Tensor]:
        """The target in the symbols of the vocabulary, and of its source where the vocabulary has none."""
        given, wanted = item.raw["source"], item.raw["target"]
        if seed is None:
            copied = copying.read(given)
            return {**self.encode_source(item).fields, "target": copying.encode(wanted, copied)}
        source, target = self.codecs["source"], self.codecs["target"]
        symbols = self._drawn("source", item, seed)
        copied = copying.read_symbols(symbols) if source.augments else copying.read(given)
        encoded = self._drawn("target", item, seed) if target.augments else copying.encode(wanted, copied)
        return {"source": symbols, **copying.fields(copied), "target": encoded}

    def unknown(self, item: Item) -> Unknown:
        """The characters or words of the source that its codec does not know; nothing where the model copies them."""
        return Unknown() if self._copying is not None else self.codecs["source"].unknown(item.raw["source"])

    def refuse(self, settings: SearchConfig) -> None:
        """Refuse a prefix that the target's codec does not know or that holds what is forbidden."""
        self._limits.refuse(settings)

    def search_limits(self, settings: SearchConfig) -> Sequence[Constraint]:
        """What outputs must obey besides what the user asks for.

        Where the model says what an output looks like, none is unknown: that is for scoring what train lacks.
        """
        target = self.codecs["target"].stream
        if self.model_limits is None or not isinstance(target, Symbols):
            return ()
        return (Never(target.unknown, target.vocab_size),)

    def search(self, batch: Batch, settings: SearchConfig) -> Hypotheses:
        """Search outputs for a batch of sources."""
        prefix, target = None, self.codecs["target"].stream
        if isinstance(target, Vectors):
            prefix = Padded.stack([torch.zeros(0, target.dim, device=self.device)] * len(batch.items))
        if settings.prefix is not None:
            prefix = Padded.stack([self._limits.prefix(settings.prefix, item).to(self.device) for item in batch.items])
        return self.search_from(self.model.encode(batch), batch, settings, prefix)

    def search_from(
        self, memory: Memory, batch: Batch, settings: SearchConfig, prefix: Padded | None = None
    ) -> Hypotheses:
        """Search outputs from what sources were folded into."""
        target, keys = self.codecs["target"].stream, list[int]()
        vocab_size = target.vocab_size if isinstance(target, Symbols) else 0
        if isinstance(target, Pointers):
            vocab_size = 1 + memory.valid.shape[1]
        if self._copying is not None:
            found, numbers = memory.own.values.unique(return_inverse=True)
            memory, keys = memory.replace(own=Padded(numbers, memory.own.valid)), found.tolist()
        found = settings.run(
            self.model.decoder,
            memory,
            vocab_size=vocab_size,
            forbidden=self._limits.forbidden_among(settings.forbid, batch.items, keys),
            prefix=prefix,
            own=len(keys),
            also=self.search_limits(settings),
        )
        if not (settings.replace_unknown and isinstance(target, Symbols)):
            return found
        naming = self._naming = self._naming or self._copying or CopyCodec(**self.codecs, max_length=self._limit)
        copied = [naming.read(item.raw["source"]) for item in batch.items]
        symbols = Padded.stack([torch.tensor(each.symbols) for each in copied]).to(self.device)
        replaced = replace_unknown(self.model.decoder, memory, found, symbols, target)
        return self._limits.spare(settings.forbid, found, replaced, [each.own for each in copied])

    def output(self, values: Tensor, item: Item) -> str:
        """The text of one hypothesis."""
        codec = self._copying or self._naming
        if codec is not None:
            return codec.decode(values, item.raw["source"])
        return str(self.codecs["target"].decode(values, item))

    def units(self, values: Tensor, item: Item) -> Units:
        """The words or characters of one hypothesis."""
        codec = self._copying or self._naming
        return super().units(values, item) if codec is None else codec.units(values, item.raw["source"])

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial:
        """The source itself."""
        return Trivial("the source itself", [item.raw["source"] for item in items])

    @property
    def augments(self) -> bool:
        """Whether a codec varies its output in training."""
        return any(codec.augments for codec in self.codecs.values())
