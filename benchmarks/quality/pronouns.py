"""What a gate does: train classify/pronouns with several seeds, and look for the cell that holds the last gender.

    python benchmarks/quality/pronouns.py --output DIR [--seeds 1,2,3] [key=value ...]

Needs no data. Prints, for each seed: the accuracy on held-out combinations of subjects and verbs, and of whoever takes
the last person named for the subject; the cell that `inspect` finds, with its AUC on the half of the texts that it was
not chosen on (of a cell that is lower for women 1 - AUC); the mean of its forget gate, and of all forget gates of the
layer, at a new subject and elsewhere.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from timed import NORM_GFLOPS, limit_gflops

import anyseq
from anyseq.api import Predictor
from anyseq.core import Item
from anyseq.data.synthetic.subjects import gender_of

GENDER, MOMENT = "gender of the last subject (she, not he)", "a new subject"


def last_person(items: Sequence[Item]) -> float:
    """How often the last person that is named is of the last subject's gender."""
    named = [[gender for word in item.raw["source"].split() if (gender := gender_of(word))] for item in items]
    return 100 * sum(own[-1] == item.raw["target"] for own, item in zip(named, items, strict=True)) / len(items)


def figures(predictor: Predictor) -> dict[str, Any]:
    items = list(predictor.task.read_test() or [])
    sources, targets = ([item.raw[side] for item in items] for side in ("source", "target"))
    outputs = [each.output for each in predictor.predict(sources)]
    seen = anyseq.inspect(predictor, sources, views=["gates"]).gates
    assert seen is not None
    cell = next(each for each in seen.found if each.property == GENDER)
    gate = next(each for each in seen.moments if (each.property, each.moment, each.gate) == (GENDER, MOMENT, "forget"))
    cell_then, layer_then = ({"new_subject": round(there, 3), "else": round(elsewhere, 3)} for there, elsewhere in (
        (gate.cell_there, gate.cell_elsewhere), (gate.layer_there, gate.layer_elsewhere)
    ))  # fmt: skip
    return {
        "accuracy": 100 * sum(map(str.__eq__, outputs, targets)) / len(items),
        "last_person_named": last_person(items),
        "cell": f"{cell.state} of cell {cell.cell}",
        "auc": round(max(cell.score, 1 - cell.score), 4),
        "forget_gate_of_the_cell": cell_then,
        "forget_gates_of_the_layer": layer_then,
        "places": [gate.places, gate.others],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", metavar="key=value")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", default="1,2,3")
    given = parser.parse_intermixed_args()
    torch.set_num_threads(1)
    for seed in given.seeds.split(","):
        folder, limit, began = given.output / f"seed_{seed}", limit_gflops(), time.monotonic()
        words = [f"training.seed={seed}", *given.words]
        anyseq.train("classify/pronouns", folder, overwrite=True, threads=1, overrides=words)
        minutes = (time.monotonic() - began) / 60
        found = {"seed": int(seed), **figures(anyseq.load(folder))}
        normalised = minutes * (limit + limit_gflops()) / 2 / NORM_GFLOPS
        print(json.dumps(found | {"wall_minutes": round(minutes, 2), "normalised_minutes": round(normalised, 2)}))


if __name__ == "__main__":
    main()
