"""Windows of a series through one vector and back: scores of what is odd."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyseq
from anyseq import api
from anyseq.config import load_recipe
from anyseq.data.series import Series
from anyseq.data.synthetic.seasons import SeasonsConfig
from anyseq.metrics.anomalies import auc
from tiny_runs import main, write

SMALL = {
    "model.encoder.encoder.hidden_dim": 16, "model.encoder.encoder.embed_dim": 8, "model.decoder.hidden_dim": 24,
    "training.max_steps": 250, "training.validate_every": 125, "training.warmup_steps": 20, "training.average": 0.9,
    "training.learning_rate": 0.01,
}  # fmt: skip


def hours(path: Path, spike: int | None = None) -> Path:
    series = SeasonsConfig(every="hour", rows=960, cuts=False, noise=0.01).series()
    values = series.values[:, 0].copy()
    if spike is not None:
        values[spike] *= 1.4
    lines = [f"{series.show(row)},{value}" for row, value in enumerate(values.tolist())]
    return write(path, "date,sales", *lines)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> api.Trained:
    folder = tmp_path_factory.mktemp("odd")
    changes = {**SMALL, "data.train": str(hours(folder / "train.csv")), "data.stride": 24}
    return anyseq.train("autoencode/series", folder / "model", device="cpu", threads=1, overrides=changes)


def test_auc_by_hand() -> None:
    assert auc(np.array([1.0, 2, 3]), np.array([2.0, 4])) == pytest.approx((1.5 + 3) / 6)
    assert auc(np.array([1.0]), np.array([1.0])) == 0.5


def test_what_is_planted_is_found(trained: api.Trained) -> None:
    assert trained.test is not None and trained.trivial is not None
    figures = trained.test.metrics
    assert {"mse", "mae", "auc_spike", "auc_shift", "auc_phase"} <= set(figures)
    assert figures["auc_shift"] > 0.9 and figures["auc_phase"] > 0.95
    assert "24 rows before" in trained.trivial[0] and set(trained.trivial[1]) >= {"mse", "auc_spike"}


def test_windows_without_a_season_before_or_another_phase() -> None:
    values = SeasonsConfig(every="hour", rows=400, cuts=False).series().values
    train, dev = Series(("a",), values[:300]), Series(("a",), values[300:330])
    changes = {"data.train": [train], "data.dev": [dev], "data.test": [dev], "data.look_back": 24}
    task: Any = load_recipe("autoencode/series", {**changes, "codec.target.season": 24}).build()
    splits = task.read()
    task.fit_codecs(splits.train)
    assert len(splits.dev) == 7 and task.trivial([], splits.dev) is None
    assert "12 rows before it" in task.undefined(splits.dev)["auc_phase"]
    some = splits.train[:30]
    found = task.trivial([], some)
    assert found is not None and set(found.metrics) == set(task.figures) and not task.undefined(some)
    assert [(task._other_phase(item.raw["source"]).first - item.raw["source"].first) for item in some] == (
        [12] * 12 + [-12] * 18
    )
    task.build_model()
    assert set(task.measure(splits.dev, task.config.search)) == set(task.figures) - {"auc_phase"}


def test_an_anomaly_has_the_size_and_place_it_is_said_to(trained: api.Trained) -> None:
    task: Any = trained.predictor.task
    item = task.read().dev[0]
    fields = task.encode_source(item).fields
    size = 2 * task.codec.residual[0]
    off = {kind: (task._planted(item, fields, kind)["source"] - fields["source"])[:, 0] for kind in ("spike", "shift")}
    assert off["spike"].count_nonzero() == 1 and off["spike"].abs().max().item() == pytest.approx(size, rel=1e-4)
    first = int(off["shift"].nonzero()[0])
    assert 6 <= first <= 18 and off["shift"][first:].abs().min().item() == pytest.approx(size, rel=1e-3)


def test_the_oddest_window_and_its_oddest_row(
    trained: api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = hours(tmp_path / "new.csv", spike=500)
    assert main(["predict", str(trained.folder), "--input", str(given)]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert len(rows) == 40 and rows[0]["first"] == "2024-01-01 00:00" and rows[0]["last"] == "2024-01-01 23:00"
    odd = max(rows, key=lambda row: float(row["score"]))
    assert odd["worst"] == "2024-01-21 20:00" and odd["first"] == "2024-01-21 00:00"
    assert main(["embed", str(trained.folder), "--input", str(given), "--output", str(tmp_path / "v.npy")]) == 0
    assert np.load(tmp_path / "v.npy").shape == (40, 8)
    assert main(["embed", str(trained.folder), "--input", str(given), "--nearest", "1"]) == 0
    assert "2024-01-01 00:00 to 2024-01-01 23:00" in capsys.readouterr().out
