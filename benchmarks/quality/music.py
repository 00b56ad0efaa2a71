"""Train a model of music for some normalised minutes, and report how well it foresees what was held out.

    python benchmarks/quality/music.py music/chorales --data jsb_chorales --minutes 30 --output DIR [key=value ...]
    python benchmarks/quality/music.py music/collection --minutes 5 --output DIR [key=value ...]

Reads the folder `music` of the one ANYSEQ_DATA names; without it, says so and ends. Its dev (the official validation
pieces) is the test; a tenth of train, drawn once, is dev. A model of music reports `nats_per_frame`; a classifier,
which is to tell chorales (JSB) from tunes (Nottingham), its accuracy after the first frames of each piece.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from timed import arguments, data_folder, train_and_judge

from anyseq.api import Predictor, pairs
from anyseq.core import Item

HEARD = (1, 2, 4, 8, 16, 32, 64)
COLLECTIONS = {"jsb_chorales": "chorales", "nottingham": "tunes"}

Pieces = list[np.ndarray]


def read(folder: Path, name: str) -> dict[str, Pieces]:
    """The pieces [frame, key] of train, dev and test."""
    with np.load(folder / f"{name}.npz") as file:
        train, test = (
            np.split(np.unpackbits(file[f"{part}_rolls"], axis=1)[:, :88], np.cumsum(file[f"{part}_lengths"])[:-1])
            for part in ("train", "dev")
        )
    order = np.random.default_rng(1).permutation(len(train)).tolist()
    cut = len(train) * 9 // 10
    parts = {"train": order[:cut], "dev": order[cut:]}
    return {name: [train[place] for place in places] for name, places in parts.items()} | {"test": test}


def heard(predictor: Predictor, test: Sequence[tuple[np.ndarray, str]]) -> Mapping[str, Any]:
    """Accuracy after so many first frames, over the pieces that have as many, and that of the most frequent label."""
    found = {}
    for frames in HEARD:
        items, references = pairs(data=[(piece[:frames], label) for piece, label in test if len(piece) >= frames])
        right = predictor.evaluate(items, references).metrics["exact_match"]
        usual = max(Counter(label for (label,) in references).values())
        found[f"after_{frames}_frames"] = {"accuracy": right, "trivial": 100 * usual / len(items)}
    return {"test_accuracy_percent": found}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data", choices=tuple(COLLECTIONS), help="what a model of music is trained on")
    given = parser.parse_intermixed_args()
    folder = data_folder("music")

    if given.data is not None:
        data = read(folder, given.data)

        def judge(predictor: Predictor) -> Mapping[str, Any]:
            items = [Item({"target": piece}, key) for key, piece in enumerate(data["test"])]
            test, train = predictor.evaluate(items, [[""]] * len(items)), predictor.task.read_texts(data["train"])
            trivial = predictor.task.trivial(train, items)
            return {"test": test.metrics, "count": test.count, "trivial": trivial and vars(trivial)}

        train_and_judge(given, {f"data.{split}": data[split] for split in ("train", "dev")}, judge)
        return
    labelled: dict[str, list[tuple[np.ndarray, str]]] = {"train": [], "dev": [], "test": []}
    for name, label in COLLECTIONS.items():
        for split, pieces in read(folder, name).items():
            labelled[split] += [(piece, label) for piece in pieces]
    settings = {f"data.{split}": labelled[split] for split in ("train", "dev")}
    train_and_judge(given, settings, lambda predictor: heard(predictor, labelled["test"]))


if __name__ == "__main__":
    main()
