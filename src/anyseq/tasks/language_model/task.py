"""A language model of separate texts: names, sentences, one a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor

from anyseq.core import Batch, Codec, Hypotheses, Item, Padded, PartConfig, Symbols, Unknown
from anyseq.data.check import Finding
from anyseq.data.check_texts import examine_texts
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.files import read_texts
from anyseq.data.selection import Selection, sift
from anyseq.errors import UsageError
from anyseq.metrics.base import MetricConfig
from anyseq.models.alone import Alone, AloneConfig
from anyseq.search.constraints import Never
from anyseq.search.settings import SearchConfig
from anyseq.tasks.lines import LinesConfig, LinesData, OfLines
from anyseq.tasks.splits import EncodedSource, Splits
from anyseq.tasks.text_limits import TextLimits
from anyseq.tasks.trivial import Trivial


class TextsData(LinesData):
    """Texts. Without `train`, the generator's."""

    train: Any = Field(
        None, description="texts to learn from: FILE or [FILE, ...], one a line (or .csv .tsv .jsonl with a `text`); "
        "or a folder of `anyseq prepare`; or [{path: FILE, weight: 2}, ...]: an epoch shows each text of it twice"
    )
    dev: Any = Field(None, description="texts to choose and stop by; null: held out of train")
    test: Any = Field(None, description="texts for the final figure; null: no final figure")
    held_out: int = Field(
        500, ge=1, description="texts held out of train where no dev is given, at most a tenth; no text in both"
    )
    max_length: int = Field(256, ge=2, description="longest text in symbols, end included; longer ones are left out")
    max_skipped: float = Field(0.01, ge=0, le=1, description="largest share of texts that may be left out")


class TextsCodec(PartConfig):
    """How texts become symbols. A bare name (`codec=words`) is its kind."""

    named: ClassVar[tuple[str, ...]] = ("target",)

    target: CodecConfig = Field(description="codec of the texts")


class LanguageModelConfig(LinesConfig):
    """Texts, each for itself, judged by their likelihood."""

    preparable: ClassVar[tuple[str, ...]] = ("max_length",)

    data: TextsData = Field(default_factory=TextsData, description="what to learn from")
    codec: TextsCodec = Field(description="how texts become symbols")
    model: AloneConfig = Field(description="the decoder")
    metrics: tuple[MetricConfig, ...] = Field(
        (), description="none: there is nothing to compare a text with; the loss decides"
    )

    def build(self) -> LanguageModel:
        """Make the task."""
        return LanguageModel(self)


class LanguageModel(OfLines):
    """Texts, a codec, a decoder alone. A source, where one is given, is a prompt: outputs begin with it.

    Args:
        config: The recipe.
    """

    prompted: ClassVar[bool] = True
    apart: ClassVar[str] = "target"

    def __init__(self, config: LanguageModelConfig) -> None:
        self._config = config
        self.metrics = [metric.build() for metric in config.metrics]

    @property
    def config(self) -> LanguageModelConfig:
        """The recipe."""
        return self._config

    def read_texts(self, data: Any) -> list[Item]:
        """Read what one of the data keys holds."""
        return read_texts(data)

    def read_pairs(self, data: Any) -> list[Item]:
        """The same."""
        return self.read_texts(data)

    def columns_of(self, data: Any) -> Sequence[str]:
        """The texts."""
        return ("text",)

    def generated(self, split: str) -> list[Item]:
        """The generator's texts, which it calls sources."""
        return [replace(item, raw={"target": item.raw["source"]}) for item in super().generated(split)]

    def read_judged(
        self, source: Path | None, targets: Sequence[Path], data: Path | None
    ) -> tuple[list[Item], list[list[str]]]:
        """Texts alone.

        Raises:
            UsageError: something else is given.
        """
        if source is not None or len(targets) > 1:
            raise UsageError("a language model is judged by texts alone: give one file, --data FILE")
        items = self.read_texts(targets[0] if data is None else data)
        return items, [[item.raw["target"]] for item in items]

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """Look at the texts as they were read."""
        return examine_texts({"train": splits.train, "dev": splits.dev, "test": test})

    def fit_codecs(self, items: Sequence[Item], reading: Codec | None = None) -> None:
        """Learn the codec."""
        self._use_codec(self._config.codec.target.fit(item.raw["target"] for item in items))

    def save_codecs(self, folder: Path) -> None:
        """One folder."""
        (folder / "target").mkdir(parents=True)
        self.codecs["target"].save(folder / "target")

    def load_codecs(self, folder: Path) -> None:
        """Read what `save_codecs` wrote."""
        self._use_codec(self._config.codec.target.load(folder / "target"))

    def _use_codec(self, codec: Any) -> None:
        self.codecs = {"target": codec}
        self._limits = TextLimits(codec)

    def build_model(self) -> None:
        """Make the decoder for the codec's stream."""
        self.model: Alone = self._config.model.build(self.codecs["target"].stream)

    def sift(self, items: Sequence[Item]) -> Selection:
        """Those of some texts that can be trained on."""
        return sift(items, self.encode, self._config.data.max_length)

    def encode(self, item: Item, seed: int | None = None) -> Mapping[str, Tensor]:
        """The text's symbols, the end last."""
        codec, text = self.codecs["target"], item.raw["target"]
        return {"target": codec.encode(text) if seed is None else codec.augment(text, 2 * seed)}

    def encode_source(self, item: Item) -> EncodedSource:
        """The prompt as it is encoded, without an end; there may be nothing."""
        codec, prompt = self.codecs["target"], item.raw.get("source", "")
        encoded = codec.encode(prompt)
        return EncodedSource(encoded[:-1] if isinstance(codec.stream, Symbols) else encoded, False, False)

    def unknown(self, item: Item) -> Unknown:
        """What of the prompt has no symbol."""
        return self.codecs["target"].unknown(item.raw.get("source", ""))

    def refuse(self, settings: SearchConfig) -> None:
        """Refuse a prefix that the codec does not know, and what asks for a source."""
        self._limits.refuse(settings)
        for name in ("coverage_penalty", "max_length_ratio", "replace_unknown"):
            if getattr(settings, name):
                raise UsageError(f"search.{name} speaks of a source, and a language model has none: leave it out")

    def search(self, batch: Batch, settings: SearchConfig) -> Hypotheses:
        """Search, or draw, texts that begin with the batch's prompts, behind the prefix of all."""
        prompts: Padded = batch.source
        if settings.prefix is not None:
            first = self._limits.prefix(settings.prefix, Item({"source": ""})).to(self.device)
            rows = zip(prompts.values, prompts.lengths.tolist(), strict=True)
            prompts = Padded.stack([torch.cat([first, row[:length]]) for row, length in rows])
        target = self.codecs["target"].stream
        return settings.run(
            self.model.decoder,
            self.model.encode(batch),
            vocab_size=target.vocab_size if isinstance(target, Symbols) else 0,
            forbidden=self._limits.forbidden(settings.forbid),
            prefix=prompts if prompts.values.shape[1] or not isinstance(target, Symbols) else None,
            also=[Never(target.unknown, target.vocab_size)] if isinstance(target, Symbols) else (),
        )

    def output(self, values: Tensor, item: Item) -> str:
        """The text, its prompt included."""
        return str(self.codecs["target"].decode(values, item))

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial | None:
        """Each symbol by the one before it, counted, with one count added for every pair."""
        stream = self.codecs["target"].stream
        if not isinstance(stream, Symbols):
            return None
        seen, asked = (self._pairs_of(part, stream.vocab_size) for part in (train, items))
        loss = _by_counts(seen, asked, stream.vocab_size)
        return Trivial("each symbol by the one before it", metrics={"loss": loss})

    def _pairs_of(self, items: Sequence[Item], size: int) -> Int[Tensor, " pair"]:
        return torch.cat([_steps_of(self.encode(item)["target"], size) for item in items])

    @property
    def augments(self) -> bool:
        """Whether the codec varies its output in training."""
        return self.codecs["target"].augments


def _by_counts(seen: Int[Tensor, " seen"], asked: Int[Tensor, " asked"], size: int) -> float:
    """Nats of a pair's second symbol by how often its first one was seen, and it behind that, each once more often.

    There may be thousands of symbols, so that no table of all pairs is made.
    """
    known, counts = seen.unique(return_counts=True)
    firsts = torch.bincount(known // size, counts.double(), minlength=size + 1) + size  # the last: the beginning
    place = torch.searchsorted(known, asked).clamp(max=len(known) - 1)
    found = torch.where(known[place] == asked, counts[place], 0) + 1
    return float((firsts[asked // size] / found).log().mean())


def _steps_of(text: Tensor, size: int) -> Tensor:
    """Each symbol of a text with the one before it, as one number; before the first stands `size`."""
    return torch.cat([text.new_tensor([size]), text[:-1]]) * size + text
