"""Train the answering recipes on generated stories, and report what is right, beside answers that need no model.

    python benchmarks/quality/answering.py --output runs/answering [--recipes answer/attention answer/plain]
        [--facts 1 2 3] [--seeds 1 2 3] [--threads 1] [key=value ...]

Each recipe is trained as it is, with each number of facts and each seed (of the weights and of the order; the stories
stay the same), and judged on its 1,000 stories of test. Beside it: the most frequent answer of train, and the place
that was named last before the question.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import anyseq
from anyseq.core import Item
from anyseq.data.synthetic.stories import PLACES, StoriesConfig
from anyseq.training.progress import listener

sys.path.insert(0, str(Path(__file__).parents[1]))
from limit import NORM_GFLOPS, limit_gflops

_PLACE = re.compile(rf"\b({'|'.join(PLACES)})\.")


def shares(facts: int) -> dict[str, float]:
    """Percent of test that is right without a model."""
    stories = StoriesConfig(facts=facts)
    train, test = stories.generate("train"), stories.generate("test")
    usual = Counter(item.raw["target"] for item in train).most_common(1)[0][0]

    def right(answers: Sequence[str], items: Sequence[Item]) -> float:
        return 100 * sum(a == item.raw["target"] for a, item in zip(answers, items, strict=True)) / len(items)

    return {
        "most_frequent_answer": right([usual] * len(test), test),
        "place_named_last": right([_PLACE.findall(item.raw["source"])[-1] for item in test], test),
    }


def run(recipe: str, facts: int, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    before, began = limit_gflops(), time.monotonic()
    trained = anyseq.train(
        recipe,
        given.output / f"{recipe.replace('/', '-')}-{facts}-{seed}",
        overwrite=True,
        listener=listener(),
        threads=given.threads,
        device="cpu",
        overrides=[f"data.generator.facts={facts}", f"training.seed={seed}", *given.words],
    )
    minutes, after = (time.monotonic() - began) / 60, limit_gflops()
    assert trained.test is not None
    return {
        "recipe": recipe,
        "facts": facts,
        "seed": seed,
        "overrides": given.words,
        "limit_gflops": [round(before, 1), round(after, 1)],
        "wall_minutes": round(minutes, 2),
        "normalised_minutes": round(minutes * (before + after) / 2 / NORM_GFLOPS, 2),
        "dev": trained.dev.metrics["exact_match"],
        "test": trained.test.metrics["exact_match"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="key=value")
    parser.add_argument("--recipes", nargs="+", default=["answer/attention", "answer/plain"])
    parser.add_argument("--facts", type=int, nargs="+", choices=(1, 2, 3), default=[1, 2, 3])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_intermixed_args()
    torch.set_num_threads(given.threads)
    given.output.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {"without_a_model": {facts: shares(facts) for facts in given.facts}, "runs": []}
    for facts in given.facts:
        for recipe in given.recipes:
            for seed in given.seeds:
                figures["runs"].append(run(recipe, facts, seed, given))
                print(json.dumps(figures["runs"][-1]), flush=True)
                (given.output / "figures.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(json.dumps(figures["without_a_model"]))


if __name__ == "__main__":
    main()
