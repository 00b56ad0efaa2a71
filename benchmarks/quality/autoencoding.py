"""Train an autoencoder on captions for some normalised minutes, and report how many come back from one vector.

    python benchmarks/quality/autoencoding.py autoencode/text --minutes 30 --output runs/captions [key=value ...]

Reads the folder `multi30k` of the one ANYSEQ_DATA names (English); without it, says so and ends. Learns from train,
chooses on val, reports on test_2016_flickr what the search gives from the vector alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timed import arguments, data_folder, train_and_judge

from anyseq.api import Predictor
from anyseq.metrics.error_rate import ErrorRate
from anyseq.metrics.exact_match import ExactMatch


def main() -> None:
    given = arguments(__doc__).parse_intermixed_args()
    folder = data_folder("multi30k")

    def judge(predictor: Predictor) -> Mapping[str, Any]:
        task = predictor.task
        items, references = task.judged_by_targets(task.read_pairs(folder / "test_2016_flickr.en.gz"))
        found = predictor.evaluate(items, references)
        outputs = [each.output for each in found.predictions]
        return {
            "test_exact_match": ExactMatch().measure(outputs, references).value,
            "test_word_error_rate": ErrorRate("word").measure(outputs, references).value,
            "test_loss": found.metrics["loss"],
            "items": found.count,
        }

    train_and_judge(given, {"data.train": folder / "train.en.gz", "data.dev": folder / "val.en.gz"}, judge)


if __name__ == "__main__":
    main()
