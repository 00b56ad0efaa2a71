"""A decoder that copies writes names it has never seen; the same one without the block cannot."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from anyseq import api
from anyseq.core import Item
from anyseq.data.codecs.words import tokenise
from anyseq.errors import ConfigError, UsageError

INSIDE = {"kind": "attention", "cell": "gru", "embed_dim": 64, "hidden_dim": 128, "dropout": 0.1}
NAMES = ["Wo ist das Bild, Xanthippe?", "Angela und Bert wohnen in Ulm.", "Kennst du Zuzu aus Zuzu?"]
RIGHT = ["Where is the picture, Xanthippe?", "Angela and Bert live in Ulm.", "Do you know Zuzu from Zuzu?"]


def learn(folder: Path, decoder: dict[str, Any], **sections: Any) -> api.Trained:
    torch.set_num_threads(1)
    overrides = {
        "data.generator": {"kind": "introductions", "train": 5000, "dev": 50, "test": 200},
        "model.decoder": decoder,
        "training": {"max_steps": 600, "validate_every": 300},
        **sections,
    }
    return api.train("translate/copying", folder, device="cpu", threads=1, overrides=overrides)


@pytest.fixture(scope="module")
def copying(tmp_path_factory: pytest.TempPathFactory) -> api.Trained:
    return learn(tmp_path_factory.mktemp("copying") / "run", {"kind": "copying", "decoder": INSIDE})


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> api.Trained:
    training = {"max_steps": 250, "validate_every": 250}
    return learn(tmp_path_factory.mktemp("plain") / "run", INSIDE, training=training)


def test_names_of_the_test_set_come_out_right(copying: api.Trained, plain: api.Trained) -> None:
    assert copying.test is not None and plain.test is not None
    assert copying.test.metrics["exact_match"] > 90
    assert plain.test.metrics["exact_match"] == 0
    known = set(copying.predictor.task.codecs["target"].shown)
    unseen = [part for each in copying.test.references for part in each[0].split() if f" {part}" not in known]
    assert len(unseen) > 200, "else there is nothing to copy"
    assert all("\ufffd" in each.output for each in plain.test.predictions)


def test_what_is_saved_copies_the_same(copying: api.Trained) -> None:
    loaded = api.load(copying.folder, device="cpu")
    assert [each.output for each in loaded.predict([*NAMES, ""])] == [*RIGHT, ""]
    assert loaded.predict(NAMES) == copying.predictor.predict(NAMES)


@pytest.mark.parametrize("search", [{"beam_size": 1}, {"beam_size": 4, "n_best": 4}, {"samples": 3}])
def test_scores_are_those_of_scoring_whatever_the_neighbours(copying: api.Trained, search: dict[str, Any]) -> None:
    """Each source numbers its own words by itself, and some have more of them than others."""
    together = copying.predictor.predict([*NAMES, "Mio gab Lia den Hut."], **search)
    for key, each in enumerate(together):
        (alone,) = copying.predictor.predict_items([Item({"source": each.input}, key)], 1, **search)
        assert [one.output for one in alone.n_best] == [one.output for one in each.n_best]
        for one, other in zip(each.n_best, alone.n_best, strict=True):
            assert one.log_prob == pytest.approx(other.log_prob, abs=1e-4)
            if "samples" not in search:  # a sample may spell a text in other parts than the codec does
                (scored,) = copying.predictor.score([Item({"source": each.input, "target": one.output}, key)])
                assert scored.log_prob == pytest.approx(one.log_prob, abs=1e-4)


def test_constraints_know_own_words(copying: api.Trained) -> None:
    predict = copying.predictor.predict
    free = predict(NAMES, beam_size=4)
    assert [each.output for each in free] == RIGHT
    forbidden = predict(NAMES, beam_size=4, forbid=("Bert", "picture"))
    assert not any(re.search(r"\b(Bert|picture)\b", each.output) for each in forbidden), "Berts is another word"
    assert forbidden[2].output == RIGHT[2], "a word of another source is no word of this one"
    once = predict(NAMES, beam_size=4, no_repeat_ngram=1)
    assert once[0].output == RIGHT[0] and once[2].output.count("Zuzu") == 1
    longer = predict(NAMES, beam_size=4, min_length=12, max_length=12)
    assert all(len(tokenise(each.output)) >= 11 for each in longer)
    begun = predict(NAMES[1:2], prefix="Bert and")
    assert begun[0].output.startswith("Bert and")


def test_unknown_words_are_replaced_by_what_was_looked_at(plain: api.Trained, copying: api.Trained) -> None:
    predict = plain.predictor.predict
    sources = [item.raw["source"] for item in plain.predictor.task.read_test() or []][:50]
    before = predict(sources, beam_size=2)
    found = predict(sources, beam_size=2, replace_unknown=True)
    for source, old, new in zip(sources, before, found, strict=True):
        assert new.log_prob == old.log_prob and "\ufffd" in old.output
        filled = re.fullmatch(re.escape(old.output).replace("\ufffd", "(.+)"), new.output)
        assert filled is not None and all(word in source for word in filled.groups())
    assert copying.predictor.predict(NAMES, replace_unknown=True) == copying.predictor.predict(NAMES)


def test_without_attention_nothing_can_be_replaced_or_copied(tmp_path: Path) -> None:
    recurrent = {"kind": "rnn", "embed_dim": 8, "hidden_dim": 8}
    few: dict[str, Any] = {"training": {"max_steps": 1, "validate_every": 1, "validate_items": 2}}
    few["data.generator"] = {"kind": "introductions", "train": 100, "dev": 4, "test": 4}
    trained = learn(tmp_path / "run", recurrent, **few)
    with pytest.raises(UsageError, match="RnnDecoder has no attention"):
        trained.predictor.predict(NAMES, replace_unknown=True)
    with pytest.raises(ConfigError, match="RnnDecoder does not look at the source"):
        learn(tmp_path / "other", {"kind": "copying", "decoder": recurrent}, **few)
    with pytest.raises(ConfigError, match="not words and characters"):
        learn(
            tmp_path / "third", {"kind": "copying", "decoder": INSIDE},
            codec={"source": {"kind": "words"}, "target": {"kind": "characters"}}, **few,
        )  # fmt: skip


TRANSFORMER = {"kind": "transformer", "model_dim": 32, "ffn_dim": 64, "num_layers": 1, "num_heads": 2}


@pytest.mark.full
def test_a_transformer_copies_what_its_top_layer_looks_at(tmp_path: Path) -> None:
    trained = learn(
        tmp_path / "run", {"kind": "copying", "decoder": TRANSFORMER}, **{"model.encoder": TRANSFORMER},
        training={"max_steps": 500, "validate_every": 250, "learning_rate": 0.006},
    )  # fmt: skip
    assert trained.test is not None and trained.test.metrics["exact_match"] > 50
    assert [each.output for each in trained.predictor.predict(NAMES[1:2])] == RIGHT[1:2]
