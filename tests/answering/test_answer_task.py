"""Answering end to end: with and without attention, dialogues, and talking with a model."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import anyseq
from anyseq.api import Conversation
from anyseq.errors import ConfigError
from tiny_runs import main, write

TINY = ("training.max_steps=2", "training.validate_every=2", "training.validate_items=5", "training.batch_tokens=100")
SIZES = ("data.generator.train=60", "data.generator.dev=10", "data.generator.test=10")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("answer")


@pytest.fixture(scope="module")
def talker(folder: Path) -> Path:
    """A model of dialogues, hardly trained."""
    anyseq.train("answer/dialogue", folder / "talker", threads=1, device="cpu", overrides=[*TINY, *SIZES])
    return folder / "talker"


@pytest.fixture(scope="module")
def reader(folder: Path) -> Path:
    """A model that answers questions over stories, hardly trained."""
    anyseq.train("answer/attention", folder / "reader", threads=1, device="cpu", overrides=[*TINY, *SIZES])
    return folder / "reader"


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """What stands in this file is stdin."""
    path = tmp_path / "typed.txt"
    path.touch()
    with path.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield path


def test_one_fact_is_found_with_attention(tmp_path: Path) -> None:
    found = anyseq.train(
        "answer/attention", tmp_path / "m", threads=1, device="cpu",
        overrides=["training.max_steps=400", "training.validate_every=200", "training.learning_rate=3e-3",
                   "training.batch_tokens=500", "data.generator.train=3000",
                   "data.generator.dev=100", "data.generator.test=300"],
    )  # fmt: skip
    assert found.test is not None and found.test.metrics["exact_match"] > 90


def test_the_last_turns_are_the_source(talker: Path) -> None:
    talk = Conversation(anyseq.load(talker, device="cpu"), beam_size=1)
    said = [talk.say(f"turn {number}") for number in range(5)]
    assert said[0].input == "turn 0"
    assert said[1].input.split(" | ")[0::2] == ["turn 0", "turn 1"]
    assert said[4].input.split(" | ")[0::2] == ["turn 1", "turn 2", "turn 3", "turn 4"]
    assert talk.say(" ").output == "" and talk.say("again").input == "again"


def test_a_dialogue_from_a_pipe(talker: Path, typing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(typing, "My name is Bo.", "What is my name?", "", "What is my name?")
    assert main(["predict", str(talker), "--interactive", "--format", "jsonl"]) == 0
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    first = [line["input"].split(" | ")[0] for line in lines]
    assert first == ["My name is Bo.", "My name is Bo.", "", "What is my name?"]
    assert [line["input"].count(" | ") for line in lines] == [0, 2, 0, 0]
    assert lines[1]["input"].split(" | ")[1] == lines[0]["output"]
    assert "a reply knows the last 7 turns" in err


def test_a_model_of_other_uses_answers_each_line(
    reader: Path, typing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(typing, "Bo went to the mill. Where is Bo?", "Where is Bo?")
    assert main(["predict", str(reader), "--interactive"]) == 0
    out, err = capsys.readouterr()
    assert "no model of dialogues: each line is answered by itself" in err and out.count("\n") == 2


def test_a_person_is_prompted_and_answered_at_once(
    talker: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    person, terminal = os.openpty()
    with os.fdopen(terminal) as stdin, os.fdopen(person, "wb", buffering=0) as hand:
        monkeypatch.setattr(sys, "stdin", stdin)
        hand.write(b"Hello!\n\x04")  # Ctrl-D
        assert main(["predict", str(talker), "--interactive"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and err.count("> ") == 2 and "Ctrl-D ends" in err


def test_files_of_turns_and_tables(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for number in range(30) for line in (f"I am no {number}.", "Hello.", "And you?", "I am one.", "")]
    turns = write(tmp_path / "turns.txt", *lines)
    command = ["train", "answer/dialogue", "--output", str(folder / "own"), *TINY, "turns=1", f"data.train={turns}"]
    assert main([*command, "codec.source.min_count=1", "codec.target.min_count=1"]) == 0
    table = write(tmp_path / "turns.tsv", "I am 3. | Hello. | And you?\tI am one.")
    assert anyseq.load(folder / "own").task.read_pairs(table)[0].raw["source"] == "And you?"
    for data in (turns, table):
        assert main(["evaluate", str(folder / "own"), "--data", str(data)]) == 0
    capsys.readouterr()
    bad = write(tmp_path / "bad.txt", "a", "b", "", "alone")
    assert main([*command[:-1], f"data.train={bad}", "--overwrite"]) == 2
    assert f"{bad}:4: a conversation of one turn" in capsys.readouterr().err


def test_what_the_most_frequent_answer_reaches_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "answer/plain", *TINY, *SIZES]) == 0
    assert "dev: always to answer '" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("recipe", "word", "message"),
    [
        ("answer/dialogue", "turns=3", "set both to the same number"),
        ("answer/attention", "codec.source.kind=words", "set codec.source.kind=sentences"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, recipe: str, word: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        anyseq.train(recipe, tmp_path / "m", overrides=[word])
