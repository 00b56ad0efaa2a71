from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from anyseq.api import Predictor
from anyseq.config import load_recipe


@pytest.fixture(scope="session")
def untrained() -> Callable[..., Predictor]:
    """A recipe's model with fresh weights and codecs of its data: quick to have, and as good to look into."""

    def make(recipe: str, *words: str) -> Predictor:
        torch.set_num_threads(1)
        config = load_recipe(recipe, words)
        task = config.build()
        splits = task.read()
        task.fit_codecs(splits.train)
        torch.manual_seed(3)
        task.build_model()
        task.initialise()
        task.model.eval()
        return Predictor(task)

    return make
