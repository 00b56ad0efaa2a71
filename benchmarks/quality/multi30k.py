"""Train a translation recipe on Multi30k for some normalised minutes, choose on val, report on test_2016_flickr.

    python benchmarks/quality/multi30k.py translate/transformer --minutes 30 --output runs/transformer [key=value ...]

Reads the folder `multi30k` of the one ANYSEQ_DATA names; without it, says so and ends. Prints figures for results.md:
BLEU of test lower-cased (`sacrebleu -lc`, which results.md states), by the recipe's own metrics, and on tokens as
Moses makes them, lower-cased (`tok:none`), which older papers have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sacremoses import MosesTokenizer
from timed import arguments, data_folder, train_and_judge

from anyseq.api import Predictor, pairs
from anyseq.metrics.surface import BleuConfig


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--source", default="de")
    parser.add_argument("--target", default="en")
    given = parser.parse_intermixed_args()
    folder = data_folder("multi30k")

    def judge(predictor: Predictor) -> Mapping[str, Any]:
        test = (folder / f"test_2016_flickr.{language}.gz" for language in (given.source, given.target))
        items, references = pairs(*test)
        found = predictor.evaluate(items, references)
        outputs = [each.output for each in found.predictions]
        lower_cased = BleuConfig(lowercase=True).build().measure(outputs, references)
        moses = MosesTokenizer(lang=given.target)

        def tokens(text: str) -> str:
            return moses.tokenize(text, return_str=True, escape=False, aggressive_dash_splits=False)

        on_tokens = BleuConfig(lowercase=True, tokenize="none").build()
        tokenised = on_tokens.measure(
            [tokens(each) for each in outputs], [[tokens(each) for each in row] for row in references]
        )
        return {
            "test_bleu_lc": lower_cased.value,
            "test_bleu_lc_moses": tokenised.value,
            "test_greedy": predictor.evaluate(items, references, beam_size=1).metrics,
            "test": found.metrics,
            "signature": f"{found.signature}; lower-cased {lower_cased.signature}",
        }

    settings = {
        f"data.{split}.{side}": folder / f"{name}.{language}.gz"
        for split, name in (("train", "train"), ("dev", "val"))
        for side, language in (("source", given.source), ("target", given.target))
    }
    train_and_judge(given, settings, judge)


if __name__ == "__main__":
    main()
