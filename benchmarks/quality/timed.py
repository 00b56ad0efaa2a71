"""Train a recipe for some normalised minutes, then judge it: what the scripts beside this one share."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

import anyseq
from anyseq.api import Predictor
from anyseq.training.progress import listener

sys.path.insert(0, str(Path(__file__).parents[1]))
from limit import NORM_GFLOPS, limit_gflops

_FIGURES = "figures.json"

Judge = Callable[[Predictor], Mapping[str, Any]]
"""Figures of a trained model on what it was not trained on."""


def arguments(description: str | None) -> argparse.ArgumentParser:
    """What every script can be told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("recipe")
    parser.add_argument("words", nargs="*", metavar="key=value")
    parser.add_argument("--minutes", type=float, default=30.0, help="normalised minutes of training")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--device", default="cpu", help="on a GPU, cuda, minutes are those of the wall clock")
    parser.add_argument("--from", dest="start", type=Path, help="begin with this model")
    parser.add_argument("--dev-only", action="store_true", help="train without a look at what is held out: to choose")
    parser.add_argument("--judge-only", action="store_true", help="judge the run that --output holds")
    return parser


def data_folder(name: str) -> Path:
    """A folder of ANYSEQ_DATA; without it the script says so and ends."""
    folder = Path(os.environ.get("ANYSEQ_DATA", "")) / name
    if "ANYSEQ_DATA" not in os.environ or not folder.exists():
        print(f"skipped: ANYSEQ_DATA names no folder with {name}", file=sys.stderr)
        sys.exit()
    return folder


def train_and_judge(given: argparse.Namespace, settings: Mapping[str, Any], judge: Judge) -> None:
    """Train in the minutes given, and print the figures for results.md; they are also left in the run's folder.

    Args:
        given: The arguments.
        settings: Of the recipe, before the words given: the data.
        judge: Called with the best checkpoint.
    """
    torch.set_num_threads(given.threads)
    figures = _read(given.output) if given.judge_only else _train(given, settings)
    if not given.dev_only:
        figures.update(judge(anyseq.load(given.output, device=given.device)))
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    print(text)
    (given.output / _FIGURES).write_text(text, encoding="utf-8")


def _read(folder: Path) -> dict[str, Any]:
    """The figures an earlier call left."""
    found = folder / _FIGURES
    return dict(json.loads(found.read_text(encoding="utf-8"))) if found.exists() else {}


def overrides_of(words: Sequence[str]) -> dict[str, Any]:
    """Settings given as `key=value`."""
    return {key: _value(text) for key, _, text in (word.partition("=") for word in words)}


def _value(text: str) -> Any:
    """As YAML has it; and 2e-3 is a number, which in YAML it is not."""
    value = yaml.safe_load(text)
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _train(given: argparse.Namespace, settings: Mapping[str, Any]) -> dict[str, Any]:
    on_processor = given.device == "cpu"
    before = limit_gflops() if on_processor else NORM_GFLOPS
    wall = given.minutes * NORM_GFLOPS / before
    if on_processor:
        print(f"limit {before:.1f} GFLOP/s: {given.minutes} normalised minutes are {wall:.1f} of wall time", flush=True)
    began = time.monotonic()
    trained = anyseq.train(
        given.recipe,
        given.output,
        overwrite=True,
        start_from=given.start,
        listener=listener(),
        device=given.device,
        threads=given.threads,
        precision=given.precision,
        overrides={
            **{key: str(value) if isinstance(value, Path) else value for key, value in settings.items()},
            "training.max_minutes": wall,
            **overrides_of(given.words),
        },
    )
    spent = (time.monotonic() - began) / 60
    lines = [json.loads(line) for line in (given.output / "metrics.jsonl").read_text().splitlines()]
    training = [line["minutes"] for line in lines][-1]
    rates = sorted(line["tokens_per_second"] for line in lines if line["kind"] == "training")
    figures = {
        "recipe": given.recipe,
        "overrides": given.words,
        "device": torch.cuda.get_device_name() if given.device == "cuda" else given.device,
        "threads": given.threads,
        "precision": given.precision,
        "wall_minutes_training": round(training, 1),
        "wall_minutes_with_codecs_and_dev": round(spent, 1),
        "tokens_per_second_median": round(rates[len(rates) // 2]),
        "dev": trained.dev.metrics,
    }
    if on_processor:
        after = limit_gflops()
        figures["limit_gflops"] = [round(before, 1), round(after, 1)]
        figures["normalised_minutes_training"] = round(training * (before + after) / 2 / NORM_GFLOPS, 1)
    return figures
