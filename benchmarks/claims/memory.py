"""Short-term memory is enough to name a language, long-term memory to name the right one.

    OMP_NUM_THREADS=1 python benchmarks/claims/memory.py [--quick]

"My name is Ada and I grew up in Peru . <0 to 200 words> . I speak": the answer Spanish needs the territory. Elman, LSTM
and GRU that read from left to right and answer from their last state; a GRU whose decoder attends. By distance: the
share of answers that are a language at all, and that are the right one. A quarter of the training items has at most 5
words in between, a quarter 20, 60, 200: with every distance equally often the recurrent ones learn none of them.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from matplotlib.figure import Figure
from report import COLOURS, options, publish

import anyseq
from anyseq.api import Predictor
from anyseq.data.synthetic.origins import OriginsConfig, languages_by_territory

MARKS = {"elman": "s-", "lstm": "v-", "gru": "^-", "attention": "o-"}
RECIPE = {
    "data.max_length": 256,
    "codec.source.kind": "words",
    "codec.source.min_count": 1,
    "model.encoder.bidirectional": False,
    "model.encoder.embed_dim": 64,
    "model.encoder.hidden_dim": 128,
    "model.decoder.embed_dim": 64,
    "model.decoder.hidden_dim": 128,
    "training.learning_rate": 3e-3,
    "training.schedule": "cosine",
    "training.batch_tokens": 4096,
    "training.average": 0.0,
    "training.metric": "loss",
    "search.max_length": 6,
}


def mixed(split: str, count: int) -> list[tuple[str, str]]:
    """Questions and answers, near ones as often as far ones."""
    nearer = [OriginsConfig(max_words=most, **{split: count // 4}).generate(split) for most in (5, 20, 60, 200)]
    return [(item.raw["source"], item.raw["target"]) for items in nearer for item in items]


def train(name: str, folder: Path, quick: bool) -> Predictor:
    cell = "gru" if name == "attention" else name
    own = {
        "data.train": mixed("train", 300 if quick else 30000),
        "data.dev": mixed("dev", 20 if quick else 200),
        "model.encoder.cell": cell,
        "model.decoder.cell": cell,
        "model.decoder.kind": "attention" if name == "attention" else "rnn",
        "training.max_steps": 3 if quick else 800,
        "training.validate_every": 3 if quick else 200,
    }
    return anyseq.train("transduce/reverse", folder, threads=1, overrides={**RECIPE, **own}).predictor


def answers(model: Predictor, distance: int, count: int) -> dict[str, float]:
    """Shares of `count` questions that the model has not seen."""
    items = OriginsConfig(min_words=distance, max_words=distance, test=count).generate("test")
    right = [item.raw["target"] for item in items]
    said = [prediction.output for prediction in model.predict(item.raw["source"] for item in items)]
    languages = set(languages_by_territory().values())
    return {
        "a_language": sum(answer in languages for answer in said) / count,
        "the_right_one": sum(answer == truth for answer, truth in zip(said, right, strict=True)) / count,
        "most_frequent": Counter(right).most_common(1)[0][1] / count,
    }


def main(argv: list[str] | None = None) -> None:
    given = options(__doc__ or "", argv)
    distances = (0, 5) if given.quick else (0, 10, 25, 50, 100, 150, 200)
    found: dict[str, dict[int, dict[str, float]]] = {}
    for name in COLOURS:
        with TemporaryDirectory() as folder:
            model = train(name, Path(folder), given.quick)
            found[name] = {distance: answers(model, distance, 20 if given.quick else 300) for distance in distances}

    def draw(figure: Figure) -> None:
        panels: Any = figure.subplots(1, 2, sharey=True)
        for axes, what in zip(panels, ("a_language", "the_right_one"), strict=True):
            for name, by_distance in found.items():
                shares = [each[what] for each in by_distance.values()]
                axes.plot(distances, shares, MARKS[name], color=COLOURS[name], label=name)
            axes.set(title=what.replace("_", " "), xlabel="words in between", ylim=(-0.03, 1.03))
        common = [each["most_frequent"] for each in found["gru"].values()]
        panels[1].plot(distances, common, ":", color="grey", label="most frequent language")
        panels[1].legend()

    publish("memory", given, {"share_of_answers_by_distance": found}, draw)


if __name__ == "__main__":
    main()
