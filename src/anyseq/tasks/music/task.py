"""A model of music: pieces as piano rolls, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from anyseq.core import Item, content
from anyseq.data.check import Finding, finding, share
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.piano_roll import PianoRoll, PianoRollConfig
from anyseq.data.media import read_alone
from anyseq.data.midi import KEYS
from anyseq.errors import DataError, UsageError
from anyseq.inspection.piano_roll import draw
from anyseq.search.settings import SearchConfig
from anyseq.tasks.base import Task
from anyseq.tasks.decoding import Prediction, batches
from anyseq.tasks.language_model.task import LanguageModel, LanguageModelConfig, TextsCodec, TextsData
from anyseq.tasks.splits import Splits
from anyseq.tasks.trivial import Trivial

_PICTURED = 20


class MusicData(TextsData):
    """Pieces. Without `train`, the generator's."""

    train: Any = Field(
        None, description="pieces to learn from: a folder of MIDI files, FILE.mid, FILE with a piece a line, or a list"
    )
    dev: Any = Field(None, description="pieces to choose and stop by; null: held out of train")
    test: Any = Field(None, description="pieces for the final figure; null: no final figure")
    max_length: int = Field(4096, ge=2, description="longest piece in frames; longer ones are left out")


class MusicCodec(TextsCodec):
    """How pieces become frames."""

    target: CodecConfig = Field(PianoRollConfig(), description="codec of the pieces")

    @model_validator(mode="after")
    def _rolls(self) -> Self:
        if not isinstance(self.target, PianoRollConfig):
            raise ValueError("codec.target: music is read as piano rolls: kind=piano_roll")
        return self


class MusicConfig(LanguageModelConfig):
    """Pieces as frames of keys, judged by their likelihood, each frame given all before it."""

    data: MusicData = Field(default_factory=MusicData, description="what to learn from")
    codec: MusicCodec = Field(default_factory=MusicCodec, description="how pieces become frames")

    def build(self) -> Music:
        """Make the task."""
        return Music(self)


class Music(LanguageModel):
    """Pieces as piano rolls. A source, where one is given, is a beginning: outputs go on from it, and hold it.

    `nats_per_frame` is the figure of the literature: the negative log-probability of a frame, summed over its 88 keys,
    given the frames before it, over all frames but the first of each piece. `loss` counts the first, too.

    Args:
        config: The recipe.

    Source:
        Boulanger-Lewandowski et al. 2012, arXiv:1206.6392; the protocol: Bai et al. 2018, arXiv:1803.01271.
    """

    plots = ("predictions",)
    writes: ClassVar[str] = ".mid"

    _config: MusicConfig

    @property
    def reads_files(self) -> bool:
        """A prompt may be a MIDI file."""
        return True

    @property
    def endless(self) -> bool:
        """A piece has no end symbol."""
        return True

    @property
    def endings(self) -> tuple[str, ...]:
        """Of MIDI files."""
        return PianoRollConfig.endings

    @property
    def _codec(self) -> PianoRoll:
        return cast(PianoRoll, self.codecs["target"])

    def read_texts(self, data: Any) -> list[Item]:
        """Read what one of the data keys holds."""
        return read_alone(data, self.endings, self._config.codec.target.names_file)

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """Read every piece: what cannot be read, how much there is, what stands there twice."""
        codec, seen = self._config.codec.target.fit(()), set[Any]()
        for name, items in (("train", splits.train), ("dev", splits.dev), ("test", test)):
            frames, keys, known = 0, torch.zeros(KEYS), []
            for item in items:
                try:
                    roll = codec.encode(item.raw["target"])
                except DataError as fault:
                    yield Finding("error", f"{name}: {fault}", (item.place,), fatal=True)
                    continue
                frames, keys = frames + len(roll), keys + roll.sum(0)
                heard = content(roll.bool().numpy())
                known += [item] if heard in seen else []
                if name == "train":
                    seen.add(heard)
            if frames:
                between = codec.decode((keys > 0).float()[None]).split("+")
                yield Finding(
                    "note",
                    f"{name}: {len(items):,} pieces of {frames / len(items):.0f} frames on average, "
                    f"{keys.sum() / frames:.1f} keys a frame, {between[0]} to {between[-1]}",
                )
            if known:
                yield finding("note", f"{name}: {share(len(known), len(items))} pieces stand in train before", known)

    def refuse(self, settings: SearchConfig) -> None:
        """Refuse what speaks of texts, symbols or a source."""
        Task.refuse(self, settings)
        super().refuse(settings)

    def measure(self, items: Sequence[Item], settings: SearchConfig) -> Mapping[str, float]:
        """`nats_per_frame`."""
        fields = [self.encode(item) for item in items]
        total, count = 0.0, 0
        self.model.eval()
        for rows in batches(fields, settings.batch_tokens):
            batch = self.batch([items[row] for row in rows.tolist()], [fields[row] for row in rows.tolist()])
            with torch.inference_mode():
                memory = self.model.decoder.prepare(self.model.encode(batch))
                emission, _ = self.model.decoder.unroll(memory, batch.target)
                total -= emission.log_prob(batch.target.values)[:, 1:].double().sum().item()
            count += int(batch.target.valid[:, 1:].sum())
        return {"nats_per_frame": total / max(count, 1)}

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial:
        """Each key by whether it sounded in the frame before: the mean of what followed in train."""
        counts = torch.zeros(2, 2, KEYS, dtype=torch.float64)
        for item in train:
            counts += _pairs(self.encode(item)["target"])
        costs = -((counts + 1) / (counts + 1).sum(1, keepdim=True)).log()
        rolls = [self.encode(item)["target"] for item in items]
        total = sum((_pairs(roll) * costs).sum().item() for roll in rolls)
        name = "each key by whether it sounded in the frame before, as often as in train"
        return Trivial(name, metrics={"nats_per_frame": total / max(1, sum(len(roll) - 1 for roll in rolls))})

    def refuse_to_write(self) -> None:
        """Refuse where mido is not installed."""
        self._codec.refuse_to_write()

    def write(self, output: str, path: Path) -> None:
        """Write an output as a MIDI file."""
        self._codec.write(output, path)

    def plot(self, items: Sequence[Item], predictions: Sequence[Prediction], path: Path) -> None:
        """Draw the outputs as piano rolls, below each other; what was given is grey."""
        codec = self._codec
        found = [
            (len(codec.encode(item.raw["source"])), codec.encode(each.output))
            for item, prediction in zip(items, predictions, strict=True)
            for each in prediction.n_best
            if each.output
        ]
        if not found:
            raise UsageError("no output is there to be drawn: leave out --plot")
        draw(found[:_PICTURED], len(found), path)


def _pairs(roll: Float[Tensor, "time key"]) -> Float[Tensor, "before now key"]:
    """How often each key sounded or not, by whether it had in the frame before."""
    before, now = torch.stack([1 - roll[:-1], roll[:-1]]), torch.stack([1 - roll[1:], roll[1:]])
    return torch.einsum("btk,ntk->bnk", before.double(), now.double())
