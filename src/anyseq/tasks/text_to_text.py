"""Text in, text out: what translation and transduction have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from anyseq.core import Batch, Hypotheses, Item, Padded, PartConfig, Symbols
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.files import read_items, select_trainable
from anyseq.data.synthetic.base import GeneratorConfig
from anyseq.errors import DataError
from anyseq.models.seq2seq import Seq2SeqConfig
from anyseq.search.settings import SearchConfig
from anyseq.tasks.base import EncodedSource, Splits, Task, TaskConfig

SIDES = ("source", "target")


class TextData(PartConfig):
    """Pairs of lines. Without `train`, the generator's."""

    train: Any = Field(None, description="pairs to learn from: FILE (.tsv .jsonl .csv), or source=FILE target=FILE")
    dev: Any = Field(None, description="pairs to choose and stop by; none: held out of train")
    test: Any = Field(None, description="pairs for the final figure; none: no final figure")
    generator: GeneratorConfig | None = Field(None, description="the embedded default, where no files are given")
    held_out: int = Field(500, ge=1, description="items held out of train where no dev is given; at most a tenth")
    max_length: int = Field(256, ge=2, description="longest side in symbols, end included; longer pairs are left out")
    max_skipped: float = Field(0.01, ge=0, le=1, description="largest share of pairs that may be left out")


class TextCodecs(PartConfig):
    """How text becomes symbols. A bare name (`codec=words`) is the kind of codec on both sides."""

    named: ClassVar[tuple[str, ...]] = ("source", "target")

    source: CodecConfig = Field(description="codec of the source")
    target: CodecConfig | None = Field(None, description="codec of the target; none: as the source's")
    joint: bool = Field(False, description="one codec, learnt from both sides, for both sides")


class TextToTextConfig(TaskConfig):
    """Text in, text out."""

    data: TextData = Field(default_factory=TextData, description="what to learn from")
    codec: TextCodecs = Field(description="how text becomes symbols")
    model: Seq2SeqConfig = Field(description="the encoder-decoder")

    def build(self) -> TextToText:
        """Make the task."""
        return TextToText(self)


class TextToText(Task):
    """Pairs of lines, a codec for each side, an encoder-decoder.

    Args:
        config: The recipe.
    """

    def __init__(self, config: TextToTextConfig) -> None:
        self._config = config
        self.metrics = [metric.build() for metric in config.metrics]

    @property
    def config(self) -> TextToTextConfig:
        """The recipe."""
        return self._config

    def read(self) -> Splits:
        """Read the pairs of train and dev, or generate them."""
        data = self._config.data
        if data.train is None:
            if data.generator is None:
                raise DataError("nothing to learn from: give data.train, or data.train.source and data.train.target")
            return Splits(data.generator.generate("train"), data.generator.generate("dev"))
        train = read_items(data.train)
        if data.dev is not None:
            return Splits(train, read_items(data.dev))
        held_out = min(data.held_out, len(train) // 10)
        if not held_out:
            raise DataError(f"{len(train)} pairs are too few to hold some out for choosing: give data.dev or more data")
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0)).tolist()
        note = f"no data.dev given: {held_out} of {len(train)} training pairs are held out to choose and stop by"
        dev, rest = sorted(order[:held_out]), sorted(order[held_out:])
        return Splits([train[i] for i in rest], [train[i] for i in dev], [note])

    def read_test(self) -> list[Item] | None:
        """Read the test pairs, None where there are none."""
        data = self._config.data
        if data.test is not None:
            return read_items(data.test)
        return data.generator.generate("test") if data.train is None and data.generator is not None else None

    def fit_codecs(self, items: Sequence[Item]) -> None:
        """Learn one codec for both sides, or one for each."""
        codec = self._config.codec
        if codec.joint:
            shared = codec.source.fit(chain.from_iterable((item.raw["source"], item.raw["target"]) for item in items))
            self.codecs = dict.fromkeys(SIDES, shared)
            return
        target = codec.source if codec.target is None else codec.target
        self.codecs = {
            "source": codec.source.fit(item.raw["source"] for item in items),
            "target": target.fit(item.raw["target"] for item in items),
        }

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
        self.codecs = {"source": source, "target": source if codec.joint else target.load(folder / "target")}

    def build_model(self) -> None:
        """Make the model for the codecs' streams."""
        self.model = self._config.model.build(self.codecs["source"].stream, self.codecs["target"].stream)

    def select(self, splits: Splits) -> Splits:
        """Leave out pairs that are empty on a side or too long."""
        data = self._config.data

        def longest(item: Item) -> int:
            return max(len(self.codecs[side].encode(item.raw[side])) for side in SIDES)

        train, skipped = select_trainable(splits.train, longest, data.max_length, data.max_skipped)
        notes = [*splits.notes, *([str(skipped)] if skipped.count else [])]
        return Splits(train, splits.dev, notes, list(zip(skipped.places, skipped.reasons, strict=True)))

    def encode_source(self, item: Item) -> EncodedSource:
        """Symbols up to the end symbol; what is cut keeps its end."""
        symbols = self.codecs["source"].encode(item.raw["source"])
        limit = self._config.data.max_length
        if len(symbols) > limit:
            return EncodedSource(torch.cat([symbols[: limit - 1], symbols[-1:]]), empty=False, cut=True)
        return EncodedSource(symbols, empty=len(symbols) == 1, cut=False)

    def encode(self, item: Item, seed: int | None = None) -> Mapping[str, Tensor]:
        """Symbols of each side, ending with the end symbol."""
        if seed is None:
            return {
                "source": self.encode_source(item).values,
                "target": self.codecs["target"].encode(item.raw["target"]),
            }
        return {side: self.codecs[side].augment(item.raw[side], seed) for side in SIDES}

    def search(self, batch: Batch, settings: SearchConfig) -> Hypotheses:
        """Search outputs for a batch of sources."""
        target = self.codecs["target"]
        vocab_size = target.stream.vocab_size if isinstance(target.stream, Symbols) else 0
        prefix = None
        if settings.prefix is not None:
            symbols = target.encode(settings.prefix)[:-1].to(self.device)
            prefix = Padded.stack([symbols] * batch.rows)
        return settings.run(
            self.model.decoder,
            self.model.encode(batch),
            vocab_size=vocab_size,
            forbidden=[target.encode(text)[:-1].tolist() for text in settings.forbid],
            prefix=prefix,
        )

    def output(self, values: Tensor, item: Item) -> str:
        """The text of one hypothesis."""
        return str(self.codecs["target"].decode(values, item))

    @property
    def augments(self) -> bool:
        """Whether a codec varies its output in training."""
        return any(codec.augments for codec in self.codecs.values())
