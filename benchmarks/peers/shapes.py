"""What is held equal between the toolkits: shapes and data; and how a side reports what it measured.

Standard library alone: the scripts of all environments read it.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

VOCAB_SIZE = 8000  # words besides the special symbols; one vocabulary for both sides
DIM, FFN_DIM, LAYERS, HEADS, DROPOUT = 256, 1024, 3, 4, 0.1  # the Transformer; pre-norm, sinusoids, all tables tied
GRU_DIM, GRU_DROPOUT = 256, 0.3  # embedding, encoder (each direction), decoder; Luong's general attention after it
LABEL_SMOOTHING = 0.1
BATCH_TOKENS = 4096  # padded symbols of the longer side
LENGTH = 16  # of every sentence in an equal corpus, end included
FORCED = 20  # symbols of each source and each output when decoding
REPORT_EVERY = 2  # updates; the first report is warm-up and not counted

SOURCE, TARGET = "source", "target"
WORDS = tuple(f"w{number}" for number in range(VOCAB_SIZE))


def sentences(count: int, length: int, seed: int = 0) -> list[list[str]]:
    """Random sentences of so many words."""
    draw = random.Random(seed)
    return [draw.choices(WORDS, k=length) for _ in range(count)]


def write_corpus(folder: Path, lengths: str, count: int) -> None:
    """Random pairs of sentences, and the vocabulary: what all sides train on.

    Args:
        folder: Gets `vocabulary.txt` and `{train,dev}.{source,target}`.
        lengths: `equal`: LENGTH symbols each, so that no batch holds padding; `captions`: spread as those of image
            captions in 8,000 subwords (15 words on average, log-normal), so that batching counts too.
        count: Pairs of train.
    """
    draw = random.Random(0)
    (folder / "vocabulary.txt").write_text("\n".join(WORDS) + "\n")
    for split, number in (("train", count), ("dev", 4)):
        pairs = [_words_of_pair(draw, lengths) for _ in range(number)]
        for side, column in zip((SOURCE, TARGET), zip(*pairs, strict=True), strict=True):
            lines = (" ".join(draw.choices(WORDS, k=words)) for words in column)
            (folder / f"{split}.{side}").write_text("\n".join(lines) + "\n")


def _words_of_pair(draw: random.Random, lengths: str) -> tuple[int, int]:
    if lengths == "equal":
        return LENGTH - 1, LENGTH - 1
    source = draw.lognormvariate(2.66, 0.36)
    target = source * math.exp(draw.gauss(-0.02, 0.2))
    return min(55, max(2, round(source))), min(55, max(2, round(target)))


def rates(tokens: int, run: Callable[[], object], for_seconds: float = 3.0) -> dict[str, float]:
    """Tokens a second of the best of several runs, at least three, after one that is not counted.

    Returns:
        By the clock, and by the processor's time.
    """
    run()
    wall: list[float] = []
    processor: list[float] = []
    while len(wall) < 3 or sum(wall) < for_seconds:
        began, worked = time.perf_counter(), time.process_time()
        run()
        wall.append(time.perf_counter() - began)
        processor.append(time.process_time() - worked)
    return {"tokens_per_second": tokens / min(wall), "tokens_per_processor_second": tokens / min(processor)}


def logged_rates(command: list[str], pattern: str) -> dict[str, float]:
    """Target tokens a second as a training command logs them: the median of its reports, the first left out.

    Args:
        command: Trains.
        pattern: Finds the rate in a line of its log.

    Returns:
        By the clock, and by the processor's time between the reports where the system tells it.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    reports, tail = [], deque[str](maxlen=40)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:  # fmt: skip
        for line in process.stdout or ():
            tail.append(line)
            if found := re.search(pattern, line):
                reports.append((float(found[1]), time.perf_counter(), processor_seconds(process.pid)))
    if process.returncode or len(reports) < 2:
        sys.exit("".join(tail))
    return median_rates(reports)


def median_rates(reports: Sequence[tuple[float, float, float]]) -> dict[str, float]:
    """From what was reported (rate, clock, processor's time; one after the other), the first being warm-up."""
    rates = [rate for rate, _, _ in reports[1:]]
    by_processor = [
        rate * (clock - clock_before) / (worked - worked_before)
        for (_, clock_before, worked_before), (rate, clock, worked) in pairwise(reports)
        if worked > worked_before
    ]
    own = {"tokens_per_processor_second": statistics.median(by_processor)} if by_processor else {}
    return {"tokens_per_second": statistics.median(rates), **own}


def processor_seconds(process: int) -> float:
    """What a running process has used; 0 where the system has no /proc."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def publish(figures: dict[str, float], who: int = resource.RUSAGE_SELF) -> None:
    """Print the figures of this side as the last line, with the peak of memory of this process (or its children)."""
    unit = 1e6 if sys.platform == "darwin" else 1024.0
    peak = resource.getrusage(who).ru_maxrss / unit
    print(json.dumps({**figures, "peak_mb": peak}))
