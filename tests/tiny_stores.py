"""What the tests of prepared data share: some pairs in files, and a recipe that trains on them at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anyseq import api

RECIPE = "translate/attention"
TINY = (
    *("codec=words", "data.max_skipped=0.1", "data.check=off", "training.max_minutes=null", "training.average=0"),
    *("model.encoder.embed_dim=8", "model.encoder.hidden_dim=8"),
    *("model.decoder.embed_dim=8", "model.decoder.hidden_dim=16"),
    *("training.batch_tokens=64", "training.max_steps=12", "training.validate_every=4", "training.warmup_steps=2"),
)


@dataclass(frozen=True)
class Texts:
    folder: Path

    @classmethod
    def write(cls, folder: Path, lines: list[str]) -> Texts:
        folder.mkdir()
        for name, some in (("train", lines[:300]), ("dev", lines[300:])):
            (folder / f"{name}.source").write_text("".join(f"{line}\n" for line in some))
            (folder / f"{name}.target").write_text("".join(f"{' '.join(line.split()[::-1])}\n" for line in some))
        return cls(folder)

    @property
    def train(self) -> tuple[str, ...]:
        return tuple(f"data.train.{side}={self.folder}/train.{side}" for side in ("source", "target"))

    @property
    def dev(self) -> tuple[str, ...]:
        return tuple(f"data.dev.{side}={self.folder}/dev.{side}" for side in ("source", "target"))


def prepare(texts: Texts, output: Path, *words: str, **options: object) -> api.PreparedData:
    return api.prepare_data(RECIPE, output, overrides=[*TINY, *texts.train, *texts.dev, *words], workers=1, **options)


def train(folder: Path, *words: str) -> api.Trained:
    return api.train(RECIPE, folder, device="cpu", threads=1, overrides=[*TINY, *words])
