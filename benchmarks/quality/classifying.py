"""Train a classifier for some normalised minutes, and report what it gets wrong of what was held out.

    python benchmarks/quality/classifying.py classify/pictures --data mnist --minutes 10 --output DIR [key=value ...]
    python benchmarks/quality/classifying.py classify/sounds --data fsdd --minutes 10 --output DIR [key=value ...]

Reads a folder of the one ANYSEQ_DATA names; without it, says so and ends. `mnist`: the last 6,000 of train are the
test, the 6,000 before are dev. `fsdd`: of each speaker and digit the recordings 5 to 9 are the test, 10 to 14 dev, 15
to 49 train; with `--without SPEAKER` all of a speaker's are the test. `sst2`: its dev is the test, a tenth of train is
dev.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from timed import arguments, data_folder, train_and_judge

from anyseq.api import Predictor, pairs

Split = list[tuple[Any, str]]


def mnist(folder: Path) -> dict[str, Split]:
    with np.load(folder / "train.npz") as file:
        named = [(picture, str(label)) for picture, label in zip(file["images"], file["labels"].tolist(), strict=True)]
    return {"train": named[:-12000], "dev": named[-12000:-6000], "test": named[-6000:]}


def fsdd(folder: Path, without: str | None) -> dict[str, Split]:
    with np.load(folder / "train.npz") as file:
        audio, offsets, labels = file["audio"], file["offsets"], file["label"].tolist()
        speakers, numbers = [str(each) for each in file["speaker"]], file["index"].tolist()
    found: dict[str, Split] = {"train": [], "dev": [], "test": []}
    for place, (speaker, number) in enumerate(zip(speakers, numbers, strict=True)):
        split = "test" if number < 10 else "dev" if number < 15 else "train"
        if without is not None:
            split = "test" if speaker == without else "dev" if number < 10 else "train"
        found[split].append((audio[offsets[place] : offsets[place + 1]], str(labels[place])))
    return found


def sst2(folder: Path) -> dict[str, Split]:
    read = {
        name: [(line.split("\t")[1], line.split("\t")[0]) for line in path.read_text(encoding="utf-8").splitlines()]
        for name in ("train", "dev")
        for path in (folder / f"sst2.{name}.tsv",)
    }
    order = np.random.default_rng(1).permutation(len(read["train"])).tolist()
    train, cut = [read["train"][place] for place in order], len(order) * 9 // 10
    return {"train": train[:cut], "dev": train[cut:], "test": read["dev"]}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data", choices=("mnist", "fsdd", "sst2"), required=True)
    parser.add_argument("--without", help="fsdd: this speaker is the test")
    given = parser.parse_intermixed_args()
    folder = data_folder("sst" if given.data == "sst2" else given.data)
    readers = {"mnist": mnist, "sst2": sst2, "fsdd": lambda folder: fsdd(folder, given.without)}
    data = readers[given.data](folder)

    def judge(predictor: Predictor) -> Mapping[str, Any]:
        items, references = pairs(data=data["test"])
        found = predictor.evaluate(items, references)
        return {"test_error_percent": 100 - found.metrics["exact_match"], "test": found.metrics, "count": found.count}

    train_and_judge(given, {f"data.{split}": data[split] for split in ("train", "dev")}, judge)


if __name__ == "__main__":
    main()
