"""What the scripts of quality set is what recipes have."""

from __future__ import annotations

import gzip
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anyseq.config import load_recipe

QUALITY = Path(__file__).parents[2] / "benchmarks" / "quality"
TREE = "(S (NP (DT the) (NN dog)) (VP (VBZ barks)))"


def quality(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"quality_{name}", QUALITY / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made(folder: Path) -> Path:
    """As little of the data as the scripts read before they train."""
    for name in ("ptb_trees", "cmudict", "multi30k", "ett", "atis", "names", "fsdd", "music"):
        (folder / name).mkdir()
    for part in ("train", "dev"):
        (folder / "ptb_trees" / f"{part}.txt").write_text(f"{TREE}\n" * 10, encoding="utf-8")
    rows = "".join(f"2016-07-01 {hour:02}:00,{hour % 5}\n" for hour in range(24))
    (folder / "ett" / "ETTh1.csv.gz").write_bytes(gzip.compress(f"date,OT\n{rows}".encode()))
    row = json.dumps({"tokens": ["to", "bern"], "tags": ["O", "B-to"], "intent": "flight"})
    for part in ("train", "dev"):
        (folder / "atis" / f"{part}.jsonl").write_text(f"{row}\n" * 10, encoding="utf-8")
    (folder / "names" / "names.txt").write_text("ann\n" * 2100, encoding="utf-8")
    index = np.repeat(np.arange(5, 50), 10)
    np.savez(
        folder / "fsdd" / "train.npz", audio=np.ones(50 * len(index), dtype=np.int16), index=index,
        offsets=np.arange(len(index) + 1) * 50, label=np.arange(len(index)) % 10, speaker=np.full(len(index), "theo"),
    )  # fmt: skip
    rolls = np.zeros((40, 11), dtype=np.uint8)
    parts = {f"{part}_{name}": each for part in ("train", "dev")
             for name, each in (("rolls", rolls), ("lengths", np.full(20, 2)))}  # fmt: skip
    np.savez(folder / "music" / "jsb_chorales.npz", **parts)
    return folder


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("parsing", ["parse/guided"]),
        ("transducing", ["transduce/pronounce", "--data", "cmudict"]),
        ("autoencoding", ["autoencode/text"]),
        ("forecasting", ["forecast/direct", "--data", "ett"]),
        ("tagging", ["tag/intents", "--data", "atis_intents"]),
        ("language", ["language_model/names", "--data", "names"]),
        ("classifying", ["classify/sounds", "--data", "fsdd"]),
        ("wake_word", ["tag/wake_word"]),
        ("music", ["music/chorales", "--data", "jsb_chorales"]),
    ],
)
def test_settings_are_those_of_recipes(
    script: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Any] = []

    def train_and_judge(given: Any, settings: Any, judge: Any) -> None:
        values = {key: str(value) if isinstance(value, Path) else value for key, value in settings.items()}
        trained.append(load_recipe(given.recipe, {**values, "training.max_minutes": 1.0}))

    monkeypatch.setenv("ANYSEQ_DATA", str(made(tmp_path)))
    monkeypatch.syspath_prepend(str(QUALITY))
    monkeypatch.setattr(sys, "argv", [script, *words, "--output", str(tmp_path / "run")])
    module = quality(script)
    monkeypatch.setattr(module, "train_and_judge", train_and_judge)
    if script == "forecasting":
        parsed = module.arguments(None)
        parsed.add_argument("--data")
        parsed.add_argument("--horizon", type=int, default=96)
        module.ett(parsed.parse_args())
    else:
        module.main()
    assert len(trained) == 1


def test_words_of_transfer_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are numbers, of the classifiers as of everything else."""
    (tmp_path / "movie_reviews").mkdir()
    text = json.dumps({"text": "a film of note ."})
    (tmp_path / "movie_reviews" / "train.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "sst").mkdir()
    for part in ("train", "dev"):
        (tmp_path / "sst" / f"sst2.{part}.tsv").write_text("1\tgood\n0\tbad\n" * 10, encoding="utf-8")
    monkeypatch.setenv("ANYSEQ_DATA", str(tmp_path))
    monkeypatch.syspath_prepend(str(QUALITY))
    words = ["--output", str(tmp_path / "run"), "training.max_steps=300", "training.learning_rate=1e-3"]
    monkeypatch.setattr(sys, "argv", ["transfer", *words])
    module = quality("transfer")

    def train(recipe: str, folder: Path, *, overrides: Any, **others: Any) -> None:
        found = load_recipe(recipe, overrides).training
        assert (found.max_steps, found.learning_rate) == (300, 1e-3)
        raise InterruptedError

    monkeypatch.setattr(module, "pretrained", lambda *given: tmp_path)
    monkeypatch.setattr(module, "limit_gflops", lambda: 1.0)
    monkeypatch.setattr(module.anyseq, "train", train)
    with pytest.raises(InterruptedError):
        module.main()


@pytest.mark.parametrize(("part", "words"), [("dev", ["--dev-only"]), ("test", [])])
def test_coverage_of_small_series_is_told_of_dev_and_of_test(
    part: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "series").mkdir()
    rows = "".join(f"{1950 + month // 12}-{month % 12 + 1:02},{month % 12}\n" for month in range(72))
    (tmp_path / "series" / "monthly-mean-temp.csv").write_text(f"month,value\n{rows}", encoding="utf-8")
    named = {"dev": "coverage_fitted", "test": "coverage"}[part]  # as `Forecast.measure` calls it

    def train_and_judge(given: Any, settings: Any, judge: Any) -> None:
        given.output.mkdir(parents=True)
        figures = {part: {named: 81.0, "mase": 0.5}}
        (given.output / "figures.json").write_text(json.dumps(figures), encoding="utf-8")

    monkeypatch.setenv("ANYSEQ_DATA", str(tmp_path))
    monkeypatch.syspath_prepend(str(QUALITY))
    module = quality("forecasting")
    monkeypatch.setattr(module, "train_and_judge", train_and_judge)
    parser = module.arguments(None)
    parser.add_argument("--only", nargs="*")
    module.small(parser.parse_args(["forecast/series", *words, "--output", str(tmp_path / "run"),
                                    "--only", "monthly-mean-temp"]))  # fmt: skip
    assert "81.0" in capsys.readouterr().out
