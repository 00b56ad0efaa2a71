"""Tokens with factors: a word and its part of speech as one place of the source."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import anyseq
from anyseq.core import Factored, Spelt, Symbols
from anyseq.data.codecs.factored import SEPARATOR, FactoredConfig, FactoredTokens
from anyseq.data.codecs.spelt import SpeltConfig
from anyseq.data.codecs.tokens import TokensConfig
from anyseq.errors import ConfigError, DataError, ModelFolderError
from anyseq.nn.embeddings import FactoredEmbedding, input_layer
from tiny_runs import main, write

TOKENS = ["cat￨NN", "the￨DT", "is￨VBZ", "￨￨NN", "new￨NN", "cat", "a￨b￨c", "￨"]
TEXTS = ["the￨DT cat￨NN sleeps￨VBZ", "sleep￨NN is￨VBZ good￨JJ"]
CODECS = [FactoredConfig(base=base).fit(TEXTS) for base in (TokensConfig(), SpeltConfig(longest=4))]


@pytest.mark.parametrize("codec", CODECS, ids=["tokens", "spelt"])
@settings(max_examples=50)
@given(text=st.lists(st.sampled_from(TOKENS)).map(" ".join))
def test_8_what_has_factors_is_decoded_to_its_canonical_form(codec: FactoredTokens, text: str) -> None:
    values = codec.encode(text)
    again = codec.decode(values)
    assert len(values) == len(text.split()) + 1 and not values[-1].any()
    assert codec.encode(again).shape == values.shape and codec.decode(codec.encode(again)) == again


@pytest.mark.parametrize("codec", CODECS, ids=["tokens", "spelt"])
def test_what_is_known_survives(codec: FactoredTokens, tmp_path: Path) -> None:
    assert codec.decode(codec.encode("the￨DT good￨JJ")) == "the￨DT good￨JJ"
    assert codec.units(codec.encode("the￨DT good￨JJ")).shown == ["the", "good"]
    codec.save(tmp_path)
    loaded = FactoredTokens.load(tmp_path)
    assert loaded.stream == codec.stream and torch.equal(loaded.encode(TEXTS[0]), codec.encode(TEXTS[0]))


def test_a_factor_that_is_missing_is_unknown() -> None:
    codec = CODECS[0]
    assert codec.encode("cat")[0].tolist() == [codec.encode("cat￨NN")[0, 0].item(), 1]


def test_a_vector_is_the_sum_of_those_of_word_and_factor() -> None:
    layer = input_layer(Factored((Spelt(5, 4, 3), Symbols(6))), 8)
    assert isinstance(layer, FactoredEmbedding)
    values = torch.tensor([[[2, 2, 3, 0, 4], [0, 0, 0, 0, 0]]])
    expected = layer.parts[0].eval()(values[..., :4]) + layer.parts[1](values[..., 4])
    torch.testing.assert_close(layer.eval()(values), expected)


def test_only_tokens_have_factors() -> None:
    with pytest.raises(ConfigError, match="factors belong to tokens"):
        anyseq.config.load_recipe("tag/crf", {"codec.source": {"kind": "factored", "base": {"kind": "words"}}})


def rows(count: int) -> list[list[str]]:
    """The chunk follows from the part of speech alone; words say nothing."""
    draw = random.Random(3)
    kinds = {"N": "B-NP", "V": "B-VP", "X": "O"}
    words = [f"w{number}" for number in range(20)]

    def sentence() -> list[str]:
        return [f"{draw.choice(words)} {kind} {kinds[kind]}" for kind in draw.choices("NVX", k=5)]

    return [[*sentence(), ""] for _ in range(count)]


def test_chunks_from_the_parts_of_speech_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "train.conll", *(line for each in rows(200) for line in each))
    folder = tmp_path / "model"
    options = ["data.factors=[1]", "codec.source={kind: factored, base: {kind: spelt}}", "training.max_steps=60"]
    sizes = ["model.encoder.embed_dim=16", "model.encoder.hidden_dim=16", "training.learning_rate=0.01"]
    assert main(["train", "tag/crf", "--output", str(folder), f"data.train={path}", *options, *sizes]) == 0
    given = write(tmp_path / "new.txt", "w1￨N w2￨V unheard￨X", "w1￨V w1￨N")
    capsys.readouterr()
    assert main(["predict", str(folder), "--input", str(given)]) == 0
    assert capsys.readouterr().out.splitlines() == ["B-NP B-VP O", "B-VP B-NP"]
    assert main(["evaluate", str(folder), "--data", str(path)]) == 0
    assert "f1 100.00" in " ".join(capsys.readouterr().out.split())


def test_tokens_without_factors_are_named(tmp_path: Path) -> None:
    lines = [f"a￨N b{'' if number == 7 else '￨V'}\tO B-x" for number in range(20)]
    path = write(tmp_path / "train.tsv", *lines)
    overrides = {"codec.source": {"kind": "factored", "base": {"kind": "tokens"}}, "data.train": path}
    with pytest.raises(DataError, match=rf"tokens without their 1 factors \(the first: 'b'\).*{SEPARATOR}.*train.tsv"):
        anyseq.train("tag/crf", tmp_path / "model", overrides=overrides)


def test_eleven_factors_are_loaded_in_their_order(tmp_path: Path) -> None:
    text = SEPARATOR.join(["word", *(f"f{number}" for number in range(11))])
    codec = FactoredConfig(base=TokensConfig(), factors=(TokensConfig(),) * 11).fit([text])
    codec.save(tmp_path)
    assert FactoredTokens.load(tmp_path).encode(text).tolist() == codec.encode(text).tolist()
    shutil.rmtree(tmp_path / "3-tokens")
    with pytest.raises(ModelFolderError, match="copy the model folder again"):
        FactoredTokens.load(tmp_path)


def test_tokens_without_factors_are_unknown_to_a_model_of_factors() -> None:
    found = CODECS[0].unknown("the cat￨NN")
    assert found.parts == ("the",) and not CODECS[0].unknown("the￨DT cat￨NN").parts


@pytest.mark.parametrize(
    ("codec", "columns", "told"),
    [
        ({"kind": "spelt"}, [1], "names 1 columns, the codec of the source reads 0"),
        ({"kind": "factored", "base": {"kind": "spelt"}}, [0, 1], "names 2 columns, the codec of the source reads 1"),
    ],
)
def test_columns_and_factors_agree(codec: dict[str, object], columns: list[int], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        anyseq.config.load_recipe("tag/crf", {"codec.source": codec, "data.factors": columns})


def test_a_source_that_does_not_come_token_by_token_is_refused(tmp_path: Path) -> None:
    data = [(f"the U.S. pays {number}", "O B-x O O") for number in range(20)]
    with pytest.raises(ConfigError, match=r"codec.source: a tag is said of each token, and words"):
        anyseq.train("tag/crf", tmp_path / "m", overrides={"codec.source": "words", "data.train": data})
