"""Models that copy, with alignments and in ensembles; alignments where unknown words are replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anyseq import api
from anyseq.core import Item
from anyseq.errors import UsageError

ATTENTION = {"kind": "attention", "embed_dim": 8, "hidden_dim": 16}
MODELS: dict[str, dict[str, Any]] = {
    "copying": {"model.decoder": {"kind": "copying", "decoder": ATTENTION}},
    "conv": {"model.decoder": {"kind": "copying", "decoder": {"kind": "conv", "embed_dim": 8, "hidden_dim": 8}}},
    "shorter": {"model.decoder": {"kind": "copying", "decoder": ATTENTION}, "data.max_length": 12},
    "plain": {"model.decoder": ATTENTION},
}
SOURCES = ["abc", "a☃b☃", "xyz é", ""]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("models")
    for seed, (name, changes) in enumerate(MODELS.items()):
        overrides = {
            "data.generator": {"kind": "copy", "train": 200, "dev": 10, "test": 10, "max_length": 6},
            "codec": {"source": {"kind": "characters", "min_count": 30}, "joint": True},
            "model.encoder": {"kind": "rnn", "embed_dim": 8, "hidden_dim": 8},
            "training": {"batch_tokens": 128, "max_steps": 12, "validate_every": 12, "seed": seed},
            **changes,
        }
        api.train("transduce/copy", home / name, device="cpu", threads=1, overrides=overrides)
    return {name: home / name for name in MODELS}


@pytest.mark.parametrize("names", [["copying"], ["conv"], ["copying", "conv"]], ids="+".join)
def test_what_is_copied_is_aligned(folders: dict[str, Path], names: list[str]) -> None:
    predictor = api.load([folders[name] for name in names], device="cpu")
    settings = {"alignments": True, "max_length": 9, "beam_size": 3, "n_best": 2}
    named = predictor.predict([SOURCES[1]], prefix="☃", **settings)
    for each in (*named, *predictor.predict(SOURCES[:-1], **settings)):
        for one in each.n_best:
            assert one.alignment is not None
            assert len(one.alignment.source) == len(each.input)
            assert "".join(one.alignment.output) == one.output
    assert named[0].output.startswith("☃")
    with pytest.raises(UsageError, match=r"neither the model nor the source \(item 1\) has: '☃'"):
        predictor.predict(SOURCES[1::-1], prefix="☃", **settings)


def test_what_replaces_unknown_words_is_aligned(folders: dict[str, Path]) -> None:
    predictor = at_a_loss(folders["plain"])
    found = predictor.predict(SOURCES, alignments=True, max_length=9, replace_unknown=True)
    for each in found[:-1]:
        assert each.output[0] in each.input
        assert each.alignment is not None and "".join(each.alignment.output) == each.output


def test_what_replaces_unknown_words_is_not_what_is_forbidden(folders: dict[str, Path]) -> None:
    predictor, sources = at_a_loss(folders["plain"]), ["☃☃", "abc", "☃"]
    free, bound = (
        [each.output for each in predictor.predict(sources, max_length=5, replace_unknown=True, forbid=forbid)]
        for forbid in ((), ("☃",))
    )
    assert free[0] == "☃" * 5 and bound[0] == "\ufffd" * 5 and bound[2] == "\ufffd" * 5
    assert free[1] == bound[1] and set(bound[1]) <= set("abc")


def at_a_loss(folder: Path) -> api.Predictor:
    """A model that says nothing but the unknown symbol."""
    predictor = api.load(folder, device="cpu")
    dict(predictor.task.model.named_parameters())["_decoder.head.output.bias"].data[1] += 100
    return predictor


def test_models_that_copy_are_one_ensemble(folders: dict[str, Path]) -> None:
    one, two = (api.load([folders["copying"]] * count, device="cpu") for count in (1, 2))
    settings = {"beam_size": 3, "no_repeat_ngram": 2, "forbid": ("☃",), "max_length": 9}
    outputs = [[each.output for each in predictor.predict(SOURCES, **settings)] for predictor in (one, two)]
    assert outputs[0] == outputs[1] and not any("☃" in output for output in outputs[0])
    pairs = [Item({"source": "a☃b☃", "target": "☃☃"}, 0), Item({"source": "xyz é", "target": "é"}, 1)]
    scores = [[each.log_prob for each in predictor.score(pairs)] for predictor in (one, two)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


@pytest.mark.parametrize("other", ["plain", "shorter"])
def test_others_are_refused(folders: dict[str, Path], other: str) -> None:
    for names in (["copying", other], [other, "copying"]):
        with pytest.raises(UsageError, match=r"copies.*--rerank-with"):
            api.load([folders[name] for name in names], device="cpu")
