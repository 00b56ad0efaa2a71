"""A language model of one long text: it reads on and on, from piece to piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor

from anyseq.core import Item
from anyseq.data.batching import Batches, ParallelBatches, pack
from anyseq.data.check import Finding
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.characters import Characters, CharactersConfig
from anyseq.data.lines import read_text
from anyseq.data.permutation import Mixture
from anyseq.errors import ConfigError, DataError
from anyseq.tasks.language_model.task import LanguageModel, LanguageModelConfig, TextsCodec, TextsData
from anyseq.tasks.splits import Splits

_FEWEST_PIECES = 10


class ContiguousData(TextsData):
    """One long text, or several, one behind the other. Without `train`, the generator's."""

    train: Any = Field(None, description="the text to learn from: FILE or [FILE, ...] (plain or .gz), line ends kept")
    dev: Any = Field(None, description="text to choose and stop by; null: the last tenth of train")
    test: Any = Field(None, description="text for the final figure; null: no final figure")
    piece_length: int = Field(
        128, ge=2, description="symbols of a piece: the gradient reaches that far back, the state farther"
    )
    judged_length: int = Field(
        4096, ge=2, description="symbols of a piece of dev and test, before which the model has read nothing"
    )


class ContiguousCodec(TextsCodec):
    """How the text becomes symbols."""

    target: CodecConfig = Field(
        CharactersConfig(squeeze=False, unicode="none"), description="characters, white space kept"
    )


class ContiguousConfig(LanguageModelConfig):
    """One long text, judged by its likelihood, each symbol given all before it."""

    carries: ClassVar[bool] = True
    preparable: ClassVar[tuple[str, ...]] = ()

    data: ContiguousData = Field(default_factory=ContiguousData, description="what to learn from")
    codec: ContiguousCodec = Field(default_factory=ContiguousCodec, description="how the text becomes symbols")

    def build(self) -> Contiguous:
        """Make the task."""
        return Contiguous(self)


class Contiguous(LanguageModel):
    """One text, cut into pieces without an end symbol: an output has none, and ends by its budget.

    Training reads as many places of the text at once as `training.batch_tokens` holds pieces; what a batch leaves goes
    on in the next (`objective=carried`).

    Args:
        config: The recipe.
    """

    lines: ClassVar[bool] = False

    _config: ContiguousConfig

    def read_texts(self, data: Any) -> list[Item]:
        """The text, in pieces as those of dev and test are."""
        return self._pieces(self._read_text(data), self._config.data.judged_length)

    def read(self) -> Splits:
        """The text of train, in pieces as it is learnt from, and that of dev."""
        data = self._config.data
        if data.train is None:
            text = self._generated_text("train")
            dev = self.generated("dev") if data.dev is None else self.read_texts(data.dev)
            return Splits(self._pieces(text, data.piece_length), dev)
        text = self._read_text(data.train)
        if data.dev is not None:
            return Splits(self._pieces(text, data.piece_length), self.read_texts(data.dev))
        end = len(text) * 9 // 10
        note = f"no data.dev given: the last {len(text) - end:,} of {len(text):,} characters are held out to choose by"
        train, dev = self._pieces(text[:end], data.piece_length), self._pieces(text[end:], data.judged_length)
        return Splits(train, dev, [note], held_out=True)

    def _read_text(self, data: Any) -> str:
        """A text from Python (which has a line end, or is one of several that name no files), or files."""
        if isinstance(data, str) and "\n" in data:
            return data
        parts: list[Any] = [data] if isinstance(data, str | Path | Mapping) else list(data)
        if other := next((part for part in parts if isinstance(part, Mapping)), None):
            raise DataError(f"one long text is FILE or [FILE, ...], not {dict(other)!r:.60}; it has no weights")
        if len(parts) > 1 and not any(Path(part).is_file() for part in parts):
            return "".join(f"{part}\n" for part in parts)
        return "".join(read_text(part) for part in parts)

    def _generated_text(self, split: str) -> str:
        generator = self._config.data.generator
        if generator is None:
            raise DataError("nothing to learn from: give data.train")
        return "".join(item.raw["target"] for item in generator.generate(split))

    def generated(self, split: str) -> list[Item]:
        """The generator's text, in pieces."""
        return self._pieces(self._generated_text(split), self._config.data.judged_length)

    def _pieces(self, text: str, length: int) -> list[Item]:
        if len(text) < _FEWEST_PIECES:
            raise DataError(f"the text has {len(text)} characters, which is too few to learn or judge by: give more")
        pieces = (text[first : first + length] for first in range(0, len(text), length))
        return [Item({"target": piece}, key) for key, piece in enumerate(pieces)]

    def build_model(self) -> None:
        """Make the decoder; of what is carried, its state must be such.

        Raises:
            ConfigError: it is not.
        """
        if self._config.objective.carries and not self._config.model.decoder.carried:
            raise ConfigError(
                "objective=carried hands a state on from piece to piece, and this decoder's grows with the text: "
                "model.decoder=rnn; or objective=cross_entropy data.judged_length=(as data.piece_length)"
            )
        super().build_model()

    def _use_codec(self, codec: Any) -> None:
        if not isinstance(codec, Characters) or codec.normalise.squeeze or codec.whole:
            raise ConfigError("codec.target: one long text is cut between characters: kind=characters squeeze=false")
        super()._use_codec(codec)

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """Count the characters."""
        for name, items in (("train", splits.train), ("dev", splits.dev), ("test", test)):
            if items:
                yield Finding("note", f"{name}: {sum(len(item.raw['target']) for item in items):,} characters")

    def select(self, splits: Splits) -> Splits:
        """All pieces of full length; a shorter one at the end would let its row fall out of step."""
        length = self._config.data.piece_length
        train = [item for item in splits.train if len(item.raw["target"]) == length]
        if len(train) < _FEWEST_PIECES:
            raise DataError(
                f"the text of train has {len(train)} pieces of data.piece_length={length} characters, at least "
                f"{_FEWEST_PIECES} are needed: give more text, or shorter pieces"
            )
        return replace(splits, train=train, encoded=pack(map(self.encode, train)))

    def batches(self, lengths: Tensor, batch_tokens: int, mixture: Mixture | None = None) -> Batches:
        """As many places at once as there are pieces in `batch_tokens`."""
        return ParallelBatches(len(lengths), batch_tokens // self._config.data.piece_length)

    def encode(self, item: Item, seed: int | None = None) -> Mapping[str, Tensor]:
        """The piece's symbols; no end."""
        return {"target": self.codecs["target"].encode(item.raw["target"])[:-1]}
