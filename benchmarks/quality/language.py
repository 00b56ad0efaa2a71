"""Train a language model for some normalised minutes, and report the loss on what was held out.

    python benchmarks/quality/language.py language_model/names --data names --minutes 10 --output DIR [key=value ...]
    python benchmarks/quality/language.py language_model/text --data tinyshakespeare --minutes 30 --output DIR [...]

Reads a folder of the one ANYSEQ_DATA names; without it, says so and ends. `names`: of torch's permutation after seed
3407 the last 1,000 are test (as makemore has it), the 1,000 before are dev; duplicates are kept. `tinyshakespeare`: the
last tenth is test (nanoGPT's), the last tenth of the rest is dev.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from timed import arguments, data_folder, train_and_judge

from anyseq.api import Predictor

PARTS = ("train", "dev", "test")


def names(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    order = torch.randperm(len(lines), generator=torch.Generator().manual_seed(3407)).tolist()
    cuts = (order[:-2000], order[-2000:-1000], order[-1000:])
    return ["".join(f"{lines[place]}\n" for place in part) for part in cuts]


def text(path: Path) -> list[str]:
    whole = path.read_text(encoding="utf-8")
    end = len(whole) * 9 // 10
    return [whole[: end * 9 // 10], whole[end * 9 // 10 : end], whole[end:]]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data", choices=("names", "tinyshakespeare"), required=True)
    given = parser.parse_intermixed_args()
    folder = data_folder(given.data)
    contents = names(folder / "names.txt") if given.data == "names" else text(folder / "input.txt")
    parts = Path(f"{given.output}.data")
    parts.mkdir(parents=True, exist_ok=True)
    for part, content in zip(PARTS, contents, strict=True):
        (parts / f"{part}.txt").write_text(content, encoding="utf-8")

    def judge(predictor: Predictor) -> Mapping[str, Any]:
        items, references = predictor.task.read_judged(None, [], parts / "test.txt")
        found = predictor.evaluate(items, references)
        return {"test_loss": found.metrics["loss"], "test_texts": found.count}

    train_and_judge(given, {f"data.{part}": parts / f"{part}.txt" for part in PARTS[:2]}, judge)


if __name__ == "__main__":
    main()
