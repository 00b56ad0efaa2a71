"""anyseq's side.

    python -m peers.anyseq_side training SHAPE CORPUS MODEL UPDATES    target tokens a second; keeps the model
    python -m peers.anyseq_side decoding MODEL SENTENCES BEAM PRECISION

All of it through the public interface: `anyseq.train`, `anyseq.load(...).predict`, text in and text out.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import anyseq
from anyseq.tasks.devices import Precision
from anyseq.training.progress import Silent
from peers import shapes
from peers.anyseq_recipe import overrides
from training_speed import flop_per_place

THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
# Widths of all attentions, summed: a Transformer's layer pair looks three times.
LOOKS = {"transformer": 3 * shapes.LAYERS * shapes.DIM, "attention": shapes.GRU_DIM}


class Clocks(Silent):
    """Keeps what clock and processor say after each validation, and so of the updates between two."""

    def __init__(self) -> None:
        self.read: list[tuple[float, float]] = []

    def validated(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        self.read.append((time.perf_counter(), time.process_time()))


def training(shape: str, corpus: str, model: str, updates: str) -> None:
    clocks = Clocks()
    trained = anyseq.train(
        f"translate/{shape}", model, overwrite=True, device="cpu", threads=THREADS, listener=clocks,
        overrides=overrides(shape, Path(corpus), int(updates)),
    )  # fmt: skip
    lines = [json.loads(line) for line in (Path(model) / "metrics.jsonl").read_text().splitlines()]
    rates = [line["tokens_per_second"] for line in lines if line["kind"] == "training"]
    flop = flop_per_place(trained.predictor.task.model, shapes.VOCAB_SIZE, shapes.LENGTH, LOOKS[shape])
    reports = [(rate, *read) for rate, read in zip(rates, clocks.read, strict=True)]
    shapes.publish({**shapes.median_rates(reports), "gflop_per_token": flop / 1e9})


def decoder(model: str, count: int, beam: int, precision: Precision) -> Callable[[], list[anyseq.api.Prediction]]:
    """A function that decodes so many sentences, every output as long as is forced."""
    predictor = anyseq.load(model, device="cpu", threads=THREADS, precision=precision)
    lines = [" ".join(words) for words in shapes.sentences(count, shapes.FORCED - 1)]
    forced = {"beam_size": beam, "min_length": shapes.FORCED, "max_length": shapes.FORCED}
    return lambda: predictor.predict(lines, **forced)


def decoding(model: str, count: str, beam: str, precision: Precision) -> None:
    run = decoder(model, int(count), int(beam), precision)
    lengths = [len(each.output.split()) for each in run()]
    if min(lengths) < shapes.FORCED - 1:
        sys.exit(f"the outputs should have {shapes.FORCED} symbols, and have {min(lengths)} to {max(lengths)}")
    shapes.publish(shapes.rates(int(count) * shapes.FORCED, run))


if __name__ == "__main__":
    {"training": training, "decoding": decoding}[sys.argv[1]](*sys.argv[2:])
