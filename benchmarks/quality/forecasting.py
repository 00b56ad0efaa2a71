"""Train forecasts for some normalised minutes, and report their errors on what was held out.

    python benchmarks/quality/forecasting.py forecast/direct [key=value ...] --data ett --horizon 96 --output DIR
    python benchmarks/quality/forecasting.py forecast/series [key=value ...] --data passengers --seeds 5 --output DIR
    python benchmarks/quality/forecasting.py forecast/series [key=value ...] --data small --output DIR

Reads folders of the one ANYSEQ_DATA names; without it, says so and ends. `ett`: ETTh1, hours [0, 8640) train, the next
2,880 dev, the next 2,880 test; scaled by train; all seven variables, every window, look-back 336. `passengers`: trained
on 1949 to 1958 (with what chooses checkpoints among them), six months ahead rolling from 1959-01, the last month of
each, year and month known: MAPE. `small`: the six classic series, of each the first four sixths train, the fifth dev,
the last test: errors, and how many values are within the 80 % intervals.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from timed import arguments, data_folder, train_and_judge

from anyseq.api import Predictor
from anyseq.core import Item
from anyseq.data.series import Layout, Series, read_series
from anyseq.metrics.forecasts import mape
from anyseq.tasks.forecast.task import Forecast

ETT_ROWS = (8640, 2880, 2880)
BEFORE_1959 = 120
AHEAD = 6
# Look-back, horizon, and the season where it is not the usual one.
SMALL: dict[str, dict[str, Any]] = {
    "monthly-airline-passengers": {"data.look_back": 24, "data.horizon": 6},
    "monthly-mean-temp": {"data.look_back": 36, "data.horizon": 12},
    "monthly-sunspots": {"data.look_back": 132, "data.horizon": 12},
    "daily-min-temperatures": {"data.look_back": 56, "data.horizon": 7, "data.gaps": "fill"},
    "daily-total-female-births": {"data.look_back": 28, "data.horizon": 7},
    "taylor_electricity_demand": {
        "data.look_back": 336, "data.horizon": 48, "codec.target.season": 336, "model.normalise": "last",
        "model.encoder": {"kind": "segments", "length": 24, "dim": 64, "encoder": {
            "kind": "rnn", "embed_dim": 0, "hidden_dim": 64, "bidirectional": False, "dropout": 0.0}},
        "model.decoder.segment": 24,
    },
}  # fmt: skip


def series_of(path: Path) -> Series:
    (series,) = read_series(path, Layout(fill=True))
    return series


def cut(series: Series, rows: int) -> Series:
    return replace(series, values=series.values[:rows])


def windows(task: Any, series: Series, first: int, last: int) -> list[Item]:
    """The windows whose targets lie in these rows, each variable apart where the model has it so."""
    assert isinstance(task, Forecast)
    return task.items([(series, first, last)], 1)


def figures(predictor: Predictor, items: Sequence[Item]) -> dict[str, Any]:
    found = predictor.evaluate(items, [[""]] * len(items)).metrics
    task: Any = predictor.task
    naive = task.trivial([], items)
    return {"windows": len(items), **found, "seasonal naive": dict(naive.metrics)}


def ett(given: argparse.Namespace) -> None:
    series = series_of(data_folder("ett") / "ETTh1.csv.gz")
    first, last = sum(ETT_ROWS[:2]), sum(ETT_ROWS)

    def judge(predictor: Predictor) -> Mapping[str, Any]:
        return {"test": figures(predictor, windows(predictor.task, series, first, last))}

    settings = {"data.train": data_folder("ett") / "ETTh1.csv.gz", "data.split": [*ETT_ROWS[:2], 0],
        "data.look_back": 336, "data.horizon": given.horizon, "training.max_steps": None}  # fmt: skip
    train_and_judge(given, settings, judge)


def passengers(given: argparse.Namespace) -> None:
    path, base = data_folder("series") / "monthly-airline-passengers.csv", given.output
    series, found = series_of(path), []
    base.mkdir(parents=True, exist_ok=True)
    known = base / "until-1958.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    known.write_text("\n".join(lines[: BEFORE_1959 + 1]), encoding="utf-8")
    calendar = {"codec.target.calendar": ["year", "month"], "data.look_back": 14, "data.horizon": AHEAD}
    # To choose settings: the last three of these years are dev, and what stands after them is not looked at.
    split = {"data.split": [BEFORE_1959 - 36, 36, 0]}
    if not given.dev_only:
        split = {"data.dev": known, "data.split": [BEFORE_1959, 0, 0]}

    def judge(predictor: Predictor) -> Mapping[str, Any]:
        task: Any = predictor.task
        items = windows(task, series, BEFORE_1959, len(series))
        said = task.forecasts(items, predictor.settings()).values
        units = np.array([task.codec.decode(own, item)[-1, 0] for own, item in zip(said, items, strict=True)])
        came = np.array([item.raw["target"].values[-1, 0] for item in items])
        found.append(mape(units, came))
        return {"last month": {"windows": len(items), "mape": found[-1]}}

    words = list(given.words)
    for seed in range(1, given.seeds + 1):
        given.output, given.words = base / f"seed{seed}", [*words, f"training.seed={seed}"]
        train_and_judge(given, {"data.train": known, **calendar, **split}, judge)
    if found:
        print(json.dumps({"mape of the last month": found, "mean": float(np.mean(found))}, indent=1))


def small(given: argparse.Namespace) -> None:
    base, words, found = given.output, list(given.words), {}
    for name, settings in SMALL.items():
        if given.only and name not in given.only:
            continue
        path = data_folder("series") / f"{name}.csv"
        series = series_of(path)
        rows = [len(series) * 4 // 6, len(series) // 6]

        def judge(predictor: Predictor, series: Series = series, first: int = sum(rows)) -> Mapping[str, Any]:
            return {"test": figures(predictor, windows(predictor.task, series, first, len(series)))}

        given.output, given.words = base / name, words
        train_and_judge(given, {"data.train": path, "data.split": [*rows, 0], **settings}, judge)
        written = json.loads((given.output / "figures.json").read_text(encoding="utf-8"))
        found[name] = written["dev" if given.dev_only else "test"]
    held = {name: each.get("coverage", each.get("coverage_fitted", 0.0)) for name, each in found.items()}
    for name, each in found.items():
        naive = each.get("seasonal naive", {})
        print(f"{name:<28} coverage {held[name]:.1f}  mase {each['mase']:.3f} ({naive.get('mase', 0):.3f})")
    print(f"{'mean':<28} coverage {np.mean(list(held.values())):.1f}")


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--data", choices=("ett", "passengers", "small"), required=True)
    parser.add_argument("--horizon", type=int, default=96, help="of ett: hours ahead")
    parser.add_argument("--seeds", type=int, default=5, help="of passengers: runs, whose figures are averaged")
    parser.add_argument("--only", nargs="*", help="of small: some of the series")
    given = parser.parse_args()
    {"ett": ett, "passengers": passengers, "small": small}[given.data](given)
