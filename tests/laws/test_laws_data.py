"""The laws of the parts around a model: metrics and generators (those of codecs: tests/data/test_text_codecs.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from anyseq.catalogue import PARTS as CATALOGUE
from anyseq.core import Item, content
from laws.cases import named as variants

METRICS = {name: each for name, each in variants("metrics").items() if "texts" not in each.exceptions}
GENERATORS = variants("generators")
OUTPUTS = ["a small dog runs", "the cat", "", "two men sit on the bench , smiling .", "the cat sat on the mat"]
REFERENCES = [["a small dog runs fast"], ["the cat"], ["not empty"], ["two men sit on a bench ."], ["a mat on the cat"]]


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_a_sum_over_items_in_any_order(name: str) -> None:
    metric = METRICS[name].config.build()
    together = metric.statistics(OUTPUTS, REFERENCES)
    alone = [metric.statistics([one], [own])[0] for one, own in zip(OUTPUTS, REFERENCES, strict=True)]
    assert together == [pytest.approx(statistics) for statistics in alone]
    value = metric.measure(OUTPUTS, REFERENCES).value
    assert metric.combine([sum(column) for column in zip(*alone, strict=True)]) == pytest.approx(value)
    assert metric.measure(OUTPUTS[::-1], REFERENCES[::-1]).value == pytest.approx(value)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_prefers_what_is_right(name: str) -> None:
    metric = METRICS[name].config.build()
    right, wrong = ([own[0] for own in REFERENCES], ["nothing of that"] * len(REFERENCES))
    values = [metric.measure(outputs, REFERENCES).value for outputs in (wrong, OUTPUTS, right)]
    assert values == sorted(values, reverse=not metric.higher_is_better) and len(set(values)) == 3
    assert values[-1] == pytest.approx(100.0 if metric.higher_is_better else 0.0)


@pytest.mark.parametrize("name", METRICS)
def test_every_pair_is_valued_as_a_sentence(name: str) -> None:
    metric = METRICS[name].config.build()
    texts = [*OUTPUTS, *(own[0] for own in REFERENCES), "a  small DOG runs a small dog runs", "the"]
    table = metric.pairwise(texts)
    for i, output in enumerate(texts):
        expected = metric.sentences([output] * len(texts), [[reference] for reference in texts])
        assert table[i].tolist() == pytest.approx(expected, abs=1e-9)
    own = [table[i, i] for i, text in enumerate(texts) if text]
    assert own == pytest.approx([100.0 if metric.higher_is_better else 0.0] * len(own))
    assert metric.pairwise(["one"]).shape == (1, 1)


# Sentence BLEU leaves out the orders that an output is too short for (tests/metrics/test_surface.py).
@pytest.mark.parametrize("name", [name for name in METRICS if not name.startswith("bleu")])
def test_sentence_values_are_those_of_sets_of_one(name: str) -> None:
    metric = METRICS[name].config.build()
    expected = [metric.measure([one], [own]).value for one, own in zip(OUTPUTS, REFERENCES, strict=True)]
    assert metric.sentences(OUTPUTS, REFERENCES) == pytest.approx(expected, abs=1e-9)


def small(name: str):  # type: ignore[no-untyped-def]
    config = GENERATORS[name].config
    return config.model_copy(update={key: 40 for key in ("train", "dev", "test") if key in type(config).model_fields})


def contents(splits: Mapping[str, Sequence[Item]]) -> list[Any]:
    """All that items hold; arrays as bytes."""
    items = [(split, item) for split, own in sorted(splits.items()) for item in own]
    return [(split, item.key, {name: content(raw) for name, raw in item.raw.items()}) for split, item in items]


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_gives_the_same_whoever_asks_first(name: str) -> None:
    """Law 12, and no item of one split in another."""
    first, again = small(name), small(name)
    there = {split: first.generate(split) for split in ("train", "dev", "test")}
    back = {split: again.generate(split) for split in ("test", "dev", "train")}
    assert contents(there) == contents(back)
    sources = {split: {content(item.raw["source"]) for item in items} for split, items in there.items()}
    assert all(sources.values())
    assert not sources["train"] & sources["dev"] and not sources["dev"] & sources["test"]
    assert not sources["train"] & sources["test"]
    assert [item.key for item in there["train"]] == list(range(len(there["train"])))


@pytest.mark.parametrize("name", [name for name in GENERATORS if "seed" in type(GENERATORS[name].config).model_fields])
def test_another_seed_gives_other_items(name: str) -> None:
    config = small(name)
    other = config.model_copy(update={"seed": config.seed + 1})
    assert contents({"dev": config.generate("dev")}) != contents({"dev": other.generate("dev")})


def test_all_that_is_named_here_is_in_the_catalogue() -> None:
    assert {name.split("0[")[0] for name in variants("metrics") if "0[" in name} == set(CATALOGUE["metrics"])
