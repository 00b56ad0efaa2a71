"""Tiny translators learn real phrases, far above chance."""

from __future__ import annotations

from pathlib import Path

import pytest

from anyseq import api

SMALLER = {
    "translate/transformer": (
        *("model.encoder.model_dim=64", "model.encoder.num_layers=2", "model.encoder.ffn_dim=128"),
        *("model.decoder.model_dim=64", "model.decoder.num_layers=2", "model.decoder.ffn_dim=128"),
    ),
    "translate/conv": (
        *("model.encoder.embed_dim=128", "model.encoder.num_layers=3", "model.encoder.hidden_dim=64"),
        *("model.decoder.embed_dim=128", "model.decoder.num_layers=3", "model.decoder.hidden_dim=64"),
    ),
    "translate/plain": ("model.encoder.hidden_dim=64", "model.decoder.hidden_dim=128"),
    "translate/cho": ("model.encoder.hidden_dim=128", "model.decoder.hidden_dim=128", "training.learning_rate=0.006"),
    "translate/sutskever": (
        *("model.encoder.hidden_dim=192", "model.encoder.num_layers=2", "model.encoder.dropout=0.1"),
        *("model.decoder.hidden_dim=192", "model.decoder.num_layers=2", "model.decoder.dropout=0.1"),
        "training.learning_rate=0.008",
    ),
}


@pytest.mark.full
@pytest.mark.parametrize("recipe", list(SMALLER))
def test_phrases(recipe: str, tmp_path: Path) -> None:
    words = [
        *("codec.source.vocab_size=1000", "data.generator.train=10000", "data.generator.dev=300"),
        *("training.max_minutes=null", "training.max_steps=800", "training.learning_rate=0.003"),
        *("training.warmup_steps=100", "training.validate_every=200", "search.beam_size=1", "data.generator.test=300"),
        *SMALLER[recipe],
    ]
    trained = api.train(recipe, tmp_path / "run", device="cpu", threads=1, overrides=words)
    assert trained.test is not None
    # outputs that belong to other inputs are what chance gives
    from anyseq.metrics.surface import BleuConfig

    outputs = [each.output for each in trained.test.predictions]
    chance = BleuConfig().build().measure(outputs[1:] + outputs[:1], trained.test.references).value
    reached = trained.test.metrics["bleu"]
    assert reached > 20 and reached > 3 * chance, (reached, chance)
