"""Train the autocomplete problem of Madsen 2019, and report accuracy by letters seen, connectivity, and gradients.

    python benchmarks/quality/remembering.py tag/autocomplete --minutes 15 --output DIR [model.encoder.cell=lstm ...]

Reads the folder ptb_lm of the one ANYSEQ_DATA names; without it, says so and ends. The last tenth of train chooses the
checkpoint, the file of valid is the test; the 1,000 most frequent words of train are told apart. Figures are of their
letters alone, and among these words alone (the article does not penalise unknown words). Connectivity: the norm of the
gradient of the right word's logit by the vector read so many letters before, the mean over places, and as a share of
that of the letter itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from timed import arguments, data_folder, train_and_judge

from anyseq.api import Predictor
from anyseq.core import Item
from anyseq.data.synthetic.typing import OTHER
from anyseq.inspection.gradients import gradients
from anyseq.inspection.shown import END, Shown

_SPACE = "_"
_MOST_SEEN = 9
_TRACED = 60  # pieces that gradients are measured on
_DISTANCES = (0, 1, 2, 3, 5, 8, 12, 20, 30, 50, 80)
Hits = dict[int, list[tuple[bool, bool]]]


def letters_seen(source: str) -> list[int]:
    """How many letters of its word are known at each place; 0: the space before it alone."""
    seen: list[int] = []
    for letter in source.split():
        seen.append(0 if letter == _SPACE else seen[-1] + 1)
    return seen


@torch.inference_mode()
def ranks(predictor: Predictor, items: list[Item]) -> Hits:
    """By letters seen, whether the right word was first, and among the first three, of the known words."""
    task = predictor.task
    found: Hits = defaultdict(list)
    shown = task.codecs["target"].shown
    barred = [0, 1, shown.index(OTHER)]
    for at in range(0, len(items), 64):
        several = items[at : at + 64]
        batch = task.batch(several, [task.encode(item) for item in several])
        decoder = task.model.decoder
        emission, _ = decoder.unroll(decoder.prepare(task.model.encode(batch)), batch.target)
        table = emission.log_probs()
        table[..., barred] = -torch.inf
        own = table.gather(-1, batch.target.values[..., None])
        above = (table > own).sum(-1).tolist()
        for row, item in enumerate(several):
            words = item.raw["target"].split()
            for place, (word, seen) in enumerate(zip(words, letters_seen(item.raw["source"]), strict=True)):
                if word != OTHER and shown[int(batch.target.values[row, place])] == word:
                    found[seen].append((above[row][place] < 1, above[row][place] < 3))
    return found


def connectivity(predictor: Predictor, items: list[Item]) -> dict[str, Any]:
    """The mean norm of the gradient by distance in letters, at letters of known words."""
    sums, counts = defaultdict[int, float](float), defaultdict[int, int](int)
    task = predictor.task
    for at in range(0, len(items), 20):
        part = items[at : at + 20]
        sides = [(item.raw["source"].split(), item.raw["target"].split()) for item in part]
        shown = [Shown("", "", (*source, END), (*target, END)) for source, target in sides]
        found = gradients(task.model, task.batch(part, [task.encode(item) for item in part]), shown)
        assert found is not None
        for item in found.items:
            for row, word in enumerate(item.rows[:-1]):
                for column in range(row + 1) if word != OTHER else ():
                    sums[row - column] += float(item.norms[row, column])
                    counts[row - column] += 1
    means = {away: sums[away] / counts[away] for away in sums if counts[away] >= 100}
    total = sum(means.values())
    within = next(away for away in sorted(means) if sum(means[each] for each in means if each <= away) >= 0.9 * total)
    return {
        "norm_of_own": round(means[0], 4),
        "share_of_own": {away: round(means[away] / means[0], 4) for away in _DISTANCES if away in means},
        "nine_tenths_within": within,
    }


def judge(predictor: Predictor) -> Mapping[str, Any]:
    items = list(predictor.task.read_test() or [])
    found = ranks(predictor, items)
    pairs = [pair for each in found.values() for pair in each]
    by_seen = {
        seen: [round(100 * float(np.mean([pair[top] for pair in found[seen]])), 1) for top in (0, 1)]
        for seen in range(_MOST_SEEN + 1)
    }
    return {
        "accuracy": 100 * float(np.mean([first for first, _ in pairs])),
        "among_three": 100 * float(np.mean([three for _, three in pairs])),
        "places": len(pairs),
        "by_letters_seen_first_and_among_three": by_seen,
        "connectivity": connectivity(predictor, items[:: max(1, len(items) // _TRACED)][:_TRACED]),
    }


def main() -> None:
    given = arguments(__doc__).parse_intermixed_args()
    folder = data_folder("ptb_lm")
    texts = {"text": folder / "ptb.train.txt.gz", "test_text": folder / "ptb.valid.txt.gz"}
    settings = {f"data.generator.{name}": path for name, path in texts.items()}
    train_and_judge(given, settings, judge)


if __name__ == "__main__":
    main()
