"""Train a translation recipe on Multi30k for some normalised minutes, choose on val, report on test_2016_flickr.

    python benchmarks/multi30k.py translate/transformer --minutes 30 --output runs/multi30k [key=value ...]

This is the default. Reads the folder `multi30k` of the one ANYSEQ_DATA names; without it, says so and ends. Prints a
row for results.md: BLEU of test both lower-cased (`sacrebleu -lc`, which results.md states) and by the recipe's own
metrics.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import torch

import anyseq
from anyseq.api import pairs
from anyseq.metrics.surface import BleuConfig
from anyseq.training.progress import listener
from limit import NORM_GFLOPS, limit_gflops


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", nargs="?", default="translate/transformer")
    parser.add_argument("words", nargs="*", metavar="key=value")
    parser.add_argument("--minutes", type=float, default=30.0, help="normalised minutes of training")
    parser.add_argument("--output", type=Path, default=Path("runs/multi30k"))
    parser.add_argument("--source", default="de")
    parser.add_argument("--target", default="en")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_intermixed_args()
    data = Path(os.environ.get("ANYSEQ_DATA", "")) / "multi30k"
    if "ANYSEQ_DATA" not in os.environ or not data.exists():
        print("skipped: ANYSEQ_DATA names no folder with multi30k", file=sys.stderr)
        return

    torch.set_num_threads(given.threads)
    before = limit_gflops()
    wall = given.minutes * NORM_GFLOPS / before
    print(f"limit {before:.1f} GFLOP/s: {given.minutes} normalised minutes are {wall:.1f} of wall time", flush=True)
    files = {
        f"data.{split}.{side}": str(data / f"{name}.{language}.gz")
        for split, name in (("train", "train"), ("dev", "val"))
        for side, language in (("source", given.source), ("target", given.target))
    }
    began = time.monotonic()
    trained = anyseq.train(
        given.recipe,
        given.output,
        overwrite=True,
        listener=listener(),
        threads=given.threads,
        overrides=[*(f"{key}={value}" for key, value in files.items()), f"training.max_minutes={wall}", *given.words],
    )
    spent = (time.monotonic() - began) / 60
    after = limit_gflops()

    items, references = pairs(
        data / f"test_2016_flickr.{given.source}.gz", data / f"test_2016_flickr.{given.target}.gz"
    )
    test = anyseq.load(given.output).evaluate(items, references)
    lower_cased = BleuConfig(lowercase=True).build().measure([each.output for each in test.predictions], references)
    lines = [json.loads(line) for line in (given.output / "metrics.jsonl").read_text().splitlines()]
    training = [line["minutes"] for line in lines][-1]
    rates = sorted(line["tokens_per_second"] for line in lines if line["kind"] == "training")
    figures = {
        "recipe": given.recipe,
        "overrides": given.words,
        "limit_gflops": [round(before, 1), round(after, 1)],
        "threads": given.threads,
        "wall_minutes_training": round(training, 1),
        "wall_minutes_with_codecs_and_dev": round(spent, 1),
        "normalised_minutes_training": round(training * (before + after) / 2 / NORM_GFLOPS, 1),
        "tokens_per_second_median": round(rates[len(rates) // 2]),
        "dev": trained.dev.metrics,
        "test_bleu_lc": lower_cased.value,
        "test": test.metrics,
        "signature": f"{test.signature}; lower-cased {lower_cased.signature}",
    }
    print(json.dumps(figures, indent=1))
    (given.output / "figures.json").write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
