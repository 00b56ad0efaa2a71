"""Train a translation recipe on Tatoeba, English to Spanish, and compare it with people on sentences they differ on.

    python benchmarks/quality/tatoeba.py translate/transformer --minutes 90 --output runs/en-es [key=value ...]

Reads the folder `tatoeba_enes` of the one ANYSEQ_DATA names; without it, says so and ends. 2,000 pairs of train choose
the checkpoint; dev is the test. On its lines with several references the first is a translation by a person, and
the others judge it and the model's alike (`sacrebleu -lc`). A translation memory, which answers with the target of the
most similar source of train, stands beside them.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sacrebleu.metrics import CHRF
from timed import arguments, data_folder, train_and_judge

from anyseq.api import Predictor
from anyseq.core import Item
from anyseq.metrics.surface import BleuConfig

QUESTION = "where is the library?"


def lines(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return stream.read().splitlines()


def remembered(sources: Sequence[str], folder: Path) -> list[str]:
    """The target of the source in train that shares the largest part of its words (Jaccard), the longest of equals."""
    known, targets = lines(folder / "train.en.gz"), lines(folder / "train.es.gz")
    bags = [frozenset(line.lower().split()) for line in known]
    holders: dict[str, list[int]] = {}
    for at, bag in enumerate(bags):
        for word in bag:
            holders.setdefault(word, []).append(at)

    def most_similar(source: str) -> int:
        words = frozenset(source.lower().split())
        rare = sorted(words & holders.keys(), key=lambda word: len(holders[word]))[:3]
        candidates = {at for word in rare for at in holders[word][:5000]}
        return max(
            candidates, key=lambda at: (len(words & bags[at]) / len(words | bags[at]), len(bags[at]), -at), default=0
        )

    return [targets[most_similar(source)] for source in sources]


def main() -> None:
    given = arguments(__doc__).parse_intermixed_args()
    folder = data_folder("tatoeba_enes")

    def judge(predictor: Predictor) -> Mapping[str, Any]:
        sources = lines(folder / "dev.en.gz")
        references = [line.split("\t") for line in lines(folder / "dev.es.allrefs.tsv.gz")]
        found = predictor.evaluate([Item({"source": text}, key) for key, text in enumerate(sources)], references)
        outputs = [each.output for each in found.predictions]
        several = [at for at, texts in enumerate(references) if len(texts) > 1]
        others = [references[at][1:] for at in several]
        bleu = BleuConfig(lowercase=True).build()

        def of(texts: Sequence[str]) -> float:
            return bleu.measure(texts, others).value

        memory = remembered(sources, folder)
        return {
            "lines_with_several": len(several),
            "bleu_lc_of_the_model": of([outputs[at] for at in several]),
            "bleu_lc_of_the_first_person": of([references[at][0] for at in several]),
            "bleu_lc_of_a_translation_memory": of([memory[at] for at in several]),
            "dev_bleu_lc_all_references": bleu.measure(outputs, references).value,
            "dev_bleu_lc_first_reference": bleu.measure(outputs, [each[:1] for each in references]).value,
            "dev_bleu_lc_first_reference_memory": bleu.measure(memory, [each[:1] for each in references]).value,
            "dev_chrf_first_reference": CHRF().corpus_score(outputs, [[each[0] for each in references]]).score,
            QUESTION: predictor.predict(QUESTION)[0].output,
            "signature": bleu.signature(others),
        }

    settings = {
        "data.train.source": folder / "train.en.gz",
        "data.train.target": folder / "train.es.gz",
        "data.held_out": 2000,
    }
    train_and_judge(given, settings, judge)


if __name__ == "__main__":
    main()
