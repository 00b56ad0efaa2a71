"""One vector is too little for a long source; attention is what the length does not hurt.

    OMP_NUM_THREADS=1 ANYSEQ_DATA=... python benchmarks/claims/one_vector.py [--quick]

1. Strings of 6 and of 16 letters, backwards, without and with attention, at the same budget. Published for a toy of
   this kind, after Bahdanau et al. 2015: 97.7 and 59.1 % without, 100 and 100 % with.
2. BLEU by the length of the source: one to five joined captions of Multi30k, German to English (Bahdanau et al. 2015,
   figure 2). Without ANYSEQ_DATA this half is skipped.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from random import Random
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from matplotlib.figure import Figure
from report import multi30k, options, publish

import anyseq
from anyseq.api import Predictor
from anyseq.core import Item

KINDS = {"without attention": "rnn", "with attention": "attention"}
COLOUR = {"without attention": "tab:red", "with attention": "tab:purple"}
UPDATES = 800  # of each of the two models of the second half


# 1. Strings backwards


def backwards(kind: str, length: int, quick: bool) -> dict[str, float]:
    own = {
        "data.generator.min_length": length,
        "data.generator.max_length": length,
        "data.generator.train": 200 if quick else 30000,
        "data.generator.test": 20 if quick else 500,
        "data.generator.dev": 20 if quick else 200,
        "model.decoder.kind": kind,
        "training.max_steps": 3 if quick else 600,
        "training.validate_every": 3 if quick else 300,
    }
    with TemporaryDirectory() as folder:
        trained = anyseq.train("transduce/reverse", Path(folder), threads=1, overrides=own)
    assert trained.test is not None
    return dict(trained.test.metrics)


# 2. Captions, one to five of them joined


def captions(folder: Path, name: str) -> list[tuple[str, str]]:
    sides = []
    for language in ("de", "en"):
        with gzip.open(folder / f"{name}.{language}.gz", "rt", encoding="utf-8") as file:
            sides.append(file.read().splitlines())
    return list(zip(*sides, strict=True))


def joined(pairs: list[tuple[str, str]], sizes: list[int]) -> list[tuple[str, str]]:
    """Neighbours put together, `sizes` of them in turn, until there are no more."""
    made, at, turn = [], 0, 0
    while at + sizes[turn % len(sizes)] <= len(pairs):
        size = sizes[turn % len(sizes)]
        group = pairs[at : at + size]
        made.append((" ".join(source for source, _ in group), " ".join(target for _, target in group)))
        at, turn = at + size, turn + 1
    return made


def train_on_captions(kind: str, folder: Path, data: Path, quick: bool) -> Predictor:
    random, train, dev = Random(1), captions(data, "train"), captions(data, "val")
    random.shuffle(train)
    if quick:
        train, dev = train[:400], dev[:40]
    # Each number of captions fills about as many symbols: small groups come more often.
    sizes = [1] * 5 + [2] * 3 + [3] * 2 + [4, 5]
    random.shuffle(sizes)
    own = {
        "data.train": joined(train, sizes),
        "data.dev": joined(dev, sizes),
        "data.max_length": 256,
        "codec.source.vocab_size": 300 if quick else 4000,
        "model.encoder.embed_dim": 128,
        "model.encoder.hidden_dim": 128,
        "model.decoder.kind": kind,
        "model.decoder.embed_dim": 128,
        "model.decoder.hidden_dim": 256,
        "training.learning_rate": 4e-3,
        "training.average": 0.99,
        "training.max_steps": 2 if quick else UPDATES,
        "training.validate_every": 2 if quick else 400,
        "training.validate_items": 20,
        "training.metric": "loss",
        "search.beam_size": 1,
        "search.max_length": 8 if quick else 200,
    }
    return anyseq.train("translate/attention", folder, threads=1, overrides=own).predictor


def bleu_by_length(data: Path, quick: bool) -> dict[str, Any]:
    test = captions(data, "test_2016_flickr")[: 20 if quick else None]
    found: dict[str, Any] = {}
    for name, kind in KINDS.items():
        with TemporaryDirectory() as folder:
            model = train_on_captions(kind, Path(folder), data, quick)
        found[name] = {}
        for size in range(1, 6):
            pairs = joined(test, [size])[:200]
            items = [Item({"source": source, "target": target}, key) for key, (source, target) in enumerate(pairs)]
            result = model.evaluate(items, [[target] for _, target in pairs])
            words = fmean(len(source.split()) for source, _ in pairs)
            found[name][size] = {"words": round(words, 1), "metrics": result.metrics}
    return found


def main(argv: list[str] | None = None) -> None:
    given = options(__doc__ or "", argv)
    lengths = (3, 4) if given.quick else (6, 16)
    strings = {name: {n: backwards(kind, n, given.quick) for n in lengths} for name, kind in KINDS.items()}
    data = multi30k()
    by_length: dict[str, Any] = {"skipped": "ANYSEQ_DATA names no folder with multi30k"}
    if data is not None:
        by_length = bleu_by_length(data, given.quick)

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for shift, name in enumerate(KINDS):
            heights = [each["exact_match"] for each in strings[name].values()]
            places = [place + 0.35 * shift for place in range(len(lengths))]
            left.bar(places, heights, 0.35, color=COLOUR[name], label=name)
            if name in by_length:
                found = by_length[name].values()
                right.plot([each["words"] for each in found], [each["metrics"]["bleu"] for each in found], "o-",
                           color=COLOUR[name], label=name)  # fmt: skip
        left.set(title="strings backwards: exact answers in %", xlabel="letters")
        left.set_xticks([0.175 + place for place in range(len(lengths))], [str(length) for length in lengths])
        left.legend(loc="lower left")
        right.set(title="Multi30k: BLEU", xlabel="words of the source")
        if "skipped" in by_length:
            right.text(0.5, 0.5, "skipped: no data", ha="center", transform=right.transAxes)

    publish("one_vector", given, {"strings": strings, "bleu_by_length": by_length}, draw)


if __name__ == "__main__":
    main()
