"""Copy, reverse, expand: what they make, and the laws of every generator of embedded data."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from anyseq.data.synthetic.base import SizedGeneratorConfig, split_of
from anyseq.data.synthetic.dates import DatesConfig
from anyseq.data.synthetic.origins import OriginsConfig
from anyseq.data.synthetic.phrases import PhrasesConfig
from anyseq.data.synthetic.strings import CopyConfig, ExpandConfig, ReverseConfig
from anyseq.errors import UsageError

SIZES = {"train": 150, "dev": 30, "test": 40}
EVERY = [CopyConfig, ReverseConfig, ExpandConfig, DatesConfig, PhrasesConfig, OriginsConfig]


def source_and_target(config: SizedGeneratorConfig, split: str) -> list[tuple[str, str]]:
    return [(item.raw["source"], item.raw["target"]) for item in config.generate(split)]


@pytest.mark.parametrize("kind", EVERY)
def test_splits_are_full_disjoint_and_each_source_stands_once(kind: type[SizedGeneratorConfig]) -> None:
    config = kind.model_validate(SIZES)
    made = {split: source_and_target(config, split) for split in SIZES}
    assert {split: len(pairs) for split, pairs in made.items()} == SIZES
    sources = [source for pairs in made.values() for source, _ in pairs]
    assert len(set(sources)) == len(sources)
    assert all(source and target for pairs in made.values() for source, target in pairs)
    assert [item.key for item in config.generate("dev")] == list(range(30))


@pytest.mark.parametrize("kind", EVERY)
def test_same_settings_same_items(kind: type[SizedGeneratorConfig]) -> None:
    config = kind.model_validate(SIZES)
    assert source_and_target(config, "train") == source_and_target(kind.model_validate(SIZES), "train")
    longer = source_and_target(kind.model_validate({**SIZES, "train": 200}), "train")
    assert longer[:150] == source_and_target(config, "train")
    assert source_and_target(kind.model_validate({**SIZES, "seed": 2}), "train") != source_and_target(config, "train")


@pytest.mark.parametrize("kind", EVERY)
def test_an_unknown_split_is_refused(kind: type[SizedGeneratorConfig]) -> None:
    with pytest.raises(UsageError, match="no split 'validation'; the splits are train, dev, test"):
        kind().generate("validation")


def test_copy_and_reverse() -> None:
    for item in CopyConfig(train=50).generate("train"):
        assert item.raw["target"] == item.raw["source"]
    for item in ReverseConfig(train=50).generate("train"):
        assert item.raw["target"] == item.raw["source"][::-1]


def test_lengths_and_alphabet() -> None:
    config = CopyConfig(alphabet="xyz", min_length=6, max_length=9, dev=100)
    sources = [source for source, _ in source_and_target(config, "dev")]
    assert {len(source) for source in sources} == {6, 7, 8, 9}
    assert set("".join(sources)) == set("xyz")


def test_expand() -> None:
    pairs = source_and_target(ExpandConfig(max_length=3, alphabet="abc", train=1000), "train")
    for source, target in pairs:
        runs = re.findall(r"([abc])(\d+)", source)
        assert "".join(letter + count for letter, count in runs) == source
        assert target == "".join(letter * int(count) for letter, count in runs)
        assert 1 <= len(runs) <= 3
    assert max(len(target) / len(source) for source, target in pairs) == 10


def test_too_small_a_space_is_refused_with_a_remedy() -> None:
    with pytest.raises(UsageError, match=r"only \d of 9 distinct items .* 'test'; ask for fewer"):
        CopyConfig(alphabet="ab", max_length=2, test=9).generate("test")


@pytest.mark.parametrize(
    "settings",
    [{"min_length": 5, "max_length": 4}, {"alphabet": "aba"}, {"alphabet": "a b"}, {"alphabet": ""}, {"train": 0}],
)
def test_impossible_settings_are_refused(settings: dict) -> None:
    with pytest.raises(ValidationError):
        CopyConfig.model_validate(settings)


def test_expand_refuses_digits_as_letters() -> None:
    with pytest.raises(ValidationError, match="digit"):
        ExpandConfig(alphabet="a1")


def test_any_seed_will_do() -> None:
    assert len(CopyConfig(train=5, seed=10**80).generate("train")) == 5


def test_split_of_keeps_its_shares() -> None:
    drawn = [split_of(str(key), 3, 0.1) for key in range(2000)]
    assert 0.08 < drawn.count("dev") / 2000 < 0.12
    assert 0.08 < drawn.count("test") / 2000 < 0.12
    assert 0.78 < drawn.count("train") / 2000 < 0.82
