"""What a model of texts without labels is worth to a classifier with few: reviews, then sentences of reviews.

    python benchmarks/quality/transfer.py --minutes 10 --output runs/transfer [--seeds 1 2 3] [--dev-only]

Trains a recurrent language model and an autoencoder on the sentences of `movie_reviews` (train), some normalised
minutes each, then classifiers of `sst` (two labels, sentences alone; a tenth of train is dev, dev is the test): from
each of the two, and from nothing, with the same layers and steps, and each seed. Reads these folders of the one
ANYSEQ_DATA names; without, says so and ends.

Source of the protocol: Dai and Le 2015, arXiv:1511.01432, sections 2 and 3.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from timed import data_folder, overrides_of

import anyseq
from anyseq.api import pairs
from anyseq.training.progress import listener
from classifying import sst2

sys.path.insert(0, str(Path(__file__).parents[1]))
from limit import NORM_GFLOPS, limit_gflops

TOKENS = {"kind": "subwords", "vocab_size": 6_000, "case": "lower"}
LAYERS = {"cell": "lstm", "embed_dim": 128, "hidden_dim": 256, "num_layers": 1}
BOTH_WAYS = {"kind": "rnn", **LAYERS, "hidden_dim": 128, "bidirectional": True, "dropout": 0.1}
FOLDS: dict[str, dict[str, Any]] = {
    "language_model": {"kind": "rnn", **LAYERS, "bidirectional": False},
    "autoencoder": {"kind": "bottleneck", "dim": 256, "encoder": BOTH_WAYS},
}


def sentences(path: Path) -> list[str]:
    """Of reviews, without what is longer than 60 words."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    found = [each.strip() for text in texts for each in re.split(r"(?<= [.!?]) ", text)]
    return [each for each in found if 3 <= len(each.split()) <= 60]


def pretrained(kind: str, folder: Path, minutes: float, texts: list[str], how: dict[str, Any]) -> Path:
    """The model of texts, trained where it is not there yet."""
    if (folder / "best").exists():
        return folder
    training = {
        "max_minutes": minutes, "max_steps": None, "schedule": "cosine", "batch_tokens": 3000, "validate_every": 500,
        "validate_items": 500, "metric": "loss", "learning_rate": 3e-3,
    }  # fmt: skip
    data = {"train": texts[1000:], "dev": texts[:1000], "check": "tell"}
    model: dict[str, Any]
    if kind == "language_model":
        model = {"decoder": {"kind": "rnn", **LAYERS, "tied": False, "dropout": 0.2}}
        recipe, codec = "language_model/names", {"target": TOKENS}
    else:
        decoder = {"kind": "context", **LAYERS, "dropout": 0.1}
        model = {"encoder": FOLDS[kind], "decoder": decoder, "share_embeddings": True}
        recipe, codec = "autoencode/text", {"source": TOKENS, "joint": True}
    anyseq.train(
        recipe, folder, overwrite=True, listener=listener(), data=data, codec=codec, model=model, training=training,
        **how,
    )  # fmt: skip
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="normalised, of each model of texts")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="on a GPU, cuda, minutes are those of the wall clock")
    parser.add_argument("--dev-only", action="store_true", help="no look at the test: to choose")
    parser.add_argument("words", nargs="*", metavar="key=value", help="of the classifiers")
    given = parser.parse_intermixed_args()
    texts = sentences(data_folder("movie_reviews") / "train.jsonl.gz")
    split = sst2(data_folder("sst"))
    judged = split["dev" if given.dev_only else "test"]
    torch.set_num_threads(given.threads)
    how = {"threads": given.threads, "device": given.device}
    speed = limit_gflops() if given.device == "cpu" else NORM_GFLOPS
    wall = given.minutes * NORM_GFLOPS / speed
    starts = {kind: pretrained(kind, given.output / kind, wall, texts, how) for kind in FOLDS}

    def error(fold: str, start: Path | None, seed: int) -> float:
        name = f"{fold}-{'scratch' if start is None else 'from'}-{seed}"
        overrides: dict[str, Any] = {
            "data.train": split["train"], "data.dev": split["dev"], "codec.source": TOKENS,
            "model.encoder": {**FOLDS[fold], **({"dropout": 0.4} if fold == "language_model" else {})},
            "training.seed": seed, "training.max_steps": 600, "training.learning_rate": 1e-3,
            **overrides_of(given.words),
        }  # fmt: skip
        trained = anyseq.train(
            "classify/words", given.output / name, overwrite=True, start_from=start, overrides=overrides, **how,
        )  # fmt: skip
        items, references = pairs(data=judged)
        found = anyseq.load(trained.folder, **how).evaluate(items, references)
        return 100 - found.metrics["exact_match"]

    for fold, start in starts.items():
        for origin in (None, start):
            errors = [error(fold, origin, seed) for seed in given.seeds]
            spread = statistics.stdev(errors) if len(errors) > 1 else 0.0
            what = "from nothing" if origin is None else "from the model"
            print(f"{fold}, {what}: error {statistics.mean(errors):.2f} ± {spread:.2f} % {errors}", flush=True)
    if given.device == "cpu":
        print(f"limit {speed:.1f} / {limit_gflops():.1f} GFLOP/s")


if __name__ == "__main__":
    main()
