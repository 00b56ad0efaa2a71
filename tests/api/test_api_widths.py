"""What a Transformer's settings must agree on is refused with the recipe, before anything is made."""

from __future__ import annotations

import pytest
import torch

from anyseq.config import load_recipe
from anyseq.core import Padded, Symbols
from anyseq.errors import ConfigError


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["model.encoder.num_heads=3"], "model.encoder: num_heads 3 does not divide model_dim 128"),
        (["model.decoder.model_dim=127", "model.decoder.num_heads=1"], "positions need an even model_dim, not 127"),
        (
            ["model.encoder.model_dim=12", "model.encoder.positions=rotary"],
            "model.encoder: rotary positions turn pairs: model_dim / num_heads must be even, not 3",
        ),
    ],
)
def test_widths_that_do_not_fit_are_refused(overrides: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_recipe("translate/transformer", overrides)


@pytest.mark.parametrize(
    ("overrides", "width"),
    [
        (["model.encoder.positions=learned", "model.encoder.num_heads=1", "model.encoder.model_dim=127"], 127),
        (["model.encoder.positions=rotary", "model.encoder.model_dim=24"], 24),
    ],
)
def test_widths_that_fit_are_built(overrides: list[str], width: int) -> None:
    encoder = load_recipe("translate/transformer", overrides).model.encoder.build(Symbols(7))
    assert encoder(Padded.stack([torch.tensor([3, 2, 0])])).vectors.shape == (1, 3, width)
