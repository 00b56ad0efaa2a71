"""Tasks besides pairs of texts: what they prepare is what they read into memory."""

import os
from pathlib import Path
from random import Random

import pytest
import torch

from anyseq import api
from anyseq.config import load_recipe
from anyseq.data.store import sources
from anyseq.data.store.store import Store
from anyseq.errors import DataError, UsageError
from tiny_runs import events

SMALL = ("data.check=off", "data.max_skipped=0.1", "data.prepare=never")


def sentences(folder: Path) -> list[tuple[list[str], list[str]]]:
    draw = Random(1)
    folder.mkdir(exist_ok=True)
    found = []
    for _ in range(120):
        words = draw.choices(["red", "Ann", "runs", "of", "Rome"], k=draw.randint(1, 6))
        found.append((words, ["B-x" if word[0].isupper() else "O" for word in words]))
    return found


def columns(folder: Path) -> Path:
    rows = ["".join(f"{word} {tag}\n" for word, tag in zip(*each, strict=True)) for each in sentences(folder)]
    (folder / "train.conll").write_text("\n".join(rows))
    return folder / "train.conll"


def table(folder: Path, name: str, second: bool) -> Path:
    lines = [(" ".join(words), " ".join(tags) if second else words[0]) for words, tags in sentences(folder)]
    (folder / name).write_text("".join(f"{one}\t{other}\n" for one, other in lines))
    return folder / name


def lines(folder: Path) -> Path:
    (folder / "texts.txt").write_text("".join(f"{' '.join(words)}\n" for words, _ in sentences(folder)))
    return folder / "texts.txt"


CASES = {
    "tag/crf of columns": ("tag/crf", columns),
    "tag/crf of a table": ("tag/crf", lambda folder: table(folder, "train.tsv", second=True)),
    "classify/words": ("classify/words", lambda folder: table(folder, "train.tsv", second=False)),
    "language_model/names": ("language_model/names", lines),
    "autoencode/text": ("autoencode/text", lines),
}


@pytest.mark.parametrize(("recipe", "write"), CASES.values(), ids=CASES)
def test_a_store_holds_what_reading_into_memory_gives(recipe, write, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "SHARD_LINES", 50)
    (tmp_path / "dev").mkdir()
    words = [f"data.train={write(tmp_path)}", f"data.dev={write(tmp_path / 'dev')}", *SMALL]
    api.prepare_data(recipe, tmp_path / "store", overrides=words, workers=1)
    store = Store(tmp_path / "store")
    task = load_recipe(recipe, words).build()
    splits = task.read()
    task.fit_codecs(splits.train)
    splits = task.select(splits)
    assert len(store.shards) > 1
    assert [(item.raw, item.file, item.line) for item in store] == [
        (item.raw, item.file, item.line) for item in splits.train
    ]
    assert store.fields.keys() == splits.encoded.keys()
    rows = torch.randperm(len(store))
    for name, packed in splits.encoded.items():
        assert store.fields[name].rows(rows).values.equal(packed.rows(rows).values), name


def test_a_language_model_learns_from_prepared_texts_and_holds_some_out(tmp_path):
    words = ["model.decoder.hidden_dim=16", "training.max_steps=4", "training.validate_every=4", *SMALL]
    made = api.prepare_data(
        "language_model/names", tmp_path / "store", workers=1, overrides=[*words, f"data.train={lines(tmp_path)}"]
    )
    held = {item.raw["target"] for item in Store(tmp_path / "store").held_out()}
    assert made.held_out and not held & {item.raw["target"] for item in Store(tmp_path / "store")}
    api.train("language_model/names", tmp_path / "run", device="cpu", threads=1,
              overrides=[*words, f"data.train={tmp_path}/store"])  # fmt: skip
    assert events(tmp_path / "run")[-1]["kind"] == "validation"


@pytest.mark.parametrize("recipe", ["parse/guided", "language_model/text", "classify/pictures", "forecast/direct"])
def test_others_say_that_theirs_cannot_be(recipe, tmp_path):
    with pytest.raises(UsageError, match="cannot be prepared on disk"):
        api.prepare_data(recipe, tmp_path / "store", overrides=[f"data.train={tmp_path}"])
    assert not list(tmp_path.iterdir())


def test_a_pipe_is_read_once_and_never_prepared(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="no pipes"):
        api.prepare_data("language_model/names", tmp_path / "store", overrides=[f"data.train={pipe}"])
