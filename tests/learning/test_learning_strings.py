"""The shipped recipes learn what they promise, on one core and fast."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from anyseq import api
from anyseq.tasks.evaluation import Evaluation

STRINGS = ["transduce/copy", "transduce/reverse"]


def learn(recipe: str, folder: Path, *words: str) -> Evaluation:
    """What a recipe reaches on its test, which is large enough to tell."""
    trained = api.train(recipe, folder, device="cpu", threads=1, overrides=words)
    assert trained.test is not None and trained.test.count >= 1000
    return trained.test


def stopped(found: Evaluation) -> list[str]:
    """The inputs whose outputs did not end by themselves."""
    return [each.input for each in found.predictions if each.stopped != "end"]


@pytest.mark.parametrize("recipe", [pytest.param("transduce/copy", marks=pytest.mark.full), "transduce/reverse"])
def test_a_recipe_gets_strings_right(recipe: str, tmp_path: Path) -> None:
    found = learn(recipe, tmp_path / "run")
    assert stopped(found) == [] and found.metrics["exact_match"] >= 99.0


@pytest.mark.full
@pytest.mark.parametrize("recipe", STRINGS)
def test_with_any_seed(recipe: str, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1, 10_000)
    print(f"seed {seed}")
    found = learn(recipe, tmp_path / "run", f"training.seed={seed}", f"data.generator.seed={seed}")
    assert stopped(found) == [] and found.metrics["exact_match"] >= 99.0


@pytest.mark.full  # a quarter of an hour on one core
def test_expand(tmp_path: Path) -> None:
    found = learn("transduce/expand", tmp_path / "run")
    assert stopped(found) == [] and found.metrics["exact_match"] >= 99.0
    assert max(len(each.output) / len(each.input) for each in found.predictions) >= 9


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
