"""Tours seen from several sides, begun everywhere, and the shortest of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

import anyseq
from anyseq.api import Predictor
from anyseq.config import load_recipe
from anyseq.core import Hypotheses, Item, Padded
from anyseq.core.pointed import pointers_of
from anyseq.data.codecs.measured import Measured
from anyseq.errors import ConfigError, UsageError
from anyseq.metrics.pointing import PointersRight, TourGap, TourLength
from anyseq.search.settings import SearchConfig
from anyseq.tasks.choosing import Alternative, DecodingConfig
from anyseq.tasks.point.choosers import Shortest
from anyseq.tasks.point.sides import from_sides, together
from anyseq.tasks.reranking import Reranking
from anyseq.tasks.rewards import TaskRollouts

MEASURED = Measured(torch.tensor([0.4, 0.6]), torch.tensor([0.2, 0.5]))


def test_distances_are_those_of_the_points_from_every_side() -> None:
    points = torch.rand(3, 5, 2, generator=torch.Generator().manual_seed(1))
    scaled = Padded(MEASURED.scaled(points), torch.arange(5) < torch.tensor([[5], [3], [4]]))
    seen = from_sides(scaled, MEASURED, 8)
    apart = torch.cdist(MEASURED.original(seen.values), MEASURED.original(seen.values)).view(3, 8, 5, 5)
    torch.testing.assert_close(apart, torch.cdist(points, points)[:, None].expand_as(apart), atol=1e-4, rtol=0)
    assert torch.equal(seen.values.view(3, 8, 5, 2)[:, 0], scaled.values)
    assert torch.equal(seen.valid.view(3, 8, 5), scaled.valid[:, None].expand(-1, 8, -1))
    distinct = {tuple(side.flatten().tolist()) for side in seen.values.view(3, 8, 5, 2)[0]}
    assert len(distinct) == 8


def test_hypotheses_of_all_sides_stand_behind_each_other_real_ones_first() -> None:
    values = torch.arange(4 * 2 * 1).view(4, 2, 1)
    table = torch.arange(8).view(4, 2)
    found = together(Hypotheses(values, table, table + 0.0, -table - 0.0, table * 0, torch.tensor([2, 1, 1, 2])), 2)
    assert found.count.tolist() == [3, 3]
    assert found.values[:, :, 0].tolist() == [[0, 1, 2, 3], [4, 6, 7, 5]]
    assert found.lengths.tolist() == found.values[:, :, 0].tolist()


def test_the_shortest_round_trip_is_worth_most_and_one_that_is_none_nothing() -> None:
    square = Item({"source": np.array([[0.0, 0], [0, 1], [1, 1], [1, 0]])})
    texts = ["1 3 2 4 1", "1 2 3 4 1", "1 2 3 1"]
    found = [Alternative(text, 0.0, 0.0, "end") for text in texts]
    crossing, around, short = Shortest(2).values([square], [found], SearchConfig())[0]
    assert (crossing, around, short) == (pytest.approx(-2 - 2 * 2**0.5), pytest.approx(-4), -np.inf)


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("routes") / "model"
    sizes = {"train": 400, "dev": 20, "test": 20, "least": 5, "most": 6, "endless": True}
    anyseq.train(
        "point/routes", folder, threads=1,
        overrides={
            **{f"data.generator.{key}": value for key, value in sizes.items()}, "objective.samples": 5,
            "training.max_minutes": None, "training.max_steps": 60, "training.validate_every": 60,
            "training.warmup_steps": 5, "training.batch_tokens": 200, "model.encoder.num_layers": 1,
        },
    )  # fmt: skip
    return folder


def test_tours_are_learnt_from_their_lengths_alone_and_several_looks_find_shorter_ones(routes: Path) -> None:
    model = anyseq.load(routes, threads=1)
    points = np.random.default_rng(3).random((40, 6, 2))

    def mean_length(**search: Any) -> float:
        tours = [np.array(pointers_of(each.output)) - 1 for each in model.predict(list(points), **search)]
        assert all(sorted(tour[:-1]) == list(range(6)) and tour[0] == tour[-1] for tour in tours)
        walked = (own[tour] for own, tour in zip(points, tours, strict=True))
        return float(np.mean([np.linalg.norm(np.diff(each, axis=0), axis=1).sum() for each in walked]))

    once, sides = mean_length(), mean_length(shortest=True, symmetries=8)
    starts = mean_length(samples=6, spread=True, temperature=1e-6, shortest=True)
    as_they_stand = np.linalg.norm(np.diff(np.concatenate([points, points[:, :1]], 1), axis=1), axis=-1).sum(1).mean()
    assert once < 0.9 * as_they_stand
    assert sides < once and starts < once


def test_outputs_are_as_long_as_they_should_be(routes: Path) -> None:
    told = [line for line in (routes / "metrics.jsonl").read_text().splitlines() if "length_ratio" in line]
    assert told and all('"length_ratio": 1.0' in json.dumps(json.loads(line)) for line in told)


def test_samples_that_are_spread_begin_with_each_city_once(routes: Path) -> None:
    model = anyseq.load(routes, threads=1)
    (drawn,) = model.predict([np.random.default_rng(4).random((5, 2))], samples=5, spread=True)
    assert sorted(int(each.output.split()[0]) for each in drawn.n_best) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("search", "told"),
    [
        ({"symmetries": 8}, "shortest=true"), ({"shortest": True}, "samples, beam_size or symmetries"),
        ({"spread": True}, "for sampling"), ({"symmetries": 3, "shortest": True}, "1, 2, 4 or 8"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(routes: Path, search: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        anyseq.load(routes, threads=1).predict([np.zeros((5, 2))], **search)


def test_other_uses_refuse_the_shortest(tmp_path: Path) -> None:
    small = {"training.max_minutes": None, "training.max_steps": 1, "data.generator.train": 50, "data.generator.dev": 5,
             "data.generator.test": 5}  # fmt: skip
    with pytest.raises(UsageError, match="for round trips"):
        anyseq.train("point/sort", tmp_path / "none", threads=1, overrides={**small, "search.shortest": True})
    assert not (tmp_path / "none").exists(), "nothing was trained before it was said"
    trained = anyseq.train("point/sort", tmp_path / "sort", threads=1, overrides=small)
    with pytest.raises(UsageError, match="for round trips"):
        trained.predictor.predict([np.zeros((5, 1))], beam_size=2, shortest=True)


@pytest.mark.parametrize(
    ("words", "told"),
    [({"codec.source.scale": False}, "scale=true"), ({"codec.source.columns": 3, "metrics": ["pointers_right"],
      "objective.reward": {"kind": "tour", "columns": 3}}, "in the plane")],
)  # fmt: skip
def test_sides_are_refused_where_there_are_none(words: dict[str, Any], told: str) -> None:
    task = load_recipe("point/routes", words).build()
    with pytest.raises(UsageError, match=told):
        task.refuse(DecodingConfig(beam_size=1, shortest=True, symmetries=8))


def test_the_shortest_of_all_samples_is_one_output(routes: Path) -> None:
    predictor = anyseq.load(routes, threads=1)
    settings = predictor.settings(samples=5, shortest=True)
    assert not predictor.several(settings) and predictor.several(predictor.settings(samples=5))
    with pytest.raises(UsageError, match="set shortest to false"):
        Predictor(predictor.task, reranking=Mock(spec=Reranking)).settings(samples=5, shortest=True)


def test_minimum_bayes_risk_by_a_metric_of_points(routes: Path) -> None:
    points = np.random.default_rng(6).random((5, 2))
    (found,) = anyseq.load(routes, threads=1).predict([points], samples=6, mbr={"kind": "tour", "measured": "length"})
    assert sorted(pointers_of(found.output)[:-1]) == [1, 2, 3, 4, 5]


def test_trips_are_as_long_as_tensors_as_they_are_as_texts(routes: Path) -> None:
    task = anyseq.load(routes, threads=1).task
    drawn = np.random.default_rng(5)
    items = [
        Item({"source": drawn.random((count, 2)), "target": " ".join(map(str, [*range(1, count + 1), 1]))}, count)
        for count in (5, 7, 6)
    ]
    batch = task.batch(items, [task.encode(item) for item in items])
    for metric in (TourGap("gap"), TourLength("length")):
        rollouts = TaskRollouts(task, metric)
        trips = rollouts.draw(task.model.encode(batch), batch, 4, seed=2).values
        found = task.rated(trips, batch, metric)
        assert found is not None
        torch.testing.assert_close(found, rollouts.by_texts(trips, batch).to(found), atol=1e-3, rtol=1e-5)
    short = Padded(trips.values.clone(), trips.valid)
    short.values[1, 2] = short.values[1, 1]
    assert task.rated(short, batch, metric) is None, "what is no round trip is mended, as a text"
    long = Padded(trips.values.clone(), trips.valid.clone())
    long.values[0, 5:7], long.valid[0, 5:7] = torch.tensor([2, 0]), True
    assert task.rated(long, batch, metric) is None, "a city comes again behind all of them"
    assert task.rated(trips, batch, PointersRight("right")) is None
