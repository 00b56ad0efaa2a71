"""Words as they are typed: every letter has the word it will become."""

from __future__ import annotations

from pathlib import Path

import pytest

from anyseq.data.synthetic.typing import TypingConfig
from anyseq.errors import DataError, UsageError


def written(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def test_letters_and_their_words_by_hand(tmp_path: Path) -> None:
    animals = ("dog", "owl", "Cat", "cow", "dog", "hen", "elk", "bee", "ant", "eel")
    lines = [f"The dog, the {animal} ." for animal in animals]
    config = TypingConfig(text=written(tmp_path / "text.txt", *lines), words=2)
    first, *_ = config.generate("train")
    assert first.raw["source"] == "_ t h e _ d o g , _ t h e _ d o g _ ."
    assert first.raw["target"] == " ".join(["the"] * 4 + ["dog"] * 5 + ["the"] * 4 + ["dog"] * 4 + ["?"] * 2)
    # Eight lines are train, one of them twice; then come dev and test, of words that train says nothing about.
    assert [len(config.generate(split)) for split in ("train", "dev", "test")] == [7, 1, 1]
    (test,) = config.generate("test")
    assert test.raw["target"].split()[-6:] == ["?"] * 6


def test_long_lines_are_cut_between_words(tmp_path: Path) -> None:
    text = written(tmp_path / "text.txt", "one two three four five six seven", "an " + "x" * 40 + " ox", *"abcdefgh")
    pieces = [item.raw["source"].replace(" ", "") for item in TypingConfig(text=text, length=20).generate("train")]
    assert pieces[:3] == ["_one_two_three_four", "_five_six_seven", "_an_ox"]


def test_a_test_text_of_its_own(tmp_path: Path) -> None:
    text = written(tmp_path / "text.txt", *(f"line {number}" for number in range(20)))
    config = TypingConfig(text=text, test_text=written(tmp_path / "test.txt", "line 3", "line 77"))
    assert [len(config.generate(split)) for split in ("train", "dev")] == [18, 2]
    assert [item.raw["source"] for item in config.generate("test")] == ["_ l i n e _ 7 7"]


def test_what_cannot_be_cut_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"text.txt.*no line is left for the split .train."):
        TypingConfig(text=written(tmp_path / "text.txt", "one line")).generate("train")
    with pytest.raises(DataError, match="no such file"):
        TypingConfig(text=str(tmp_path / "none.txt")).generate("train")
    with pytest.raises(UsageError, match="no split 'unseen'"):
        TypingConfig().generate("unseen")
