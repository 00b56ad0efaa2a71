"""What is held equal between the toolkits: shapes and data; and how a side reports what it measured.

Standard library alone: the scripts of all environments read it.
"""

from __future__ import annotations

import json
import math
import random
import resource
import sys
import time
from collections.abc import Callable
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


def publish(figures: dict[str, float], who: int = resource.RUSAGE_SELF) -> None:
    """Print the figures of this side as the last line, with the peak of memory of this process (or its children)."""
    unit = 1e6 if sys.platform == "darwin" else 1024.0
    peak = resource.getrusage(who).ru_maxrss / unit
    print(json.dumps({**figures, "peak_mb": peak}))
