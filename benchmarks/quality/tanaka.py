"""Train a translation recipe on the Tanaka corpus, English to Japanese, and report chrF.

    python benchmarks/quality/tanaka.py translate/transformer --minutes 30 --output runs/en-ja [key=value ...]

Reads the folder `tanaka_enja` of the one ANYSEQ_DATA names; without it, says so and ends. 1,000 pairs of train choose
the checkpoint; dev is the test. The text is tokenised and stays so; chrF does not see spaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timed import arguments, data_folder, train_and_judge

from anyseq.api import Predictor, pairs
from anyseq.metrics.surface import BleuConfig, ChrfConfig


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--characters", action="store_true", help="the target by characters, not by subwords")
    given = parser.parse_intermixed_args()
    folder = data_folder("tanaka_enja")

    def judge(predictor: Predictor) -> Mapping[str, Any]:
        items, references = pairs(folder / "dev.en.gz", folder / "dev.ja.gz")
        outputs = [each.output for each in predictor.evaluate(items, references).predictions]
        metrics = {"chrf": ChrfConfig().build(), "bleu_on_the_tokens_given": BleuConfig(tokenize="none").build()}
        figures = {name: metric.measure(outputs, references).value for name, metric in metrics.items()}
        return {**figures, "signatures": [metric.signature(references) for metric in metrics.values()]}

    settings = {
        "data.train.source": folder / "train.en.gz",
        "data.train.target": folder / "train.ja.gz",
        "data.held_out": 1000,
        # Two scripts have no pieces in common.
        "codec.joint": "false",
        "model.share_embeddings": "false",
    }
    if given.characters:
        settings["codec.target"] = "characters"
    train_and_judge(given, settings, judge)


if __name__ == "__main__":
    main()
