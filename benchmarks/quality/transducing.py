"""Train a transduction recipe on letters to sounds or on inflection, and report how many outputs are right.

    python benchmarks/quality/transducing.py transduce/pronounce --data cmudict --minutes 30 --output runs/sounds
    python benchmarks/quality/transducing.py transduce/inflect --data finnish --minutes 15 --output runs/finnish

Reads `cmudict` and `sigmorphon2018` of the folder ANYSEQ_DATA names; without, says so and ends. A tenth of train
chooses the checkpoint; dev is the test. Sounds are without marks of stress, `wer` is the share of words of which the
output is none of the pronunciations, `per` counts against the nearest. Beside the model, the trivial answer: each
letter's most frequent sound, or the lemma.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from timed import arguments, data_folder, train_and_judge

from anyseq.api import Predictor
from anyseq.metrics.error_rate import ErrorRate
from anyseq.metrics.exact_match import ExactMatch

LANGUAGES = ("finnish", "spanish", "turkish")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data", choices=("cmudict", *LANGUAGES), required=True)
    given = parser.parse_intermixed_args()
    sounds = given.data == "cmudict"
    folder = data_folder("cmudict" if sounds else "sigmorphon2018")
    names = ["train.tsv.gz", "dev.tsv.gz"] if sounds else [f"{given.data}.train.tsv", f"{given.data}.dev.tsv"]
    train, dev = (folder / name for name in names)

    def figures(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
        exact = ExactMatch().measure(outputs, references).value
        if not sounds:
            return {"exact_match": exact, "cer": ErrorRate("character").measure(outputs, references).value}
        return {"wer": 100 - exact, "per": ErrorRate("phoneme").measure(outputs, references).value}

    def judge(predictor: Predictor) -> Mapping[str, Any]:
        task = predictor.task
        items, references = task.judged_by_targets(task.read_pairs(dev))
        outputs = [each.output for each in predictor.evaluate(items, references).predictions]
        trivial = task.trivial(task.read_pairs(train), items)
        return {
            "items": len(items),
            "model": figures(outputs, references),
            trivial.name: figures(trivial.outputs, references),
        }

    settings: dict[str, Any] = {"data.train": train, "data.held_out": 12_000}  # at most a tenth is held out
    if sounds:
        settings["data.target_without"] = "(?<=[A-Z])[0-2]"
    train_and_judge(given, settings, judge)


if __name__ == "__main__":
    main()
