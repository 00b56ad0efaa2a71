"""A copying decoder with every kind of codec, through training, prediction and scoring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anyseq import api
from anyseq.api.preparing import prepare
from anyseq.api.transfer import Start
from anyseq.config import load_recipe

COPYING = {"kind": "copying", "decoder": {"kind": "attention", "embed_dim": 8, "hidden_dim": 16}}
CODECS: dict[str, dict[str, Any]] = {
    "characters": {"source": {"kind": "characters", "min_count": 30}, "joint": True},
    "apart": {"source": {"kind": "characters"}, "target": {"kind": "characters", "case": "lower"}},
    "subwords": {"source": {"kind": "subwords", "vocab_size": 60}, "joint": True},
    "sampled": {"source": {"kind": "subwords", "vocab_size": 60, "nbest_size": 4}, "joint": True},
    "sampled apart": {
        "source": {"kind": "subwords", "vocab_size": 60, "nbest_size": 4},
        "target": {"kind": "subwords", "vocab_size": 40},
    },
}  # fmt: skip


def train(folder: Path, codec: dict[str, Any], **training: Any) -> api.Trained:
    overrides = {
        "data.generator": {"kind": "copy", "train": 200, "dev": 10, "test": 10, "max_length": 6},
        "codec": codec, "model.encoder": {"kind": "rnn", "embed_dim": 8, "hidden_dim": 8}, "model.decoder": COPYING,
        "training": {"batch_tokens": 128, "max_steps": 12, "validate_every": 4, "accumulate": 2, **training},
    }  # fmt: skip
    return api.train("transduce/copy", folder, device="cpu", threads=1, overrides=overrides)


@pytest.mark.parametrize("name", CODECS)
def test_any_codec_of_texts_goes_through(name: str, tmp_path: Path) -> None:
    codec = CODECS[name]
    trained = train(tmp_path / "run", codec)
    assert trained.test is not None and trained.test.count == 10
    predictor = api.load(tmp_path / "run", device="cpu")
    sources = ["abc", "a☃b☃", "xyz é", "q"]
    constrained = {"beam_size": 2, "no_repeat_ngram": 2, "forbid": ("☃",)}
    for search in ({"beam_size": 3, "n_best": 3}, {"samples": 2}, constrained):
        found = predictor.predict(sources, max_length=9, **search)
        assert [each.input for each in found] == sources
        assert all(each.n_best and each.log_prob <= 0 for each in found)
        if "forbid" in search:
            assert not any("☃" in each.output for each in found)
    named_in_source = predictor.predict(["a☃"], prefix="☃")
    assert named_in_source[0].output.startswith("☃")


def test_words_that_are_copied_are_no_fault() -> None:
    sizes = {f"data.generator.{split}": 60 for split in ("train", "dev", "test")}
    told: list[str] = []
    prepare(Start(load_recipe("translate/copying", sizes)), lambda text, severity: told.append(f"{severity}: {text}"))
    unknown = [each for each in told if "unknown to the codec" in each]
    assert len(unknown) == 4 and all(each.startswith("note") and each.endswith("the model copies") for each in unknown)
