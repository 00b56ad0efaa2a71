"""Properties that somebody tells of what is read: labels, the cells that follow them, gates where they change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import anyseq
from anyseq.api import Predictor
from anyseq.cli.main import main
from anyseq.data.codecs.text import words_of
from anyseq.data.synthetic.subjects import SubjectsConfig, gender_of
from anyseq.errors import DataError, UsageError
from anyseq.inspection.gates import gates
from anyseq.inspection.labelled import changes, numbers, spread
from anyseq.inspection.moments import moments
from anyseq.inspection.reading import read
from inspection.test_views_by_hand import LETTERS, language_model, of_texts

Untrained = Callable[..., Predictor]
SMALL = ("data.generator.train=300", "data.generator.dev=60", "data.generator.test=60", "model.encoder.hidden_dim=8")
GENDER = "gender of the last subject (she, not he)"
NAN = float("nan")


def test_labels_of_words_are_those_of_their_symbols() -> None:
    words = words_of(list("ab  c"), 5)
    assert spread(list("vwxyz"), 5, [words]) == list("vwxyz")
    assert spread(["x", "y"], 5, [words]) == ["x", "x", "y", "y", "y"]  # a space is part of the word that follows
    assert spread(["x", "y", "z"], 5, [words]) is None


def test_labels_as_numbers() -> None:
    told = numbers({
        "depth": [["0", "2.5", "-"], ["-"]],
        "who": [["he", "-", "she"], ["she"]],
        "kind": [["a", "b", "c"], ["c"]],
    })  # fmt: skip
    assert {name: values.tolist() for name, values in told[1].items()} == {
        "depth": [pytest.approx(NAN, nan_ok=True)], "who (she, not he)": [1.0],
        "kind: a": [0.0], "kind: b": [0.0], "kind: c": [1.0],
    }  # fmt: skip
    np.testing.assert_array_equal(told[0]["depth"], [0, 2.5, NAN])
    np.testing.assert_array_equal(told[0]["who (she, not he)"], [0, NAN, 1])
    np.testing.assert_array_equal(changes(np.array([NAN, 0, 0, NAN, 0, 1])), [NAN, 1, 0, NAN, 0, 1])
    with pytest.raises(UsageError, match=r"'word' has 30 different labels .* at most 20"):
        numbers({"word": [[f"w{n}" for n in range(30)]]})


def test_gates_at_a_moment_by_hand() -> None:
    forget = np.array([[0.9, 0.5], [0.1, 0.7], [0.8, 0.6], [0.3, 0.4], [0.7, 0.8]])
    own = {"who": [NAN, 0, 0, 1, 1], "new": [0, 1, 0, 0, 1], "long": [0, 0, 1, 1, 1]}
    told = {name: np.array(values, float) for name, values in own.items()}
    found = {each.moment: each for each in moments("who", "layer", 0, [{"forget": forget}], [told])}
    assert set(found) == {"who changes", "new"}, "what lasts is no event"
    change, new = found["who changes"], found["new"]
    assert (change.places, change.others, new.places, new.others) == (2, 2, 2, 3)
    assert (change.cell_there, change.cell_elsewhere) == (pytest.approx(0.2), pytest.approx(0.75))
    assert (change.layer_there, change.layer_elsewhere) == (pytest.approx(1.5 / 4), pytest.approx(2.9 / 4))
    assert (new.cell_there, new.cell_elsewhere) == (pytest.approx(0.4), pytest.approx(2.0 / 3))
    assert list(moments("new", "layer", 0, [{"forget": forget}], [told])) == [], "an event is not remembered"


def test_a_cell_follows_what_is_told_of_what_a_language_model_read() -> None:
    model = language_model("lstm")
    cell, embed = model.decoder.stack.layers[0].cell, model.decoder.fed_back.embed
    embed.weight.data[:] = torch.tensor([[0.0], [2.0], [-1.0], [1.0], [-2.0]])  # of ⟨end⟩ a 7 b 3
    cell.bias_ih.data[:] = torch.tensor([10.0, -10.0, 0.0, 0.0])
    cell.weight_ih.data[2] = 1.0
    texts = [[1, 3, 2, 0], [3, 1, 4, 0]] * 9  # letter, letter, digit
    told = numbers({"kind": [["digit" if LETTERS[s].isdigit() else "letter" for s in text[:-1]] for text in texts]})
    batch, shown = of_texts(*texts)
    found = gates([read(model, batch, shown, ("gates", "state", "turned"))], 2, told)
    assert found is not None
    best = next(each for each in found.found if each.property.startswith("kind"))
    # 27 symbols are read in each half of the texts; the start is none of them.
    assert (best.property, best.score, best.places) == ("kind (letter, not digit)", 1.0, 27)
    (forget,) = [each for each in found.moments if each.gate == "forget"]
    assert (forget.moment, forget.places, forget.others) == ("kind (letter, not digit) changes", 18, 9)
    assert forget.cell_there == pytest.approx(1 / (1 + np.exp(10)), rel=1e-3)


def test_the_last_subject_is_told_by_the_generator() -> None:
    config = SubjectsConfig()
    text = "with Tom the queen sang , but Paul , who met Anna , wept . then"
    told = config.properties(text)
    assert " ".join(told["gender of the last subject"]) == "- - - she she she she he he he he he he he he he"
    subjects = zip(text.split(), told["a new subject"], strict=True)
    assert [word for word, new in subjects if new == "1"] == ["queen", "Paul"]
    items = config.model_copy(update={"test": 300}).generate("test")
    told_last = [config.properties(each.raw["source"])["gender of the last subject"][-1] for each in items]
    assert told_last == [each.raw["target"] for each in items]
    assert 0.4 < sum(each.raw["target"] == "she" for each in items) / 300 < 0.6
    last = [[gender for word in each.raw["source"].split() if (gender := gender_of(word))][-1] for each in items]
    assert 0.55 < sum(one == each.raw["target"] for one, each in zip(last, items, strict=True)) / 300 < 0.8


def test_a_models_own_property_and_one_of_the_users(untrained: Untrained) -> None:
    predictor = untrained("classify/pronouns", *SMALL)
    with torch.no_grad():
        predictor.task.model.encoder.embed.weight.mul_(20)  # so that cells, untrained as they are, tell words apart
    lines = [item.raw["source"] for item in predictor.task.read().dev]
    labels = [" ".join("yes" if word in ("in", "at", "on", "the") else "no" for word in line.split()) for line in lines]
    seen = anyseq.inspect(predictor, lines, views=["gates"], properties={"small": labels}).gates
    assert seen is not None and any(each.property == "small (yes, not no)" for each in seen.found)
    told = {each.moment for each in seen.moments if each.property.startswith("small")}
    assert told == {"small (yes, not no) changes", "a new subject"}
    own = anyseq.inspect(predictor, lines, views=["gates"]).gates
    assert own is not None and not any("small" in each.property for each in own.found)


def test_labels_that_do_not_fit_are_told(
    untrained: Untrained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictor = untrained("transduce/copy", "data.generator.train=60", "data.generator.dev=4", "data.generator.test=4")
    with pytest.raises(UsageError, match="'who' has 1 lines, and there are 2 inputs"):
        anyseq.inspect(predictor, ["ab", "c"], properties={"who": ["x y"]}, views=["gates"], max_length=4)
    with pytest.raises(DataError, match=r"line 2 of .*'who' has 3 labels, and its input 2 symbols .*or 1 words"):
        anyseq.inspect(predictor, ["ab", "cd"], properties={"who": ["x y", "x y z"]}, views=["gates"], max_length=4)
    words = ["inspect", "none", "--input", "none.txt", "--output", str(tmp_path / "out"), "--property"]
    assert main([*words, "labels.txt"]) == 2
    assert "--property labels.txt: give a name and a file" in capsys.readouterr().err


def test_a_property_that_no_cell_follows_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {f"data.generator.{name}": count for name, count in {"train": 60, "dev": 4, "test": 4}.items()}
    anyseq.train("transduce/copy", tmp_path / "model", threads=1, overrides={**sizes, "training.max_steps": 1})
    (tmp_path / "in.txt").write_text("abc\ncab\n")
    (tmp_path / "labels.txt").write_text("yes no no\nno yes no\n")
    words = ["--input", str(tmp_path / "in.txt"), "--output", str(tmp_path / "out"), "--views", "gates"]
    labels = ["--property", f"rare={tmp_path / 'labels.txt'}"]
    assert main(["inspect", str(tmp_path / "model"), *words, *labels]) == 0
    assert "no cell follows the property 'rare'" in capsys.readouterr().err


@pytest.mark.full
def test_an_lstm_remembers_who_was_last(tmp_path: Path) -> None:
    """Accuracy, the cell that holds it, and its forget gate at a new subject; three seeds: benchmarks/results.md."""
    trained = anyseq.train("classify/pronouns", tmp_path / "model", threads=1)
    assert trained.test is not None and trained.test.metrics["exact_match"] >= 95
    predictor = anyseq.load(tmp_path / "model")
    lines = [item.raw["source"] for item in predictor.task.read_test() or []]
    seen = anyseq.inspect(predictor, lines, views=["gates"]).gates
    assert seen is not None
    cell = next(each for each in seen.found if each.property == GENDER)
    assert max(cell.score, 1 - cell.score) >= 0.9
    forget = next(each for each in seen.moments if (each.moment, each.gate) == ("a new subject", "forget"))
    assert forget.cell_there < forget.cell_elsewhere


def test_a_single_label_is_told_apart_from_none_where_it_marks() -> None:
    marked = numbers({"capital": [["y", "-", "y"]], "said": [["y", "-", "y"]]}, marks=["capital"])
    assert marked[0]["capital (y, not -)"].tolist() == [1, 0, 1]
    assert np.isnan(marked[0]["said: y"][1]), "of what a generator tells, nothing is known there"
