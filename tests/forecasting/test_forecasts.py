"""Forecasts end to end: figures by hand, tables in and out, intervals, what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib import rc_context

import anyseq
from anyseq import api
from anyseq.config import load_recipe
from anyseq.core import Item
from anyseq.data.batching import pack
from anyseq.data.series import Series, Stretch
from anyseq.data.synthetic.seasons import SeasonsConfig
from anyseq.errors import DataError, UsageError
from anyseq.metrics.forecasts import coverage, mae, mape, mase, mse, quantile_loss
from anyseq.tasks.forecast.task import Forecast
from tiny_runs import main, write

SMALL = {
    "model.encoder.embed_dim": 8, "model.encoder.hidden_dim": 12, "model.decoder.embed_dim": 8,
    "model.decoder.hidden_dim": 12, "training.max_steps": 60, "training.validate_every": 30, "training.warmup_steps": 5,
    "training.learning_rate": 0.01, "data.look_back": 12, "data.horizon": 4,
}  # fmt: skip


def sales(path: Path, rows: int = 120, variables: int = 1, ahead: int = 0) -> Path:
    """A file of sales; so many of its last rows have the known column alone."""
    series = SeasonsConfig(rows=rows, variables=variables).series()
    assert series.known is not None
    lines = [",".join(("month", *series.names, "cut"))]
    for row in range(rows):
        values = series.values[row].tolist() if row < rows - ahead else [""] * variables
        lines.append(",".join(map(str, (series.show(row), *values, series.known[row, 0]))))
    return write(path, *lines)


def train(folder: Path, recipe: str, changes: Mapping[str, Any]) -> api.Trained:
    return anyseq.train(recipe, folder / "model", device="cpu", threads=1, overrides={**SMALL, **changes})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> api.Trained:
    folder = tmp_path_factory.mktemp("forecast")
    data = {"data.train": str(sales(folder / "sales.csv")), "data.known": ["cut"]}
    return train(folder, "forecast/series", data)


def test_figures_by_hand() -> None:
    said, came = np.array([[1.0, 3.0], [2.0, 6.0]]), np.array([[2.0, 3.0], [4.0, 5.0]])
    assert mse(said, came) == pytest.approx((1 + 0 + 4 + 1) / 4)
    assert mae(said, came) == pytest.approx((1 + 0 + 2 + 1) / 4)
    assert mape(said, came) == pytest.approx(100 * (1 / 2 + 0 + 2 / 4 + 1 / 5) / 4)
    assert mape(said, came * 0) is None
    assert mase(said, came, np.array([0.5, 2.0])) == pytest.approx((2 + 0 + 4 + 0.5) / 4)
    assert mase(said, came, np.array([0.5, 0.0])) == pytest.approx((2 + 4) / 2)
    assert mase(said, came, np.zeros(2)) is None
    assert coverage(said - 0.5, said + 1, came) == pytest.approx(100 * 2 / 4)
    # Below by 1 and 2: .9 of it; above by 1: .1 of it; twice the mean.
    assert quantile_loss(said, came, 0.9) == pytest.approx(2 * (0.9 + 0 + 1.8 + 0.1) / 4)
    assert quantile_loss(said, came, 0.5) == pytest.approx(mae(said, came))


def test_the_lecture_s_model_has_its_parameters() -> None:
    """4,001 with the means and deviations of the batch normalisation, 3,961 of them trained, whatever the horizon."""
    task: Any = load_recipe("forecast/repeat_vector").build()
    task.fit_codecs(task.read().train)
    task.build_model()
    trained = sum(each.numel() for each in task.model.parameters())
    kept = sum(each.numel() for name, each in task.model.named_buffers() if "running" in name)
    assert (trained, trained + kept) == (3961, 4001)
    assert type(task.model.decoder.decoder.norm).__name__ == "BatchNorm"


def test_windows_are_split_by_time() -> None:
    """Those of dev and test look back into the rows before; no target is in two parts."""
    rows = np.arange(40.0)[:, None]
    changes = {"data.train": [Series(("a",), rows)], "data.look_back": 5, "data.horizon": 3, "data.split": [20, 8, 10]}
    task: Any = load_recipe("forecast/series", {**changes, "data.stride": 2}).build()
    splits, test = task.read(), task.read_test()
    targets = [[item.raw["target"].values[:, 0].tolist() for item in part] for part in (splits.train, splits.dev, test)]
    assert [len(part) for part in targets] == [13, 3, 4]
    assert targets[0][0] == [5, 6, 7] and targets[0][-1] == [17, 18, 19]
    assert targets[1] == [[20, 21, 22], [22, 23, 24], [24, 25, 26]] and targets[2][0] == [28, 29, 30]
    assert splits.dev[0].raw["source"].values[:, 0].tolist() == [15, 16, 17, 18, 19]
    task.fit_codecs(splits.train)
    np.testing.assert_allclose(task.codec.measured.mean, [9.5])


def test_measure_and_the_trivial_answer_by_hand() -> None:
    """A model that is asked for nothing: its figures from forecasts that are put in its place."""
    values = np.array([0.0, 2, 1, 3, 2, 4, 3, 5, 4, 6])[:, None]
    changes = {"data.train": [Series(("a",), values)], "data.look_back": 2, "data.horizon": 2,
        "data.split": [6, 2, 2], "codec.target.season": 2}  # fmt: skip
    task: Any = load_recipe("forecast/series", changes).build()
    items = task.read_test()
    task.fit_codecs(task.read().train)
    deviation = values[:6].std()
    assert task.codec.naive == pytest.approx([1], rel=1e-5)
    found = task.trivial([], items)  # 3, 5 for 4, 6
    assert found.name == "seasonal naive, season of 2 rows"
    assert found.metrics["mse"] == pytest.approx(1 / deviation**2, rel=1e-5)
    assert found.metrics["mae"] == pytest.approx(1 / deviation, rel=1e-5)
    assert found.metrics["mase"] == pytest.approx(1, rel=1e-5)
    assert found.metrics["mape"] == pytest.approx(100 * (1 / 4 + 1 / 6) / 2, rel=1e-5)


def test_a_forecast_is_a_table(trained: api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, out = sales(tmp_path / "new.csv", ahead=4), tmp_path / "out.csv"
    picture, words = tmp_path / "out.png", ["predict", str(trained.folder), "--input", str(given)]
    assert main([*words, "--output", str(out), "--plot", str(picture)]) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["date"] for row in rows] == ["2004-09", "2004-10", "2004-11", "2004-12"]
    assert {row["variable"] for row in rows} == {"sales"} and list(rows[0]) == list(Forecast.tables)
    assert all(float(row["lower"]) < float(row["value"]) < float(row["upper"]) for row in rows)
    assert picture.stat().st_size > 5000
    assert main([*words, "--format", "jsonl"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["value"] for each in objects] == [float(row["value"]) for row in rows]
    (found,) = trained.predictor.predict(str(given))
    assert found.output.splitlines()[0].split(",") == list(rows[0].values())
    with rc_context({"svg.fonttype": "none"}):  # words stay words
        assert main([*words, "--samples", "3", "--plot", str(tmp_path / "three.svg")]) == 0
    drawn = (tmp_path / "three.svg").read_text()
    assert ">samples<" in drawn and "interval" not in drawn
    lines = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert len(lines) == 12 and [line["sample"] for line in lines[::4]] == ["1", "2", "3"]
    assert len({line["value"] for line in lines}) == 12 and {line["lower"] for line in lines} == {""}


def test_a_file_is_evaluated_and_scored_by_its_windows(
    trained: api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, figures = sales(tmp_path / "all.csv"), tmp_path / "f.json"
    assert main(["evaluate", str(trained.folder), "--data", str(given), "--json", str(figures)]) == 0
    found = json.loads(figures.read_text())
    assert found["count"] == 105
    assert set(found["metrics"]) == {"loss", "mse", "mae", "mape", "mase", "coverage", "quantile_loss"}
    capsys.readouterr()
    assert main(["score", str(trained.folder), "--data", str(given)]) == 0
    scored = [float(line.split("\t")[0]) for line in capsys.readouterr().out.splitlines()]
    assert len(scored) == 105 and -sum(scored) / 105 / 4 == pytest.approx(found["metrics"]["loss"], rel=1e-5)
    (tmp_path / "ahead").mkdir()
    ahead, vectors = sales(tmp_path / "ahead" / "s.csv", ahead=4), tmp_path / "v.npy"
    assert main(["embed", str(trained.folder), "--input", str(ahead), "--output", str(vectors)]) == 0
    assert np.load(vectors).shape == (1, 12)


def test_the_figure_that_decides_is_one_of_forecasts(trained: api.Trained) -> None:
    assert trained.trivial is not None and trained.trivial[0] == "seasonal naive, season of 12 rows"
    events = [json.loads(line) for line in (trained.folder / "metrics.jsonl").read_text().splitlines()]
    validations = [event for event in events if event["kind"] == "validation"]
    best = min(validations, key=lambda event: event["quantile_loss"])
    assert best["best"] and (trained.folder / "best").read_text().strip() == f"step_{best['step']}"


def test_a_loaded_model_says_the_same(trained: api.Trained, tmp_path: Path) -> None:
    given = str(sales(tmp_path / "new.csv", ahead=4))
    (loaded,), (own,) = anyseq.load(trained.folder).predict(given), trained.predictor.predict(given)
    assert loaded.output == own.output


@pytest.mark.parametrize("variable", [None, 1])
def test_several_variables(variable: int | None, tmp_path: Path) -> None:
    """Together, fed back and with intervals from samples; or each an item of its own, cut into segments."""
    changes: dict[str, Any] = {"data.train": str(sales(tmp_path / "s.csv", variables=2)), "data.known": ["cut"]}
    if variable is None:
        run = train(tmp_path, "forecast/autoregressive", {**changes, "interval.samples": 20, "training.max_steps": 20})
    else:
        inner = {"kind": "rnn", "embed_dim": 0, "hidden_dim": 12, "bidirectional": False}
        encoder = {"kind": "segments", "length": 6, "dim": 8, "encoder": inner}
        segments = {"model.encoder": encoder, "model.decoder.segment": 2}
        own = {name: value for name, value in SMALL.items() if not name.startswith("model.encoder")}
        run = anyseq.train(
            "forecast/direct", tmp_path / "model", device="cpu", threads=1,
            overrides={**own, **changes, **segments, "training.max_steps": 20},
        )  # fmt: skip
    items = run.predictor.task.sources(str(sales(tmp_path / "n.csv", variables=2, ahead=4)))
    assert [item.raw["source"].variable for item in items] == ([None] if variable is None else [0, 1])
    found = list(run.predictor.predict_items(items, 2))
    rows = [row for each in found for row in csv.reader(each.output.splitlines())]
    assert {row[1] for row in rows} == {"sales1", "sales2"} and len(rows) == 8
    assert all(float(row[3]) < float(row[4]) for row in rows)
    assert run.test is not None and 0 < run.test.metrics["coverage"] <= 100


def test_intervals_of_samples_are_those_of_the_distribution() -> None:
    """One row ahead a model that feeds back has the quantiles of its emission."""
    config = load_recipe("forecast/autoregressive", {**SMALL, "data.horizon": 1, "interval.samples": 4000})
    torch.manual_seed(1)
    task: Any = config.build()
    splits = task.read()
    task.fit_codecs(splits.train)
    task.build_model()
    items = splits.dev[:2]
    said = task.forecasts(items, config.search)
    memory = task.model.encode(task.batch(items, [task.encode_source(item).fields for item in items]))
    decoder = task.model.decoder
    emission, _ = decoder.step(memory, decoder.start(memory), torch.zeros(2, 1))
    for ends, share in ((said.lower, 0.1), (said.upper, 0.9)):
        torch.testing.assert_close(ends[:, 0], emission.quantile(share), rtol=0, atol=0.12)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"data.look_back": 300}, r"train: 252 rows hold no window of data\.look_back=300 and data\.horizon=12 rows"),
        ({"data.split": [300, 40, 40]}, "asks for 380 rows, there are 360"),
        ({"data.split": [0.9, 0.2, 0.1]}, r"^argument: data\.split=.*together: give at most 1"),
        ({"data.split": [0.9]}, r"data\.split=.*: should have 3 values, not"),
        ({"data.split": [0.7, 0.1, 0.1, 0.1]}, r"data\.split=.*: should have at most 3 values, not"),
        ({"data.variables": ["sales", "cut"], "data.known": ["cut"]}, "cut: in data.variables, too"),
        ({"data.generator": {"kind": "dates"}}, "makes no series"),
        ({"model.decoder": {"kind": "label"}}, "emits symbols"),
        ({"model.decoder.kind": "rnn", "model.decoder.emission": None}, "say what each value's distribution is"),
        ({"model.affine": True, "model.normalise": "none"}, "set model.normalise=mean"),
        ({"model.affine": True, "model.normalise": "last"}, "set model.normalise=mean"),
        ({"search.beam_size": 3}, "no beam of them"),
        ({"training.metric": "bleu"}, "it has loss, mse"),
        ({"codec.target": {"kind": "words"}}, "series are read by kind=series"),
        ({"model.decoder.emission.levels": [0.9, 0.1]}, "levels rise"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=told):
        anyseq.train("forecast/series", tmp_path / "model", device="cpu", overrides=changes)


def test_series_are_given_as_files_everywhere(
    trained: api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, given = str(trained.folder), str(sales(tmp_path / "new.csv", ahead=4))
    assert main(["inspect", model, "--input", given, "--output", str(tmp_path / "seen"), "--views", "about"]) == 0
    assert main(["embed", model, "--input", given, "--nearest", "1"]) == 2
    assert "--nearest compares sources" in capsys.readouterr().err
    assert main(["predict", model, model, "--input", given]) == 2
    assert "models of series are no ensemble" in capsys.readouterr().err


def test_models_that_look_back_at_others_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each reads as many rows as it has learnt to, of whatever windows the first has cut."""
    data, later, out = sales(tmp_path / "new.csv"), tmp_path / "later.csv", tmp_path / "figures.json"
    few = {"data.train": str(data), "training.max_steps": 2}
    near, far, long = (
        str(train(tmp_path / name, "forecast/series", {**few, **each}).folder)
        for name, each in {"near": {"data.look_back": 6}, "far": {}, "long": {"data.horizon": 5}}.items()
    )
    header, *rows = data.read_text().splitlines()
    write(later, header, *rows[6:])  # without what only the far one looks back at

    def judged(*words: str) -> dict[str, Any]:
        assert main(["evaluate", *words, "--json", str(out)]) == 0
        return dict(json.loads(out.read_text()))

    together = judged(far, near, "--paired", "--data", str(data))["systems"][1]["metrics"]
    assert together == pytest.approx(judged(near, "--data", str(later))["metrics"], rel=1e-4)
    assert main(["evaluate", near, far, "--paired", "--data", str(data)]) == 2
    assert "name the model that looks back furthest first" in capsys.readouterr().err
    assert main(["evaluate", far, long, "--paired", "--data", str(data)]) == 2
    assert "and this model gives 5" in capsys.readouterr().err


def test_sources_that_cannot_be(trained: api.Trained, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"short\.csv: 9 rows are given, the model looks back at 12"):
        trained.predictor.predict(str(sales(tmp_path / "short.csv", rows=60, ahead=51)))
    with pytest.raises(DataError, match="cut must be known in advance"):
        trained.predictor.predict(str(sales(tmp_path / "all.csv")))
    with pytest.raises(DataError, match="no column 'sales'"):
        trained.predictor.predict(str(write(tmp_path / "x.csv", "month,other", "2024-01,1", "2024-02,2")))


def test_check_says_what_the_series_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "flat.csv", "day,a,b", *(f"2024-01-{day:02},{day},5" for day in range(1, 32)))
    words = [f"data.train={path}", "data.look_back=3", "data.horizon=2"]
    assert main(["check", "forecast/series", *words]) == 0
    told = capsys.readouterr().out
    assert "31 rows, every day, 2024-01-01 to 2024-01-31, of a, b" in told and "b never changes" in told
    assert "shorter than a season (7 rows)" in told and "train: 18 windows" in told


def test_what_was_filled_in_is_no_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    days = [f"2024-{month:02}-{day:02},{day}" for month in (1, 2) for day in range(1, 29) if (month, day) != (1, 10)]
    path, words = write(tmp_path / "a.csv", "day,a", *days), ["data.look_back=3", "data.horizon=2", "data.gaps=fill"]
    assert main(["check", "forecast/series", f"data.train={path}", *words]) == 0
    told = capsys.readouterr().out
    # 59 rows with the three days that January has more, 41 of train: 37 windows, two of whose hold the 10th, and four
    # what lacks of the 29th to the 31st.
    assert "train: 6 of 37 windows are left out, for what they are to give" in told and "train: 31 windows" in told
    task: Any = load_recipe("forecast/series", ["data.train=" + str(path), *words]).build()
    splits = task.read()
    assert len(splits.train) == 31 and len(splits.left_out) == 6
    assert splits.left_out[0] == (f"{path}: a, 2024-01-09 to 2024-01-10", "values were filled in")
    sources = [item.raw["source"].values[:, 0].tolist() for item in splits.train]
    assert [8, 9, 9] in sources  # to look back at them is another thing
    apart = load_recipe("forecast/series", [f"data.train={path}", *words, "data.horizon=45"]).build()
    with pytest.raises(DataError, match="hold no window"):
        apart.read()


@pytest.mark.parametrize("recipe", ["forecast/direct", "forecast/series", "autoencode/series"])
def test_windows_share_their_rows(recipe: str) -> None:
    """Batches of them are what encoding each would give."""
    series = [SeasonsConfig(rows=rows, variables=2, seed=rows).series() for rows in (200, 300)]
    changes = {"data.train": series, "data.look_back": 24, "data.split": [0.6, 0.4, 0]}
    task: Any = load_recipe(recipe, {**changes, **({} if "auto" in recipe else {"data.horizon": 6})}).build()
    splits = task.read()
    task.fit_codecs(splits.train)
    packed = task.select(splits).encoded
    expected = pack(map(task.encode, splits.train))
    rows = torch.randperm(len(splits.train))[:50]
    assert list(packed) == list(expected)
    for name, field in expected.items():
        torch.testing.assert_close(packed[name].rows(rows).values, field.rows(rows).values, rtol=0, atol=0)
        assert torch.equal(packed[name].lengths, field.lengths)
    assert packed["source"].values.numel() < expected["source"].values.numel() / 10


def test_series_without_a_window_are_named(tmp_path: Path) -> None:
    long = sales(tmp_path / "long.csv")
    short = write(tmp_path / "short.csv", *long.read_text().splitlines()[:15])
    changes = {"data.train": [str(long), str(short)], "data.known": ["cut"], "data.look_back": 12, "data.horizon": 4}
    task: Any = load_recipe("forecast/series", changes).build()
    splits = task.read()
    assert splits.left_out == [(str(short), "10 rows hold no window of data.look_back=12 and data.horizon=4 rows")]
    told = [str(finding) for finding in task.examine(splits, []) if finding.severity == "warning"]
    assert len(told) == 2 and "train: too short for a window of" in told[0] and f"{short} (10 rows)" in told[0]


def test_a_figure_that_cannot_be_found_decides_nothing(tmp_path: Path) -> None:
    """And that is told before training."""
    values = {"mape": [float(row % 7) for row in range(120)], "mase": [5.0] * 120}
    for metric, told in (("mape", "and some of that is 0"), ("mase", "train holds no two rows that are 7 rows apart")):
        changes = {"data.train": values[metric], "training.metric": metric, "codec.target.season": 7}
        with pytest.raises(UsageError, match=f"training.metric={metric} cannot be found of dev: .*{told}"):
            train(tmp_path, "forecast/series", changes)
    assert not (tmp_path / "model").exists()


def test_mase_of_logarithms_is_of_the_values() -> None:
    values = np.array([1.0, 2, 4, 2, 4, 2, 4, 8, 4, 8])[:, None]
    changes = {"data.train": [Series(("a",), values)], "data.look_back": 2, "data.horizon": 2,
        "data.split": [6, 2, 2], "codec.target.season": 1, "codec.target.log": True}  # fmt: skip
    task: Any = load_recipe("forecast/series", changes).build()
    task.fit_codecs(task.read().train)
    assert task.codec.naive == pytest.approx([9 / 5], rel=1e-5)
    found = task.trivial([], task.read_test())  # 8, 8 for 4, 8
    assert found.metrics["mase"] == pytest.approx(2 / 1.8, rel=1e-5)


def test_training_goes_on_without_what_was_settled(trained: api.Trained) -> None:
    task: Any = load_recipe(trained.folder / "config.yaml").build()
    task.load_codecs(trained.folder / "codecs")
    assert task._factor == 1.0
    task.load_settled(trained.folder / "codecs")
    assert task._factor != 1.0


def test_intervals_that_are_no_longer_fitted_are_the_models_own(tmp_path: Path) -> None:
    """A run may go on with another setting; what an earlier end has left does not count any more."""
    task: Any = load_recipe("forecast/series", {"interval.calibrate": False}).build()
    (tmp_path / "interval.json").write_text('{"factor": 3.0}', encoding="utf-8")
    assert task.settle([], tmp_path) == []
    task.load_settled(tmp_path)
    assert task._factor == 1.0


def test_a_stretch_says_which_it_is() -> None:
    """So that a run knows whether its data have changed."""
    one, two = (SeasonsConfig(rows=60, seed=seed).series() for seed in (1, 2))
    assert repr(Stretch(one, 0, 5)) == repr(Stretch(SeasonsConfig(rows=60).series(), 0, 5))
    assert len({repr(Stretch(series, 0, last)) for series in (one, two) for last in (5, 6)}) == 4
    assert Item({"source": Stretch(one, 0, 5)}).raw["source"].shape == (5, 1)


def test_intervals_are_brought_to_dev(trained: api.Trained) -> None:
    """By one factor, which stays with the model, and is the less the fewer windows there are."""
    task: Any = trained.predictor.task
    assert "coverage_fitted" in trained.dev.metrics
    assert trained.test is not None and "coverage" in trained.test.metrics
    loaded: Any = anyseq.load(trained.folder).task
    assert loaded._factor == task._factor != 1.0
    items = task.read().dev
    assert "coverage_fitted" in loaded.measure(items, task.config.search), "also of a model that was loaded"
    assert "coverage" in loaded.measure(task.read_test(), task.config.search)
    said = task.forecasts(items, task.config.search)
    task._factor, factor = 1.0, task._factor
    own, actual = task.forecasts(items, task.config.search), task.actual(items)
    full = factor ** ((18 / 4 + 8) / (18 / 4))  # dev has 18 rows
    lower, upper = (own.values + full * (end - own.values) for end in (own.lower, own.upper))
    assert coverage(lower.numpy(), upper.numpy(), actual) == pytest.approx(80, abs=3)
    task._factor = factor
    torch.testing.assert_close(said.upper - said.values, factor * (own.upper - own.values), rtol=1e-4, atol=1e-5)


def test_check_refuses_a_figure_that_dev_does_not_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.csv", "a", *(str(row % 7) for row in range(120)))
    words = [f"data.train={path}", "data.look_back=12", "data.horizon=4", "training.metric=mape"]
    assert main(["check", "forecast/series", *words]) == 2
    assert "training.metric=mape cannot be found of dev" in capsys.readouterr().err
