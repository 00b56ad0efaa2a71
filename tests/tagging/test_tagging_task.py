from __future__ import annotations

import json
from pathlib import Path

import pytest

import anyseq
from anyseq.config import load_recipe
from anyseq.core import Item
from anyseq.data.columns import read_columns
from anyseq.errors import ConfigError, DataError
from anyseq.tasks.splits import Splits
from anyseq.tasks.tag.task import Tag
from tiny_runs import main, write

TINY = (
    *("training.max_steps=200", "training.validate_every=100", "data.generator.train=1000", "data.generator.dev=40"),
    *(
        "data.generator.test=40",
        "model.encoder.embed_dim=32",
        "model.encoder.hidden_dim=32",
        "training.learning_rate=1e-2",
    ),
)
SENTENCES = [("Anna wohnt in Bad Kufel .", "B-PER O O B-LOC I-LOC O"), ("Er ruft Anna an .", "O O B-PER O O")] * 10


@pytest.fixture(scope="module", params=["tag/aligned", "tag/crf"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> anyseq.api.Trained:
    folder = tmp_path_factory.mktemp(request.param.replace("/", "_"))
    return anyseq.train(request.param, folder / "model", threads=1, device="cpu", overrides=TINY)


def test_names_nobody_has_heard_of_are_tagged(trained: anyseq.api.Trained) -> None:
    """Test has no name that train has; always O is right for some 60 % of the tokens and finds no span."""
    assert trained.test is not None and trained.test.metrics["f1"] > 90 and trained.test.metrics["accuracy"] > 95


def test_there_is_a_tag_for_every_token_whatever_is_given(trained: anyseq.api.Trained) -> None:
    texts = [
        "Zzyx !",
        "a",
        "",
        "  viele   Leerzeichen hier ",
        "ein-sehr-sehr-sehr-langes-Wort-ohne-Ende-und-noch-mehr",
        "." * 3,
    ]
    for precision in ("float32", "int8"):
        model = anyseq.load(trained.folder, device="cpu", threads=1, precision=precision)  # type: ignore[arg-type]
        for search in ({}, {"beam_size": 1}, {"samples": 3}):
            for text, found in zip(texts, model.predict(texts, **search), strict=True):
                assert len(found.output.split()) == len(text.split()) and "\ufffd" not in found.output


def test_files_of_columns(tmp_path: Path) -> None:
    lines = [
        f"{token}\t{tag}"
        for text, tags in SENTENCES
        for token, tag in [*zip(text.split(), tags.split(), strict=True), ("", "")]
    ]
    path = write(tmp_path / "train.conll", "# a comment", *("" if line == "\t" else line for line in lines))
    items = read_columns(path)
    assert [(item.raw["source"], item.raw["target"]) for item in items] == SENTENCES
    assert [item.line for item in items[:3]] == [2, 9, 15]
    spaced = write(tmp_path / "pos.txt", "You PRP B-NP", "are VBP B-VP", "", "", "Yes UH O")
    assert [item.raw["target"] for item in read_columns(spaced)] == ["B-NP B-VP", "O"]
    pounds = write(tmp_path / "pounds.txt", "# # B-NP", "3 CD I-NP")
    assert read_columns(pounds)[0].raw["source"] == "# 3", "no comment, where there are no tabs"
    assert [item.raw["target"] for item in read_columns(spaced, (0, 1))] == ["PRP VBP", "UH"]


def test_several_files_of_columns_and_pairs_are_one_split(tmp_path: Path) -> None:
    columns = write(tmp_path / "one.conll", "a X", "b Y")
    pairs = write(tmp_path / "two.tsv", "c d\tX Y")
    task = load_recipe("tag/aligned").build()
    assert isinstance(task, Tag)
    items = task.read_pairs([columns, pairs])
    assert [(item.key, item.raw["target"]) for item in items] == [(0, "X Y"), (1, "X Y")]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["a O", "b"], ["bad.conll:2", "1 column where 2 are needed"]),
        (["a\tO", "b\t"], ["bad.conll:2", "empty"]),
        (["a b\tO"], ["bad.conll:1", "space"]),
        (["a b O", "c d"], ["bad.conll:2", "2 columns where 3 are needed"]),
        (["", ""], ["bad.conll", "no tokens"]),
    ],
)
def test_bad_columns_are_named(tmp_path: Path, lines: list[str], words: list[str]) -> None:
    with pytest.raises(DataError) as fault:
        read_columns(write(tmp_path / "bad.conll", *lines), (0, 2) if "3 are" in words[-1] else (0, -1))
    assert all(word in str(fault.value) for word in words), fault.value


def test_a_file_without_empty_lines_and_too_few_columns_are_refused(tmp_path: Path) -> None:
    train = write(tmp_path / "train.conll", *("a O" for _ in range(40)))
    with pytest.raises(DataError, match=r"train.conll: all of it is one sentence: put an empty line between"):
        load_recipe("tag/crf", {"data.train": str(train)}).build().read()
    with pytest.raises(ConfigError, match=r"data.columns=.*: should have 2 values, not \[0\]"):
        load_recipe("tag/crf", {"data.columns": [0]})


def test_unequal_and_illegal_tags_are_named_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*SENTENCES, ("drei kleine Wörter", "O O"), ("x y", "O I-PER")]
    path = write(tmp_path / "train.tsv", *("\t".join(row) for row in rows))
    assert main(["train", "tag/crf", "--output", str(tmp_path / "m"), f"data.train={path}"]) == 2
    told = capsys.readouterr().err
    assert "train.tsv:21" in told and "3 tokens, 2 tags" in told
    assert "train.tsv:22" in told and "I-PER behind O" in told and "scheme=free" in told
    assert not (tmp_path / "m").exists()


def test_tags_that_train_lacks_and_such_as_are_of_no_span_are_named() -> None:
    task = load_recipe("tag/crf").build()
    train = [Item({"source": "a b", "target": "B-X E-X"}, 0, "train", 1)]
    dev = [Item({"source": "a b", "target": "B-X O"}, 0, "dev", 1), Item({"source": "a", "target": "B-Y"}, 1, "dev", 2)]
    found = {finding.severity: finding for finding in task.examine(Splits(train, dev), []) if "tag" in finding.message}
    assert "train: scheme=iob" in found["note"].message and found["note"].message.endswith("anywhere: E-X")
    assert "2 of 2 sentences have tags that train lacks" in found["warning"].message
    assert "'B-Y', 'O'" in found["warning"].message and found["warning"].places == ("dev:1", "dev:2")


def test_the_command_line_tags_lines(
    trained: anyseq.api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "in.txt", "Ich heiße Balo Kimur und komme aus Rutadol .", "")
    assert main(["predict", str(trained.folder), "--input", str(path), "--format", "jsonl", "--n-best", "2"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert len(first["output"].split()) == 9 and len(first["n_best"]) == 2 and second["output"] == ""
    assert first["stopped"] == "end"
