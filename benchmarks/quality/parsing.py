"""Train a parsing recipe on the trees of ptb_trees, and report labelled brackets by EVALB's rules on dev.

    python benchmarks/quality/parsing.py parse/guided --minutes 30 --output runs/trees [key=value ...]

Reads the folder of the one ANYSEQ_DATA names; without, says so and ends. A tenth of train chooses settings (with
`--dev-only`) and the checkpoint; dev is the test. Beside the model: every sentence as one flat bracket, and branching
to the right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timed import arguments, data_folder, train_and_judge

from anyseq.api import Predictor
from anyseq.data.trees import read_trees
from anyseq.metrics.brackets import BracketScore
from anyseq.tasks.evaluation import evaluate


def flat(words: Sequence[str]) -> str:
    return f"(S {' '.join(f'(XX {word})' for word in words)})"


def to_the_right(words: Sequence[str]) -> str:
    """`(S a (VP b (NP c ...)))`: what a language that branches to the right begins with, labels in turn."""
    labels = ["S", "VP", *["NP", "PP"] * len(words)][: max(1, len(words) - 1)]
    opened = " ".join(f"({label} (XX {word})" for label, word in zip(labels, words, strict=False))
    last = f" (XX {words[-1]})" if len(words) > 1 else ""
    return opened + last + ")" * len(labels)


def measured(outputs: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    metrics = [BracketScore("f1"), BracketScore("precision"), BracketScore("recall"), BracketScore("complete")]
    return {metric.name: metric.measure(outputs, [[each] for each in wanted]).value for metric in metrics}


def main() -> None:
    parser = arguments(__doc__)
    given = parser.parse_intermixed_args()
    folder = data_folder("ptb_trees")
    items, held_out = read_trees(folder / "dev.txt"), len(read_trees(folder / "train.txt")) // 10
    wanted, sentences = [item.raw["target"] for item in items], [item.raw["source"].split() for item in items]

    def judge(predictor: Predictor) -> Mapping[str, Any]:
        found = evaluate(predictor.task, items, [[each] for each in wanted], predictor.task.config.search)
        greedy = predictor.settings(beam_size=1)
        return {
            "trees": len(items),
            "model": found.metrics,
            "greedy": evaluate(predictor.task, items, [[each] for each in wanted], greedy).metrics,
            "flat": measured([flat(words) for words in sentences], wanted),
            "to_the_right": measured([to_the_right(words) for words in sentences], wanted),
        }

    data = {"data.train": folder / "train.txt", "data.held_out": held_out}
    train_and_judge(given, {**data, "training.max_steps": None}, judge)


if __name__ == "__main__":
    main()
