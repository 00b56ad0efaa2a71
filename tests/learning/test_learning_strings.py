"""The shipped recipes learn what they promise, on one core and fast."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from anyseq import api

STRINGS = ["transduce/copy", "transduce/reverse"]


def learn(recipe: str, folder: Path, *words: str) -> None:
    trained = api.train(recipe, folder, device="cpu", threads=1, overrides=words)
    assert trained.test is not None and trained.test.count >= 1000
    by_budget = [each.input for each in trained.test.predictions if each.stopped != "end"]
    assert by_budget == []
    assert trained.test.metrics["exact_match"] >= 99.0
    if recipe == "transduce/expand":
        assert max(len(each.output) / len(each.input) for each in trained.test.predictions) >= 9


@pytest.mark.parametrize("recipe", STRINGS)
def test_a_recipe_gets_strings_right(recipe: str, tmp_path: Path) -> None:
    learn(recipe, tmp_path / "run")


@pytest.mark.full
@pytest.mark.parametrize("recipe", STRINGS)
def test_with_any_seed(recipe: str, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1, 10_000)
    print(f"seed {seed}")
    learn(recipe, tmp_path / "run", f"training.seed={seed}", f"data.generator.seed={seed}")


@pytest.mark.full  # a quarter of an hour on one core
def test_expand(tmp_path: Path) -> None:
    learn("transduce/expand", tmp_path / "run")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
