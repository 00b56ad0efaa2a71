"""Reading the source backwards helps a recurrent encoder-decoder; so do several models together.

    OMP_NUM_THREADS=1 ANYSEQ_DATA=... python benchmarks/claims/reversed_and_ensembles.py [--quick]

Sutskever et al. 2014, arXiv:1409.3215: on WMT14 English to French 25.9 BLEU reading forwards, 30.6 backwards, and
34.8 by five models (beam 12). Here:
1. Strings of 12 letters, copied after 300 updates: loss reading forwards and backwards.
2. German to English, Multi30k (without ANYSEQ_DATA the generated phrases): `translate/sutskever`, two layers, forwards
   and backwards; then one to five models that read backwards and differ by their seed.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from matplotlib.figure import Figure
from report import multi30k, options, publish

import anyseq
from anyseq.api import Trained
from anyseq.recipes import RECIPES

UPDATES = 600  # of each of the six models: minutes would give a model less where other work runs beside it


def copying(backwards: bool, quick: bool) -> float:
    """Loss on test, nats a symbol; the mean of three seeds."""
    losses = []
    for seed in (1,) if quick else (1, 2, 3):
        own = {
            "data.generator.min_length": 12,
            "data.generator.max_length": 12,
            "data.generator.train": 200 if quick else 20000,
            "data.generator.test": 20 if quick else 500,
            "data.generator.dev": 20 if quick else 100,
            **{f"model.{side}.cell": "lstm" for side in ("encoder", "decoder")},
            "model.encoder.bidirectional": False,
            "model.encoder.reverse": backwards,
            "model.encoder.hidden_dim": 128,
            "model.decoder.kind": "rnn",
            "training.max_steps": 2 if quick else 300,
            "training.validate_every": 2 if quick else 300,
            "training.average": 0.0,
            "training.seed": seed,
        }
        with TemporaryDirectory() as folder:
            trained = anyseq.train("transduce/copy", Path(folder), threads=1, overrides=own)
        assert trained.test is not None
        losses.append(trained.test.metrics["loss"])
    return sum(losses) / len(losses)


def translating(folder: Path, backwards: bool, seed: int, quick: bool) -> Trained:
    data = multi30k()
    files = {}
    if data is not None:
        names = {"train": "train", "dev": "val", "test": "test_2016_flickr"}
        files = {
            f"data.{split}.{side}": str(data / f"{name}.{language}.gz")
            for split, name in names.items()
            for side, language in (("source", "de"), ("target", "en"))
        }
    sides = {
        f"model.{side}.{key}": value
        for side in ("encoder", "decoder")
        for key, value in {"num_layers": 2, "embed_dim": 128, "hidden_dim": 192}.items()
    }
    own = {
        **files, **sides,
        "model.encoder.reverse": backwards,
        "codec.source.vocab_size": 4000 if data is not None else 1000,
        "training.max_steps": 2 if quick else UPDATES,
        "training.warmup_steps": 100,
        "training.average": 0.99,
        "training.validate_every": 2 if quick else UPDATES // 2,
        "training.validate_items": 20,
        "training.metric": "loss",
        "training.seed": seed,
        "search.beam_size": 1 if quick else 5,
        "search.max_length": 6 if quick else 60,
    }  # fmt: skip
    if data is None and quick:
        own |= {"data.generator.train": 2000, "data.generator.dev": 20, "data.generator.test": 20}
    return anyseq.train("translate/sutskever", folder, threads=1, overrides=own)


def translations(given: Any) -> dict[str, Any]:
    count = 2 if given.quick else 5
    found: dict[str, Any] = {"data": "phrases" if multi30k() is None else "multi30k test_2016_flickr"}
    with TemporaryDirectory() as name:
        folder = Path(name)
        forwards = translating(folder / "forwards", False, 1, given.quick)
        models = [translating(folder / str(seed), True, seed, given.quick) for seed in range(1, count + 1)]
        found["forwards"] = forwards.test.metrics
        found["backwards"] = [model.test.metrics for model in models]
        if find_spec("anyseq.tasks.ensemble") is None:
            found["together"] = {"skipped": "this version has no ensembles"}
            return found
        items = list(models[0].predictor.task.read_test())
        references = [[item.raw["target"]] for item in items]
        found["together"] = {
            size: anyseq.load([folder / str(seed) for seed in range(1, size + 1)]).evaluate(items, references).metrics
            for size in range(1, count + 1)
        }
    return found


def main(argv: list[str] | None = None) -> None:
    given = options(__doc__ or "", argv)
    if "translate/sutskever" not in RECIPES:
        sys.exit("skipped: this version has no translate/sutskever")
    strings = {"forwards": copying(False, given.quick), "backwards": copying(True, given.quick)}
    texts = translations(given)

    def draw(figure: Figure) -> None:
        left, middle, right = figure.subplots(1, 3)
        left.bar(list(strings), list(strings.values()), color=["tab:red", "tab:blue"])
        left.set(title="12 letters: nats a symbol")
        middle.bar(["forwards", "backwards"], [texts["forwards"]["bleu"], texts["backwards"][0]["bleu"]],
                   color=["tab:red", "tab:blue"])  # fmt: skip
        middle.set(title="translation: BLEU")
        if "skipped" not in texts["together"]:
            right.plot(list(texts["together"]), [each["bleu"] for each in texts["together"].values()], "o-")
        right.plot(range(1, len(texts["backwards"]) + 1), [each["bleu"] for each in texts["backwards"]], "k.")
        right.set(title="together (line), alone", xlabel="models")

    publish("reversed_and_ensembles", given, {"copying_loss": strings, "translation": texts}, draw)


if __name__ == "__main__":
    main()
