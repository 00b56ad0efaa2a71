"""Beginning with a model of another task: its codec of the source, its layers, their weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import anyseq
from anyseq.api import Trained
from anyseq.errors import UsageError
from anyseq.training.checkpoint import named_weights
from tiny_runs import steps

SMALL = {"embed_dim": 12, "hidden_dim": 16}
RUN = {"training": {"max_steps": 4, "validate_every": 4, "validate_items": 8}}
TEXTS = [f"the {kind} is {how}" for kind in ("film", "play", "book", "show") for how in ("good", "bad", "dull", "fine")]
LABELLED = [(text, "praise" if text.endswith(("good", "fine")) else "blame") for text in TEXTS]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    """A language model and an autoencoder, hardly trained."""
    folder = tmp_path_factory.mktemp("models")
    decoder = {"kind": "rnn", "cell": "lstm", "num_layers": 2, "dropout": 0.0, **SMALL}
    inner = {"kind": "rnn", "cell": "gru", "num_layers": 1, **SMALL}
    own = {"data": {"train": TEXTS, "dev": TEXTS[:4]}, **RUN}
    words: dict[str, object] = {"kind": "words", "min_count": 1}
    return {
        "language model": anyseq.train(
            "language_model/names", folder / "lm", codec={"target": words}, model={"decoder": decoder}, **own
        ),
        "autoencoder": anyseq.train(
            "autoencode/text", folder / "ae", codec={"source": words},
            model={
                "encoder": {"kind": "bottleneck", "dim": 8, "encoder": inner}, "decoder": {**inner, "kind": "context"}
            },
            **own,
        ),
    }  # fmt: skip


def classifier(start: Trained, folder: Path, **more: object) -> Trained:
    settings = {"data": {"train": LABELLED, "dev": LABELLED[:4]}, **RUN, **more}
    return anyseq.train("classify/words", folder, start_from=start.folder, **settings)


@pytest.mark.parametrize("kind", ["language model", "autoencoder"])
def test_a_source_is_read_as_the_other_model_reads(models: dict[str, Trained], kind: str, tmp_path: Path) -> None:
    """Nothing is learnt (a learning rate of next to nothing), so that the weights are still those of the other."""
    there = anyseq.load(models[kind].folder)
    trained = classifier(
        models[kind], tmp_path / "model", training={"learning_rate": 1e-12, "average": 0.0, **RUN["training"]}
    )
    here = anyseq.load(trained.folder)
    of_there, of_here = (named_weights(each.task.model) for each in (there, here))
    if kind == "language model":
        names = {"_decoder.fed_back.embed.": "encoder.embed.", "_decoder.stack.": "encoder.stack."}
    else:
        names = {"encoder.": "encoder."}
    taken = {
        own + name.removeprefix(begin)
        for begin, own in names.items()
        for name, weight in of_there.items()
        if name.startswith(begin) and torch.allclose(weight, of_here[own + name.removeprefix(begin)], atol=1e-6)
    }
    assert taken == {name for name in of_here if name.startswith("encoder.")} and len(taken) > 4
    side = "target" if kind == "language model" else "source"
    one, two = here.task.codecs["source"], there.task.codecs[side]
    assert one.encode("the film").tolist() == two.encode("the film").tolist()
    assert {each.output for each in here.predict(TEXTS)} <= {"praise", "blame"}
    anyseq.resume(trained.folder, more_steps=2, overrides=settings_of(LABELLED))
    assert steps(trained.folder)[-1] == 6


def settings_of(pairs: list[tuple[str, str]]) -> dict[str, object]:
    return {"data.train": pairs, "data.dev": pairs[:4]}


def test_dropout_stays_the_recipes(models: dict[str, Trained], tmp_path: Path) -> None:
    trained = classifier(models["language model"], tmp_path / "model", model={"encoder": {"dropout": 0.45}})
    encoder = anyseq.load(trained.folder).task.config.model.encoder  # type: ignore[attr-defined]
    assert (encoder.dropout, encoder.bidirectional, encoder.cell, encoder.num_layers) == (0.45, False, "lstm", 2)


def test_what_cannot_read_is_refused(models: dict[str, Trained], tmp_path: Path) -> None:
    decoder = {"kind": "transformer", "model_dim": 8, "ffn_dim": 8, "num_layers": 1, "num_heads": 2}
    data = {"train": TEXTS, "dev": TEXTS[:4]}
    other = anyseq.train("language_model/names", tmp_path / "t", data=data, model={"decoder": decoder}, **RUN)
    with pytest.raises(UsageError, match=r"nothing in it can read a source.*kind=rnn"):
        classifier(other, tmp_path / "model")
    with pytest.raises(UsageError, match=r"of another task .autoencode.*has none of its own"):
        anyseq.train(
            "language_model/names", tmp_path / "model", start_from=models["autoencoder"].folder, data=data, **RUN
        )
    assert not (tmp_path / "model").exists()
