"""Train a tagging recipe on one of three data sets, and report accuracy and F1, words that train lacks apart.

    python benchmarks/quality/tagging.py tag/crf --data conll2000 --minutes 20 --output runs/chunks [key=value ...]

`conll2000` chunks (from words and parts of speech), `conll2000_words` from the words alone, `atis` slots,
`atis_intents` slots and intent, `ptb_trees` parts of speech (the gold tags of the trees, without -NONE-). Reads these
folders of the one ANYSEQ_DATA names; without, says so and ends. A tenth of train chooses the checkpoint; dev is the
test. Beside the model: each word's most frequent tag in train, for unknown ones the most frequent of all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from timed import arguments, data_folder, train_and_judge

from anyseq.api import Predictor
from anyseq.core import Item
from anyseq.data.codecs.factored import SEPARATOR
from anyseq.data.columns import read_columns
from anyseq.metrics.tags import LabelAccuracy, SpanF1, TagAccuracy, spans, tags_of

LEAF = re.compile(r"\((\S+) ([^\s()]+)\)")

Sentence = tuple[str, str]


def conll2000_words(folder: Path, split: str) -> list[Sentence]:
    return [(item.raw["source"], legal(item.raw["target"])) for item in read_columns(folder / f"{split}.txt.gz")]


def conll2000(folder: Path, split: str) -> list[Sentence]:
    items = read_columns(folder / f"{split}.txt.gz", factors=[1], separator=SEPARATOR)
    return [(item.raw["source"], legal(item.raw["target"])) for item in items]


def legal(tags: str) -> str:
    """The same spans, each begun with B-: some lines of the data begin one with I-."""
    written = ["O"] * len(tags.split())
    for kind, first, after in spans(tags.split()):
        written[first:after] = [f"B-{kind}", *[f"I-{kind}"] * (after - first - 1)]
    return " ".join(written)


def atis(folder: Path, split: str) -> list[Sentence]:
    rows = map(json.loads, (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines())
    return [(" ".join(row["tokens"]), " ".join(row["tags"])) for row in rows]


def atis_intents(folder: Path, split: str) -> list[Sentence]:
    rows = map(json.loads, (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines())
    return [(" ".join(row["tokens"]), f"[{row['intent']}] {' '.join(row['tags'])}") for row in rows]


def ptb_trees(folder: Path, split: str) -> list[Sentence]:
    found = []
    for line in (folder / f"{split}.txt").read_text(encoding="utf-8").splitlines():
        leaves = [(word, tag) for tag, word in LEAF.findall(line) if tag != "-NONE-"]
        if leaves:
            found.append((" ".join(word for word, _ in leaves), " ".join(tag for _, tag in leaves)))
    return found


READERS = {each.__name__: each for each in (conll2000, conll2000_words, atis, atis_intents, ptb_trees)}


def items(sentences: Sequence[Sentence]) -> list[Item]:
    return [Item({"source": source, "target": target}, key) for key, (source, target) in enumerate(sentences)]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--data", choices=READERS, required=True)
    given = parser.parse_intermixed_args()
    folder = data_folder(given.data.removesuffix("_intents").removesuffix("_words"))
    train, dev = (READERS[given.data](folder, split) for split in ("train", "dev"))
    file = given.output.with_name(f"{given.output.name}-train.tsv")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{source}\t{target}\n" for source, target in train), encoding="utf-8")
    known = {word.partition(SEPARATOR)[0] for source, _ in train for word in source.split()}

    def measured(outputs: Sequence[str]) -> dict[str, float]:
        wanted = [[target] for _, target in dev]
        rows = [
            (word.partition(SEPARATOR)[0] in known, tag == right)
            for (source, target), output in zip(dev, outputs, strict=True)
            for word, tag, right in zip(source.split(), tags_of(output), tags_of(target), strict=True)
        ]
        unknown = [right for is_known, right in rows if not is_known]
        return {
            "accuracy": TagAccuracy().measure(outputs, wanted).value,
            "accuracy_on_unknown_words": 100 * sum(unknown) / max(1, len(unknown)),
            "unknown_words": len(unknown),
            "tokens": len(rows),
            "f1": SpanF1().measure(outputs, wanted).value,
            "label_accuracy": LabelAccuracy().measure(outputs, wanted).value,
        }

    def judge(predictor: Predictor) -> Mapping[str, Any]:
        outputs = [each.output for each in predictor.predict([source for source, _ in dev])]
        usual = predictor.task.trivial(items(train), items(dev))
        return {"model": measured(outputs), "most_frequent_tag": measured(usual.outputs)}

    settings = {"data.train": file, "data.held_out": len(train) // 10}
    if given.data == "conll2000":
        settings["codec.source"] = {"kind": "factored", "base": {"kind": "spelt"}}
    train_and_judge(given, settings, judge)


if __name__ == "__main__":
    main()
