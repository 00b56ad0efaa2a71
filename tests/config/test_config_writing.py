from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from toy_task import Body, Mood, Round, Square, ToyData, ToyTask, ToyTraining

from anyseq.catalogue import PARTS, kind_of, resolve
from anyseq.config import describe, dump, load_recipe, read_about
from anyseq.config import plain as plain_tree
from anyseq.config.differences import differences, told
from anyseq.errors import ConfigError

PHASES = (Phase.generate, Phase.shrink)
awkward = ["no", "1e-3", "12:30", "null", "~", "", "a: b", "# c", "- d", "\x85", " x"]
texts = st.text(max_size=12) | st.sampled_from(awkward)
numbers = st.floats(min_value=1e-300, allow_nan=False)
rounds = st.builds(Round, radius=numbers, colour=texts)
bodies = st.recursive(
    rounds, lambda inner: st.builds(Square, side=st.integers(1), colour=texts, inner=st.none() | inner)
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
trainings = st.builds(
    ToyTraining,
    max_steps=st.integers(10),
    learning_rate=numbers,
    schedule=st.sampled_from(["constant", "cosine"]),
    mood=st.sampled_from(Mood),
    shuffle=st.booleans(),
)
tasks = st.builds(
    ToyTask,
    description=texts,
    data=st.builds(ToyData, train=plain, generator=st.none() | bodies, cache=st.none() | st.just(Path("a/b"))),
    codec=bodies,
    model=bodies,
    training=trainings,
    metrics=st.lists(bodies, max_size=3).map(tuple),
    heads=st.dictionaries(texts, bodies, max_size=2),
    words=st.lists(texts, max_size=3).map(tuple),
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(config=tasks)
def test_what_is_dumped_is_read_back_equal(config: ToyTask, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "config.yaml"
    path.write_text(dump(config, {"format": 1, "words": ["no"]}), encoding="utf-8", newline="\n")
    assert load_recipe(path) == config
    assert read_about(path.parent) == {"format": 1, "words": ["no"]}


def test_data_from_python_leaves_a_remark() -> None:
    config = ToyTask(description="", model=Round(), data=ToyData(train=["a"] * 1000))
    assert "train: <list of 1000, given from Python>" in dump(config)


@pytest.mark.parametrize("seed", range(10))
def test_a_thousand_fuzzed_recipes_end_in_a_config_or_in_faults(seed: int, recipe: Callable[..., Path]) -> None:
    random_ = random.Random(seed)
    sound = dump(ToyTask(description="x", model=Square(inner=Round()), words=("a", "b")))
    signs = ["kind", ":", "- ", "{", "]", "&a", "*a", "!!int", "\t", "é", "1e999", "\x00", "'", "null"]
    pieces = [*sound.splitlines(), *signs]
    keys = ["training.max_steps", "codec", "codec.kind", "model.inner.inner", "metrics", "heads.x", "data.train.a", "."]
    outcomes = set()
    for _ in range(100):
        lines = sound.splitlines(keepends=True)
        for _ in range(random_.randrange(4)):
            at = random_.randrange(len(lines))
            cut = random_.randrange(len(lines[at]))
            lines[at] = random_.choice([lines[at][:cut], "", lines[at] * 2]) + random_.choice(pieces) + lines[at][cut:]
        words = [f"{random_.choice(keys)}={random_.choice(pieces)}" for _ in range(random_.randrange(3))]
        try:
            load_recipe(recipe("".join(lines), bare=True), words)
            outcomes.add("read")
        except ConfigError as error:
            assert str(error) and all(fault.message for fault in error.faults)
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_describe_lists_every_key_with_its_default() -> None:
    rows = {row.key: row for row in describe(ToyTask)}
    assert {"training.max_steps", "data.cache", "codec", "model", "words"} <= set(rows)
    assert asdict(rows["training.max_steps"]) == {
        "key": "training.max_steps",
        "type": "int ≥ 1",
        "default": "500",
        "description": "Steps.",
    }
    assert (rows["training.schedule"].type, rows["training.schedule"].default) == ("constant | cosine", "constant")
    assert (rows["model"].type, rows["model"].default, rows["codec"].default) == ("round | square", None, "round")
    assert (rows["words"].type, rows["words"].default) == ("list of str", "[]")
    assert rows["data.cache"].type == "path | null"
    assert rows["metrics"].default == "[round]"


def test_kinds_are_found_by_their_classes_and_back() -> None:
    assert kind_of(Square) == "square" and resolve("bodies", "square") is Square
    with pytest.raises(ConfigError, match="did you mean 'square'"):
        resolve("bodies", "sqare")
    for section, entries in PARTS.items():
        assert len(set(entries.values())) == len(entries), f"{section} names a class twice"
    assert issubclass(resolve("bodies", "toy_task:Round", trust=("toy_task",)), Body)


def test_differences_are_told_as_the_words_that_undo_them(recipe: Callable[..., Path]) -> None:
    words = ["training.max_steps=77", "training.mood=wild", "pair.right=square", "codec.colour='a b'"]
    words += ["data.train=x.tsv", "model.inner=round", "words=[a, b]"]
    there, here = load_recipe(recipe(""), words), load_recipe(recipe(""))
    found = list(differences(plain_tree(there), plain_tree(here)))
    assert load_recipe(recipe(""), [each.override for each in found]) == there
    assert "training.max_steps is 77 there, 500 here" in map(str, found)
    assert "pair.right is square there, null here" in map(str, found)
    assert list(differences(plain_tree(here), plain_tree(here))) == []


def test_of_two_kinds_the_kind_alone_differs(recipe: Callable[..., Path]) -> None:
    there, here = load_recipe(recipe(""), ["codec=square", "codec.side=9"]), load_recipe(recipe(""))
    assert [*map(str, differences(plain_tree(there), plain_tree(here)))] == ["codec.kind is square there, round here"]
    assert [*differences({"a": 1}, {"b": 1})] == [], "one of them is of another version"


def test_many_differences_are_counted() -> None:
    found = list(differences(dict.fromkeys("abcdefghijkl", 1), dict.fromkeys("abcdefghijkl", 2)))
    assert told(found).startswith("a is 1 there, 2 here; ")
    assert told(found).endswith("; h is 1 there, 2 here and 4 more")
