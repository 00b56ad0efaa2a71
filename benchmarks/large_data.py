"""Data larger than memory: how fast pairs are prepared, and what a training on them takes of memory and of time.

python benchmarks/large_data.py --pairs 10000000 --folder /tmp/large        (a quiet machine; some 6 GB of disk)
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from anyseq import api
from anyseq.training.progress import Lines, Report

RECIPE = "translate/transformer"
_SHAPE = (
    *("codec=words", "training.max_steps=1000", "training.validate_every=1000000", "data.held_out=50"),
    *("model.encoder.model_dim=128", "model.decoder.model_dim=128"),
)


class Watch(Lines):
    """Notes memory and the moment of each report."""

    def __init__(self) -> None:
        self.began, self.used, self.memory, self.waits = time.monotonic(), processor_seconds(), 0.0, list[float]()

    def reported(self, report: Report) -> None:
        """Keep what is asked for."""
        super().reported(report)
        self.memory = max(self.memory, anonymous_gb())
        self.waits.append(report.wait_share)


def anonymous_gb() -> float:
    """Resident memory of this process that no file backs."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 2**20


def processor_seconds() -> float:
    """Processor time of this process and of those it has started that are done."""
    return sum(os.times()[:4])


def write_pairs(folder: Path, count: int) -> None:
    """Sentences of 8 to 16 words of a vocabulary of Zipf's kind, and the same backwards."""
    draw = random.Random(1)
    words = [f"w{number}" for number in range(20_000)]
    weights = [1 / (number + 5) for number in range(len(words))]
    with (folder / "source").open("w") as source, (folder / "target").open("w") as target:
        for first in range(0, count, 10_000):
            pool = iter(draw.choices(words, weights, k=160_000))
            for _ in range(min(10_000, count - first)):
                line = [next(pool) for _ in range(draw.randint(8, 16))]
                source.write(" ".join(line) + "\n")
                target.write(" ".join(reversed(line)) + "\n")


def main(words: Sequence[str] | None = None) -> None:
    """Write pairs, prepare them, train on them, and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=60)
    given = parser.parse_args(words)
    given.folder.mkdir(parents=True, exist_ok=True)
    write_pairs(given.folder, given.pairs)
    files = [f"data.train.{side}={given.folder / side}" for side in ("source", "target")]
    store = given.folder / "store"
    began, used = time.monotonic(), processor_seconds()
    api.prepare_data(
        RECIPE, store, overwrite=True, workers=given.workers, tell=Lines().noted, overrides=[*_SHAPE, *files]
    )
    seconds, used = time.monotonic() - began, processor_seconds() - used
    watch = Watch()
    first = first_batch(watch)
    steps = f"training.max_steps={given.steps}"
    api.train(
        RECIPE, given.folder / "run", overwrite=True, device="cpu", threads=1, listener=watch,
        overrides=[*_SHAPE, steps, "training.warmup_steps=10", f"data.train={store}"],
    )  # fmt: skip
    shutil.rmtree(given.folder / "run")
    print(json.dumps({
        "pairs": given.pairs, "prepared_a_minute": round(given.pairs / seconds * 60),
        "prepared_a_processor_minute": round(given.pairs / used * 60),
        "first_batch_seconds": round(first[0], 2),
        "first_batch_processor_seconds": round(first[1], 2), "rss_anon_gb": round(watch.memory, 2),
        "wait_share": watch.waits,
    }))  # fmt: skip


def first_batch(watch: Watch) -> list[float]:
    """Seconds from here to the first batch that the model gets, once it is there, and of the processor's."""
    from anyseq.training.ahead import ReadAhead

    found, take = [], ReadAhead.next

    def timed(reader: ReadAhead) -> object:
        batch = take(reader)
        if not found:
            found.extend([time.monotonic() - watch.began, processor_seconds() - watch.used])
        return batch

    ReadAhead.next = timed  # type: ignore[method-assign,assignment]
    return found


if __name__ == "__main__":
    main()
