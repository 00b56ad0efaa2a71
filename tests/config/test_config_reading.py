from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_task import Mood, Round, Square, ToyPair, ToyTask, ToyTraining

from anyseq.config import load_recipe, load_resolved, read_about, read_flags
from anyseq.errors import ConfigError, ModelFolderError

Write = Callable[..., Path]


def faults(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_recipe(path, overrides)
    return [str(fault).replace(str(path), "FILE") for fault in caught.value.faults]


def toy(path: Path, *overrides: str) -> ToyTask:
    config = load_recipe(path, overrides)
    assert isinstance(config, ToyTask)
    return config


def test_all_faults_of_a_recipe_are_reported_together_with_their_lines(recipe: Write) -> None:
    path = recipe(
        """task: toy
model:
  kind: squar
codec:
  kind: round
  radios: 2
training:
  max_steps: many
  schedule: cosin
  learning_rate: -1
metrics: round
""",
        bare=True,
    )
    found = faults(path, "training.warmup=3", "nonsense")
    assert len(found) == 9
    for words in (
        ("FILE:1", "description", "missing", "One line."),
        ("FILE:3", "model.kind", "'squar'", "did you mean 'square'", "round, square"),
        ("FILE:6", "codec.radios", "did you mean 'radius'", "colour"),
        ("FILE:8", "training.max_steps", "valid integer", '"many"'),
        ("FILE:9", "training.schedule", "'constant' or 'cosine'", "did you mean 'cosine'"),
        ("FILE:10", "training.learning_rate", "greater than 0", "-1"),
        ("FILE:11", "metrics", "list"),
        ("command line: training.warmup=3", "unknown key 'warmup'", "'warmup_steps'"),
        ("command line: nonsense", "key=value"),
    ):
        assert any(all(word in line for word in words) for line in found), (words, found)


def test_one_word_for_a_list_is_told_how_a_list_is_written(recipe: Write) -> None:
    (found,) = faults(recipe(""), "words=north")
    assert "should be a list" in found and found.endswith('not "north"; as in [north]'), found


def test_an_impossible_pair_is_reported_beside_other_faults(recipe: Write) -> None:
    found = faults(recipe("training:\n  max_steps: 5\n  warmup_steps: 6\n"), "codec=roun")
    said = "warmup_steps 6 is more than max_steps 5"
    assert any(line.startswith("FILE:4: training") and said in line for line in found)
    assert any(line.startswith("command line: codec=roun") and "did you mean 'round'" in line for line in found)


def test_keys_not_given_come_from_the_default_of_the_field_not_of_its_class(recipe: Write) -> None:
    config = toy(recipe("training:\n  warmup_steps: 20\n"), "codec.colour=green")
    assert config.training == ToyTraining(max_steps=500, warmup_steps=20)
    assert config.codec == Round(radius=3.0, colour="green")


def test_another_kind_keeps_the_settings_it_shares_and_drops_the_rest(recipe: Write) -> None:
    path = recipe("codec:\n  kind: round\n  radius: 9\n  colour: grey\n")
    assert toy(path, "codec=square").codec == Square(colour="grey")
    assert toy(path, "codec.kind=square", "codec.side=7").codec == Square(colour="grey", side=7)
    assert toy(path, "codec.colour=pink", "codec=square").codec == Square(colour="pink")
    assert toy(path, "codec=square", "codec=round").codec == Round(radius=9, colour="grey")


def test_one_kind_after_another(recipe: Write) -> None:
    path = recipe("codec:\n  kind: round\n  radius: 9\n  colour: grey\n")
    assert toy(path, "codec=square", "codec=square").codec == Square(colour="grey")
    assert toy(path, "codec=square", "codec.inner=round", "codec.inner.radius=2", "codec.inner=square").codec == Square(
        colour="grey", inner=Square()
    )
    found = faults(recipe("codec:\n  kind: round\n  radios: 9\n"), "codec=square", "codec=round")
    assert len(found) == 1 and found[0].startswith("FILE:6: codec.radios")


def test_an_override_inside_a_part_of_a_replaced_part_keeps_the_rest(recipe: Write) -> None:
    path = recipe("codec: {kind: square, inner: {kind: round, radius: 4}}\n")
    assert toy(path, "codec=square", "codec.inner.colour=pink").codec == Square(inner=Round(radius=4, colour="pink"))


def test_a_bare_name_for_a_group_is_the_kind_of_its_named_parts(recipe: Write) -> None:
    one = "pair: {left: {kind: round, radius: 9, colour: grey}, apart: 5}\n"
    both = "pair: {left: {kind: round, radius: 9, colour: grey}, right: round}\n"
    assert toy(recipe(""), "pair=square").pair == ToyPair(left=Square())
    assert toy(recipe("pair: square\n")).pair == ToyPair(left=Square())
    assert toy(recipe(one), "pair=square").pair == ToyPair(left=Square(colour="grey"), apart=5)
    assert toy(recipe(both), "pair=square").pair == ToyPair(left=Square(colour="grey"), right=Square())
    assert toy(recipe(both), "pair.right=null", "pair=square").pair == ToyPair(left=Square(colour="grey"))
    assert toy(recipe(both), "pair=square", "pair.right.side=7", "pair.apart=2").pair == ToyPair(
        left=Square(colour="grey"), right=Square(side=7), apart=2
    )
    assert toy(recipe(both), "pair=square", "pair=round").pair == toy(recipe(both)).pair
    assert toy(recipe(both), "pair=square", "pair.left=round").pair == ToyPair(
        left=Round(radius=9, colour="grey"), right=Square()
    )
    found = faults(recipe(both), "pair=squar")
    assert len(found) == 1 and "pair=squar" in found[0] and "did you mean 'square'" in found[0]
    one, other = faults(recipe(both), "pair=5", "training=square")
    assert "one of round, square, or settings wanted here (pair.left, pair.right, pair.apart), not 5" in one + other
    assert "training=square: settings wanted here (training.max_steps" in one + other


def test_a_misspelt_setting_is_not_dropped_with_the_old_kind(recipe: Write) -> None:
    found = faults(recipe("codec:\n  kind: round\n  radios: 9\n"), "codec=square")
    assert len(found) == 1 and found[0].startswith("FILE:6: codec.radios")


def test_an_override_the_new_kind_has_not_is_a_fault(recipe: Write) -> None:
    found = faults(recipe(""), "model.radius=3")
    assert len(found) == 1 and "unknown key 'radius'" in found[0]


def test_a_kind_written_as_a_bare_name_takes_overrides_of_its_settings(recipe: Write) -> None:
    assert toy(recipe(""), "model.side=5").model == Square(side=5)


def test_nested_optional_listed_and_named_parts(recipe: Write) -> None:
    text = """metrics:
  - round
  - {kind: square, side: 4}
heads:
  left: round
  right: {kind: square}
codec: {kind: square, inner: {kind: square, inner: round}}
"""
    config = toy(recipe(text), "heads.right.side=8")
    assert config.metrics == (Round(), Square(side=4))
    assert config.heads == {"left": Round(), "right": Square(side=8)}
    assert config.codec == Square(inner=Square(inner=Round()))
    assert toy(recipe(text), "codec.inner=null", "metrics=[square]").codec == Square()
    assert toy(recipe(text), "metrics=[square, {kind: round, radius: 2}]").metrics == (Square(), Round(radius=2))


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 1e-3), ("1E+2", 100.0), (".5", 0.5), ("7", 7.0), (".inf", math.inf), ("5.", 5.0)],
)
def test_every_way_to_write_a_number_is_a_float(recipe: Write, text: str, value: float) -> None:
    config = toy(recipe(f"training:\n  learning_rate: {text}\n"), f"search.learning_rate={text}")
    assert config.training.learning_rate == value == config.search.learning_rate


@pytest.mark.parametrize("text", ["no", "on", "yes", "off", "12:30", "2020-01-01", "0x", "1_0", "5e"])
def test_what_yaml_1_1_would_misread_stays_text(recipe: Write, text: str) -> None:
    config = toy(recipe(f"words: [{text}]\n"), f"data.train={text}", f"codec.colour={text}")
    assert config.words == (text,)
    assert (config.data.train, config.codec) == (text, Round(radius=3.0, colour=text))


def test_a_number_typed_where_text_is_wanted_is_text_only_on_the_command_line(recipe: Write) -> None:
    assert toy(recipe(""), "codec.colour=2016").codec == Round(radius=3.0, colour="2016")
    assert toy(recipe(""), 'codec.colour="a b"').codec == Round(radius=3.0, colour="a b")
    found = faults(recipe("codec:\n  colour: 2016\n"))
    assert len(found) == 1 and "FILE:5" in found[0] and "valid string, not 2016" in found[0]


def test_whole_numbers_and_truth_values_are_not_guessed(recipe: Write) -> None:
    found = faults(recipe(""), "training.max_steps=1.5", "training.shuffle=1", "search.max_steps=true")
    assert len(found) == 3


def test_paths_and_enumerations(recipe: Write) -> None:
    config = toy(recipe("data: {cache: some/where}\n"), "training.mood=wild")
    assert (config.data.cache, config.training.mood) == (Path("some/where"), Mood.WILD)


def test_overrides_from_python_take_any_object_as_it_is(recipe: Write) -> None:
    pairs = [("a", "b")] * 1000
    config = load_recipe(recipe(""), {"data.train": pairs, "training": {"max_steps": 50}, "codec": Square(side=9)})
    assert isinstance(config, ToyTask)
    assert config.data.train is pairs
    assert (config.training.max_steps, config.training.warmup_steps, config.codec) == (50, 10, Square(side=9))
    with pytest.raises(ConfigError, match=r"argument: training.max_steps='x'.*valid integer"):
        load_recipe(recipe(""), {"training": {"max_steps": "x"}})


def test_data_keys_replace_each_other(recipe: Write) -> None:
    path = recipe("data: {train: one.tsv}\n")
    assert toy(path, "data.train.source=a", "data.train.target=b").data.train == {"source": "a", "target": "b"}
    path = recipe("data: {train: {source: a, target: b}}\n")
    assert toy(path, "data.train=one.tsv").data.train == "one.tsv"
    assert toy(path, "data.train=[a, b]").data.train == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", ("FILE:", "no YAML")),
        ("", ("FILE", "task: NAME")),
        ("- a\n", ("FILE", "task: NAME")),
        ("task: toy\ntask: toy\n", ("FILE:2", "once")),
        ("task: &a [*a]\n", ("FILE:1", "anchors")),
        ("task: toy\nmodel: &a {kind: round}\ncodec: *a\n", ("FILE:2", "anchors")),
        ("task: !!python/object:os.system x\n", ("FILE:1", "tags")),
        ("? [a]\n: b\n", ("FILE:1", "one name")),
        ("[" * 5000, ("FILE", "no YAML")),
        ("a:\n" + "".join(f"{' ' * at}b:\n" for at in range(1, 99)), ("FILE", "nesting")),
        ("description: no task\n", ("task", "missing", "toy")),
        ("task: 5\n", ("FILE:1: task", "name is wanted", "5")),
    ],
)
def test_what_is_no_recipe(recipe: Write, text: str, words: tuple[str, ...]) -> None:
    found = faults(recipe(text, bare=True))
    assert any(all(word in line for word in words) for line in found), found


def test_unreadable_recipes(tmp_path: Path, recipe: Write) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml cannot be read"):
        load_recipe(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match="did you mean 'translate/transformer'"):
        load_recipe("translate/transfomer")
    path = recipe("")
    path.write_bytes(b"task: toy\ndescription: \xff\n")
    with pytest.raises(ConfigError, match=r"recipe.yaml:2: this is no UTF-8"):
        load_recipe(path)


def test_parts_from_outside(tmp_path: Path, recipe: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    Path(tmp_path, "wheelwright.py").write_text("from toy_task import Round\nclass Wheel(Round):\n    pass\nx = 1\n")
    Path(tmp_path, "broken_wheel.py").write_text("1 / 0\n")
    assert type(toy(recipe(""), "codec=wheelwright:Wheel").codec).__name__ == "Wheel"
    for kind, words in {
        "wheelwright:Whee": "'wheelwright' has no 'Whee'; did you mean 'Wheel'?",
        "wheelwright:x": "no PartConfig",
        "broken_wheel:X": "ZeroDivisionError",
        "nowhere:X": "current one, or in PYTHONPATH",
        "toy_task:ToyTask": "section = 'bodies'",
    }.items():
        assert words in faults(recipe(""), f"codec={kind}")[0]


def test_a_model_folder_imports_foreign_code_only_when_trusted(
    tmp_path: Path, recipe: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    Path(tmp_path, "alien.py").write_text("raise SystemError('it ran')\n")
    recipe("codec: alien:Part\nabout: {format: 1}\n").rename(tmp_path / "config.yaml")
    for trust in ((), ("alie",), ("other",)):
        with pytest.raises(ConfigError, match=r"config.yaml:4: codec.kind: .*--trust alien"):
            load_resolved(tmp_path, trust=trust)
    with pytest.raises(ConfigError, match="it ran"):
        load_resolved(tmp_path, trust=("alien",))
    assert read_about(tmp_path) == {"format": 1}


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"holds no config.yaml|holds a config.yaml"):
        load_resolved(tmp_path)
    with pytest.raises(ModelFolderError, match="does not exist"):
        load_resolved(tmp_path / "gone")


def test_flags_are_checked_like_keys() -> None:
    assert read_flags(ToyTraining, {"max_steps": "7", "shuffle": False, "learning_rate": "1e-2"}) == {
        "max_steps": 7,
        "shuffle": False,
        "learning_rate": 0.01,
    }
    assert read_flags(ToyTask, {"words": ["a", "b"], "description": "12"}) == {"words": ("a", "b"), "description": "12"}
    with pytest.raises(ConfigError) as caught:
        read_flags(ToyTraining, {"max_steps": "0", "schedule": "cosin"})
    assert "--max-steps 0: should be greater than or equal to 1" in str(caught.value)
    assert "did you mean 'cosine'" in str(caught.value)
