"""A vocabulary that grows when another model is gone on with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import anyseq
from anyseq.api.preparing import prepare
from anyseq.api.transfer import start_from
from anyseq.config import load_recipe
from anyseq.core import Batch, Item, Padded
from anyseq.data.codecs.characters import CharactersConfig
from anyseq.data.codecs.factored import FactoredConfig
from anyseq.data.codecs.label_set import LabelSetConfig
from anyseq.data.codecs.labels import LabelsConfig
from anyseq.data.codecs.sentences import SentencesConfig
from anyseq.data.codecs.spelt import SpeltConfig
from anyseq.data.codecs.tokens import TokensConfig
from anyseq.data.codecs.words import WordsConfig
from anyseq.errors import UsageError
from anyseq.tasks.base import Task
from anyseq.training.checkpoint import named_weights
from tiny_runs import RECIPE, TINY, write

OLD = [("abc", "abc"), ("bca", "bca"), ("cab", "cab"), ("ab", "ab"), ("ca", "ca"), ("bb", "bb"), ("a", "a")] * 3
NEW = [*OLD, ("xyb", "xyb"), ("yx", "yx"), ("xa", "ax")] * 2
ONCE = TokensConfig(min_count=1)
NOTHING = {"training.learning_rate": 1e-12, "training.average": 0.0, "training.max_steps": 2}
SMALL = {
    f"model.{side}.{name}": value
    for side in ("encoder", "decoder")
    for name, value in {"kind": "transformer", "model_dim": 8, "ffn_dim": 8, "num_layers": 1, "num_heads": 2}.items()
}


def settings(pairs: list[tuple[str, str]], decoder: str = "attention") -> dict[str, object]:
    given = {key: int(value) for key, _, value in (word.partition("=") for word in TINY) if "generator" not in key}
    model = SMALL if decoder == "transformer" else {key: given[key] for key in given if key.startswith("model.")}
    rest = {key: given[key] for key in given if not key.startswith("model.")}
    return {**rest, **model, "data.train": pairs, "data.dev": pairs[:5], "data.check": "off"}


def trained_once(folder: Path, **more: object) -> Path:
    anyseq.train(RECIPE, folder, device="cpu", overrides={**settings(OLD), **more})
    return folder


def logits(task: Task, pairs: list[tuple[str, str]]) -> torch.Tensor:
    """[row, time, symbol]: log-probabilities but for what they are normalised by."""
    sides = [
        Padded.stack([task.codecs[side].encode(pair[place]) for pair in pairs])
        for place, side in enumerate(("source", "target"))
    ]
    items = [Item({"source": one, "target": two}, key) for key, (one, two) in enumerate(pairs)]
    batch = Batch({"source": sides[0], "target": sides[1]}, items)
    task.model.eval()
    with torch.no_grad():
        decoder = task.model.decoder
        emission, _ = decoder.unroll(decoder.prepare(task.model.encode(batch)), batch.target)
        return emission.log_probs()


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("decoder", ["attention", "transformer"])
def test_old_symbols_keep_what_they_have_and_new_ones_are_fresh(tmp_path: Path, joint: bool, decoder: str) -> None:
    shape = {"codec.joint": joint, "model.share_embeddings": joint}
    first = tmp_path / "first"
    anyseq.train(RECIPE, first, device="cpu", overrides={**settings(OLD, decoder), **shape})
    there = anyseq.load(first).task
    trained = anyseq.train(
        RECIPE, tmp_path / "second", device="cpu", start_from=first, extend_vocab=True,
        overrides={**settings(NEW, decoder), **shape, **NOTHING},
    )  # fmt: skip
    here = anyseq.load(trained.folder).task
    grew_by_two = "the vocabulary of source and target grew by 2: 'x', 'y'"
    assert any(note.startswith(grew_by_two) for note in trained.notes)
    one, two = there.codecs["target"], here.codecs["target"]
    assert two.stream.vocab_size == one.stream.vocab_size + 2  # type: ignore[attr-defined]
    for pair in OLD[:7]:
        assert one.encode(pair[0]).tolist() == two.encode(pair[0]).tolist()
    assert two.decode(two.encode("xyb")) == "xyb" and one.decode(one.encode("xyb")) != "xyb"
    size = one.stream.vocab_size  # type: ignore[attr-defined]
    before, after = logits(there, OLD[:7]), logits(here, OLD[:7])[..., :size]
    centred = [each - each.mean(-1, keepdim=True) for each in (before, after)]
    torch.testing.assert_close(centred[0], centred[1], atol=1e-5, rtol=1e-5)
    old, new = named_weights(there.model), named_weights(here.model)
    grew = [name for name in old if old[name].shape != new[name].shape]
    assert grew
    for name in grew:
        assert torch.allclose(new[name][: len(old[name])], old[name], atol=1e-7)
        assert new[name][len(old[name]) :].abs().sum() > 0 or new[name].dim() == 1
    with pytest.raises(UsageError, match="the data of"):
        anyseq.resume(trained.folder, overrides={"data.train": OLD, "data.dev": OLD[:5]}, device="cpu")


def test_old_rows_are_kept_bit_for_bit_before_training(tmp_path: Path) -> None:
    first = trained_once(tmp_path / "first")
    start = start_from(first, load_recipe(RECIPE, settings(NEW)), extend=True)
    task = start.config.build()
    start.make_codecs(task, task.read().train)
    torch.manual_seed(1)
    start.make_model(task)
    old, new = named_weights(anyseq.load(first).task.model), named_weights(task.model)
    assert old.keys() == new.keys()
    for name, weight in old.items():
        assert torch.equal(new[name][tuple(slice(size) for size in weight.shape)], weight), name


def test_nothing_new_changes_nothing(tmp_path: Path) -> None:
    first = trained_once(tmp_path / "first")
    trained = anyseq.train(
        RECIPE, tmp_path / "second", device="cpu", start_from=first, extend_vocab=True, overrides=settings(OLD)
    )
    assert any("source and target knows all that train holds" in note for note in trained.notes)


def test_other_values_of_the_recipe_and_frozen_parts(tmp_path: Path) -> None:
    """Grown, frozen but for what grew, with another objective, dropout and learning rate."""
    first = trained_once(tmp_path / "first")
    trained = anyseq.train(
        RECIPE, tmp_path / "second", device="cpu", start_from=first, extend_vocab=True,
        overrides={
            **settings(NEW), "training.learning_rate": 0.5, "training.freeze": ["encoder.stack"],
            "objective.label_smoothing": 0.3, "model.encoder.dropout": 0.4, "training.schedule": "constant",
        },
    )  # fmt: skip
    config = anyseq.load(trained.folder).task.config
    assert (config.training.learning_rate, config.training.freeze) == (0.5, ("encoder.stack",))
    assert config.objective.label_smoothing == 0.3  # type: ignore[attr-defined]
    old, new = (named_weights(anyseq.load(each).task.model) for each in (first, trained.folder))
    frozen = [name for name in old if name.startswith("encoder.stack")]
    assert frozen and all(torch.equal(old[name], new[name]) for name in frozen)


def test_what_cannot_grow_is_refused(tmp_path: Path) -> None:
    first = tmp_path / "first"
    subwords = {"codec.source.kind": "subwords", "codec.source.vocab_size": 30, "codec.joint": True}
    anyseq.train(RECIPE, first, device="cpu", overrides={**settings(OLD), **subwords})
    with pytest.raises(UsageError, match=r"--extend-vocab: the source's codec .* \(subwords\) cannot grow.*Leave out"):
        anyseq.train(
            RECIPE, tmp_path / "second", start_from=first, extend_vocab=True, device="cpu",
            overrides={**settings(NEW), **subwords},
        )  # fmt: skip
    assert not (tmp_path / "second").exists()
    with pytest.raises(UsageError, match="--extend-vocab belongs to --from MODEL"):
        anyseq.train(RECIPE, tmp_path / "second", extend_vocab=True)


def test_the_command_line_says_what_grew(tmp_path: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    first = trained_once(tmp_path / "first")
    data = write(tmp_path / "new.tsv", *(f"{one}\t{two}" for one, two in NEW))
    words = [word for word in TINY if "generator" not in word]
    code, _, err = run(
        "train", RECIPE, "--from", first, "--extend-vocab", "--output", tmp_path / "second", f"data.train={data}",
        f"data.dev={data}", "data.check=off", *words,
    )  # fmt: skip
    assert code == 0 and "the vocabulary of source and target grew by 2: 'x', 'y'; their weights are fresh" in err
    code, _, err = run("train", "--resume", tmp_path / "second", "--extend-vocab")
    assert code == 2 and "--extend-vocab cannot be used here" in err
    code, _, err = run("train", RECIPE, "--extend-vocab", "--output", tmp_path / "third")
    assert code == 2 and "--extend-vocab belongs to --from MODEL" in err


@pytest.mark.parametrize(
    ("config", "old", "new", "added"),
    [
        (WordsConfig(min_count=1), "a dog barks", "a cat, a dog", [" cat", ","]),
        (ONCE, "A B", "B C", ["C"]),
        (CharactersConfig(), "ab", "bcd", ["c", "d"]),
        (LabelsConfig(), "good", "very bad", ["very bad"]),
        (LabelSetConfig(), "price, speed", "speed, taste", ["taste"]),
        (SpeltConfig(min_count=1), "dog", "dig", ["dig", "i"]),
        (SentencesConfig(min_count=1), "a dog.", "a cat.", [" cat"]),
        (FactoredConfig(base=ONCE, factors=(ONCE,)), "a￨X", "b￨Y", ["b", "Y"]),
    ],
    ids=lambda each: type(each).__name__ if not isinstance(each, str | list) else None,
)
def test_every_codec_with_a_vocabulary_grows(
    config: WordsConfig, old: str, new: str, added: list[str], tmp_path: Path
) -> None:
    one, two = config.fit([old, old]), config.fit([new, new])
    found = one.grown(two)
    assert found is not None
    grown, names = found
    assert sorted(names) == sorted(added)
    width = one.encode(old).shape[-1] if isinstance(config, LabelSetConfig) else None
    assert grown.encode(old)[..., :width].tolist() == one.encode(old).tolist()
    assert grown.decode(grown.encode(new)) == two.decode(two.encode(new))
    grown.save(tmp_path)
    again = config.load(tmp_path)
    assert again.stream == grown.stream and again.encode(new).tolist() == grown.encode(new).tolist()


def test_what_train_has_and_the_model_lacks_is_told_where_the_vocabulary_does_not_grow(tmp_path: Path) -> None:
    first, told = trained_once(tmp_path / "first"), list[str]()
    recipe = load_recipe(RECIPE, {**settings(NEW), "data.check": "stop"})
    for extend in (False, True):
        prepare(start_from(first, recipe, extend=extend), lambda text, severity: told.append(f"{severity}: {text}"))
        found = [each for each in told if each.startswith("warning: train: ") and f"the codec of {first}" in each]
        assert len(found) == (0 if extend else 2) and all("--extend-vocab adds" in each for each in found)
        told.clear()
