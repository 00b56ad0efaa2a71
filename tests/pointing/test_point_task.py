"""Pointing from end to end: the published lines and tables of one's own, training, epochs, prediction, pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import anyseq
from anyseq import api
from anyseq.config import load_recipe
from anyseq.core import Item, Memory
from anyseq.data.codecs.pointers import PointerCodec, PointersConfig
from anyseq.data.codecs.points import Points, PointsConfig
from anyseq.data.ptrnet import read_points
from anyseq.data.synthetic.geometry import convex_hulls
from anyseq.errors import AnyseqError, ConfigError, DataError
from anyseq.inspection.points import _lines
from anyseq.metrics.pointing import TourLength
from tiny_runs import events, main, tensors, write

SMALL = ("model.encoder.model_dim=16", "model.encoder.ffn_dim=16", "model.encoder.num_layers=1",
    "model.decoder.embed_dim=16", "model.decoder.hidden_dim=16", "model.decoder.attention_dim=8")  # fmt: skip
QUICK = ("training.max_steps=6", "training.validate_every=3", "training.warmup_steps=1", "training.batch_tokens=100")
FEW = ("data.generator.train=40", "data.generator.dev=10", "data.generator.test=10")
LINE = "0.1 0.2 0.9 0.3 0.5 0.4 0.6 0.9 0.2 0.7"


def train(recipe: str, folder: Path, *words: str, **options: Any) -> api.Trained:
    return api.train(recipe, folder, device="cpu", threads=1, overrides=[*SMALL, *QUICK, *FEW, *words], **options)


def test_codecs_come_back(tmp_path: Path) -> None:
    raw = np.array([[1000.0, 0.25], [1003.5, -1e-3], [999.25, 3.0]])
    for scale in (True, False):
        codec = PointsConfig(scale=scale).fit([raw])
        text = codec.decode(codec.encode(raw))
        torch.testing.assert_close(codec.encode(text), codec.encode(raw), atol=2e-4, rtol=0)
        assert codec.decode(codec.encode(text)) == text
        (folder := tmp_path / str(scale)).mkdir()
        codec.save(folder)
        assert torch.equal(Points.load(folder).encode(raw), codec.encode(raw))
        assert torch.equal(codec.encode(f"{text} output 1 2"), codec.encode(text)) and len(codec.encode("")) == 0
    for pointers, shown in ((PointerCodec(), "1 4 2 1"), (PointerCodec(round_trip=True), "1 4 2 1")):
        assert pointers.decode(pointers.encode("0.5 0.5 output 1 4 2 1")) == shown == pointers.decode(
            pointers.encode(np.array([1, 4, 2, 1])))  # fmt: skip
        pointers.save(tmp_path)
        assert vars(PointerCodec.load(tmp_path)) == vars(pointers)
    assert PointerCodec(round_trip=True).encode("1 4 2 1").tolist() == [1, 4, 2, 0]
    assert PointerCodec(round_trip=True).encode("1 4 2").tolist() == [1, 4, 2, 0]


@pytest.mark.parametrize(
    ("raw", "fault"),
    [("1 2 3", "3 numbers"), ("1 x", "numbers are expected"), ("1 nan", "infinite"), (np.zeros((2, 3)), r"\[2, 3\]")],
)
def test_what_is_no_point_is_told(raw: Any, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        PointsConfig(columns=2).fit([raw])


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        ("1 two", "numbers of elements"), ("0 1", "count from 1"), ("1 7", "above codec.target.most=6"),
        (np.array([1.5, 2]), "numbers of elements"), ([float("inf")], "numbers of elements"),
        (np.array([0, 1]), r"here is 0: \[0, 1\]; add 1"),
    ],
)  # fmt: skip
def test_what_is_no_pointer_is_told(raw: Any, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        PointersConfig(most=6).fit([]).encode(raw)


def test_published_lines_are_read(tmp_path: Path) -> None:
    items = read_points(write(tmp_path / "a.txt", f"{LINE} output 1 2 4 5 1", "", "0 0 1 1 output 1 2"))
    assert [(item.raw["source"], item.raw["target"], item.line) for item in items] == [
        (LINE, "1 2 4 5 1", 1), ("0 0 1 1", "1 2", 3)
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"b\.txt:1.*output 1 4 2 1"):
        read_points(write(tmp_path / "b.txt", LINE))


def test_points_far_from_0_keep_their_distances() -> None:
    points = np.array([[5_400_123.125, 500_000.25], [5_400_123.375, 500_000.25]])
    task = load_recipe("point/tsp").build()
    reference = task.reference(Item({"source": points, "target": "1 2 1"}))
    assert TourLength("length").measure(["1 2 1"], [[reference]]).value == 0.5


def hulls(folder: Path, kind: str, count: int = 40) -> Path:
    """Files of one's own, of each kind: triangles, whose hulls are all of them."""
    points = np.random.default_rng(1).random((count, 3, 2)).round(3)
    answers = convex_hulls(points, np.full(count, 3))
    texts = [" ".join(map(str, own.flatten().tolist())) for own in points]
    named = [" ".join(map(str, answer)) for answer in answers]
    lines = {
        "txt": [f"{text} output {answer}" for text, answer in zip(texts, named, strict=True)],
        "csv": ["source,target", *(f"{text},{answer}" for text, answer in zip(texts, named, strict=True))],
        "jsonl": [json.dumps({"source": own.tolist(), "target": answer})
                  for own, answer in zip(points, answers, strict=True)],
    }  # fmt: skip
    return write(folder / f"hulls.{kind}", *lines[kind])


@pytest.mark.parametrize("kind", ["txt", "csv", "jsonl"])
def test_files_of_ones_own_train_and_are_judged(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = hulls(tmp_path, kind)
    trained = train("point/hull", tmp_path / "model", f"data.train={file}")
    assert trained.dev.metrics["outline_simple"] == 100
    assert main(["evaluate", str(tmp_path / "model"), "--data", str(file), "--plot", str(tmp_path / "e.png")]) == 0
    shown = capsys.readouterr().out
    assert "outline_area" in shown and (tmp_path / "e.png").stat().st_size > 10_000


def test_answers_that_the_model_never_gives_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(tmp_path / "m")
    train("point/hull", tmp_path / "m")
    file = write(tmp_path / "open.txt", f"{LINE} output 1 2 4 5", f"{LINE} output 1 2 4 5 1")
    assert main(["evaluate", model, "--data", str(file)]) == 2
    shown = capsys.readouterr()
    assert "open.txt:1: " in shown.err and "mend the answer, or leave the line out" in shown.err
    assert main(["score", model, "--data", str(file)]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("-inf") and "1 of 2 targets" in shown.err
    short = write(tmp_path / "short.txt", LINE, "0.1 0.2 0.3")
    assert main(["predict", model, "--input", str(short)]) == 2
    assert "short.txt:2: 3 numbers do not make elements of 2" in capsys.readouterr().err


def test_faults_of_ones_own_files_are_told(tmp_path: Path) -> None:
    file = write(tmp_path / "a.txt", *[f"{LINE} output 1 2 4 5 1"] * 30, f"{LINE} output 1 2 2 1")
    with pytest.raises(AnyseqError, match=r"1 of .* targets are no outline .*answer=any"):
        train("point/hull", tmp_path / "m", f"data.train={file}", f"data.dev={hulls(tmp_path, 'txt')}")
    far = write(tmp_path / "b.txt", f"{LINE} output 1 2 9 1")
    with pytest.raises(DataError, match=r"b\.txt:1.*element 9"):
        train("point/hull", tmp_path / "m", f"data.train={far}")
    header = write(tmp_path / "c.csv", "points,answer", f"{LINE},1 2 4 5 1")
    with pytest.raises(DataError, match=r"c\.csv:1: .*header names its columns source and target"):
        train("point/hull", tmp_path / "m", f"data.train={header}")
    with pytest.raises(ConfigError, match=r"metrics: outline .* in the plane.*columns is 3"):
        train("point/hull", tmp_path / "m", "codec.source.columns=3")
    with pytest.raises(ConfigError, match=r"objective\.reward: tour .* 2 numbers.*columns=3"):
        train("point/hull", tmp_path / "m", "codec.source.columns=3", "metrics=[pointers_right]",
              "objective=self_critical", "objective.reward=tour")  # fmt: skip
    with pytest.raises(ConfigError, match="round_trip=true"):
        train("point/tsp", tmp_path / "m", "codec.target.round_trip=false")
    with pytest.raises(ConfigError, match=r"source\.kind=points"):
        train("point/hull", tmp_path / "m", "codec.source=characters")


def test_answers_that_are_none_are_not_judged_by(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train("point/tsp", tmp_path / "m", "data.max_length=11")
    places = " ".join(map(str, range(24)))
    around = " ".join(map(str, range(1, 13)))
    for line, told in (
        ("0 0 1 0 1 1 output 1 2", "every one of 3 elements once"), ("0 0 1 0 1 1 output", "every one of 3"),
        (f"{places} output {around} 1", "data.max_length=11"),
    ):  # fmt: skip
        file = write(tmp_path / "a.txt", "0 0 1 0 1 1 output 1 2 3 1", line)
        assert main(["evaluate", str(tmp_path / "m"), "--data", str(file)]) == 2
        shown = capsys.readouterr().err
        assert "a.txt:2" in shown and told in shown


@pytest.mark.parametrize(
    ("recipe", "elements", "symbols"),
    [("hull", 500, 502), ("tsp", 500, 501), ("sort", 500, 501), ("routes", 500, 501), ("delaunay", 100, 3 * 195 + 1)],
)
def test_budgets_are_what_the_papers_problems_need(recipe: str, elements: int, symbols: int) -> None:
    config = load_recipe(f"point/{recipe}")
    memory = Memory(item=torch.zeros(1, dtype=torch.int64), vectors=torch.zeros(1, elements, 2),
                    valid=torch.ones(1, elements, dtype=torch.bool))  # fmt: skip
    assert symbols <= min(int(config.search.stop().budget(memory)), config.data.max_length)


def test_triangles_that_name_more_than_there_is_are_left_out_of_pictures() -> None:
    axes = Figure().add_subplot()
    points = np.random.default_rng(1).random((4, 2))
    _lines(axes, points, [1, 2, 9, 2, 3, 4], "triangles", color="k", linewidth=1.0, zorder=1)
    assert len(axes.lines) == 1


@pytest.mark.parametrize("recipe", ["point/hull", "point/tsp", "point/sort"])
def test_outputs_are_always_valid(recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = [word for word in SMALL if not (recipe == "point/sort" and word.startswith("model.encoder"))]
    api.train(recipe, tmp_path / "m", device="cpu", threads=1, overrides=[*small, *QUICK, *FEW])
    numbers = LINE if recipe != "point/sort" else "0.3 0.1 0.7 0.2 0.5"
    file = write(tmp_path / "in.txt", numbers, "", f"{numbers} output")
    arguments = ["--input", str(file), "--n-best", "1", "--plot", str(tmp_path / "a.svg")]
    assert main(["predict", str(tmp_path / "m"), *arguments]) == 0
    first, empty, line = capsys.readouterr().out.splitlines()
    assert empty == "" and line == f"{numbers} output {first}", "a line of the published format gets one"
    named = [int(number) for number in first.split()]
    if recipe == "point/sort":
        assert sorted(named) == [1, 2, 3, 4, 5]
    else:
        assert named[0] == named[-1] and len(set(named)) == len(named) - 1 >= 3
    found = anyseq.load(tmp_path / "m").predict([numbers], beam_size=3, n_best=3)[0]
    assert len({each.output for each in found.n_best}) == 3
    with pytest.raises(AnyseqError, match="about words"):
        anyseq.load(tmp_path / "m").predict([numbers], prefix="1 2")
    with pytest.raises(AnyseqError, match=r"item 1.*numbers are expected"):
        anyseq.load(tmp_path / "m").predict([numbers, "not a number"])


def test_a_resumed_run_draws_the_same_epochs(tmp_path: Path) -> None:
    """And other ones than the first: what is drawn anew is another run than one without."""
    plain = "training.schedule=constant"
    train("point/hull", tmp_path / "whole", plain, "training.max_steps=12")
    train("point/hull", tmp_path / "two", plain, "training.max_steps=6")
    api.resume(tmp_path / "two", more_steps=6, device="cpu", threads=1)
    train("point/hull", tmp_path / "same", plain, "training.max_steps=12", "data.generator.endless=false")
    whole, two, same = (tensors(tmp_path / name, 12) for name in ("whole", "two", "same"))
    assert max(event.get("epoch", 0) for event in events(tmp_path / "whole")) >= 1
    assert whole.keys() == two.keys() == same.keys()
    assert not all(torch.equal(whole[name], same[name]) for name in whole)
    trained = [name for name in whole if name.startswith("weights")]
    assert trained and all(torch.equal(whole[name], two[name]) for name in trained)


def test_tours_learn_from_reward(tmp_path: Path) -> None:
    train("point/tsp", tmp_path / "first")
    trained = train(
        "point/tsp", tmp_path / "second", "objective=reinforce", "objective.reward=tour", "objective.likelihood=0",
        "data.generator.exact=false", start_from=tmp_path / "first",
    )  # fmt: skip
    assert trained.dev.metrics["tour_valid"] == 100


@pytest.mark.parametrize("decoder", ["rnn", "attention"])
def test_decoders_of_symbols_for_comparison(decoder: str, tmp_path: Path) -> None:
    words = ["codec.target.most=10", f"model.decoder.kind={decoder}", "model.decoder.cell=lstm"]
    widths = ["model.decoder.embed_dim=16", "model.decoder.hidden_dim=16"]
    overrides = [*(word for word in SMALL if "attention_dim" not in word), *QUICK, *FEW, *words, *widths]
    trained = api.train("point/hull", tmp_path / "m", device="cpu", threads=1, overrides=overrides)
    assert trained.dev.metrics["outline_simple"] < 100, "nothing keeps it from what is no polygon"


def test_trivial_answers_are_judged(tmp_path: Path) -> None:
    trained = train("point/hull", tmp_path / "m")
    assert trained.trivial is not None
    name, metrics = trained.trivial
    assert "around their middle" in name and metrics["outline_area"] > 50
    items = [Item({"source": LINE, "target": "1 2 4 5 1"})]
    task = trained.predictor.task
    assert task.reference(items[0]) == f"{LINE} output 1 2 4 5 1"
