"""Letters to sounds and inflection: what is read, what counts as right, what is learnt."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import anyseq
from anyseq.api import check
from anyseq.config import load_recipe
from anyseq.data.synthetic.inflections import InflectionsConfig
from anyseq.data.synthetic.spellings import SpellingsConfig, pronunciations
from anyseq.errors import ConfigError, DataError
from anyseq.tasks.fitting import validator
from tiny_runs import main, write

FORMS = ["talo\ttalossa\tN;INE;SG", "ice cream\tice creams\tN;PL", "puhua\ten puhu\tV;ACT;PRS;NEG;1;SG"]
STRESS = "data.target_without='(?<=[A-Z])[0-2]'"
SAID = ["read\tR EH1 D", "Read\tR IY1 D", "a\tAH0", "a\tEY1", "cat\tK AE1 T"]
SMALL = (
    *("model.encoder.embed_dim=32", "model.encoder.hidden_dim=64", "model.decoder.embed_dim=32"),
    *("model.decoder.hidden_dim=96", "training.learning_rate=1e-2", "training.warmup_steps=20", "search.beam_size=1"),
    *("data.generator.dev=100", "data.generator.test=300", "training.validate_every=200", "training.max_minutes=null"),
)


def read(recipe: str, data: Any, *words: str) -> list[tuple[str, str]]:
    items = load_recipe(recipe, words).build().read_pairs(data)
    return [(item.raw["source"], item.raw["target"]) for item in items]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("cacica", ["K AE S IH K AH"]), ("gage", ["G EY JH"]), ("made", ["M EY D"]), ("mad", ["M AE D"]),
        ("knockt", ["N AA K T"]), ("pingpong", ["P IH NG P AA NG"]), ("rattle", ["R AE T L IY"]),
        ("station", ["S T AE SH AH N"]), ("phase", ["F EY Z"]), ("quarter", ["K W AA R T ER"]), ("vas", ["V AE S"]),
        ("vans", ["V AE N Z"]), ("bread", ["B R IY D", "B R EH D"]), ("wren", ["R EH N"]), ("fee", ["F IY"]),
    ],
)  # fmt: skip
def test_the_invented_orthography(word: str, said: list[str]) -> None:
    assert pronunciations(word) == said


def test_every_pronunciation_is_an_item() -> None:
    items = SpellingsConfig(train=300).generate("train")
    words: dict[str, list[str]] = {}
    for item in items:
        words.setdefault(item.raw["source"], []).append(item.raw["target"])
    assert len(words) == 300 < len(items)
    assert all(said == pronunciations(word) for word, said in words.items())


def test_the_invented_language() -> None:
    forms = {item.raw["source"]: item.raw["target"] for item in InflectionsConfig(train=6000).generate("train")}
    for source, form in forms.items():
        lemma, features = source.split(" ")
        assert not (set("aou") & set(form.split()[-1]) and set("äöy") & set(form.split()[-1])), form
        if features == "N;NOM;SG":
            assert form == lemma
        if features == "N;INE;SG":
            assert form.endswith(("ssa", "ssä"))
            if lemma[-3:-1] in ("kk", "pp", "tt"):
                assert form[:-3] == lemma[:-2] + lemma[-1]
        if "NEG" in features:
            assert form.split()[0] in {"en", "et", "ei", "emme", "ette", "eivät"}


def test_no_lemma_is_in_two_splits() -> None:
    config = InflectionsConfig(train=500, dev=100, test=100)
    lemmas = [{item.raw["source"].split()[0] for item in config.generate(split)} for split in ("train", "dev", "test")]
    assert not lemmas[0] & lemmas[1] and not lemmas[1] & lemmas[2] and not lemmas[0] & lemmas[2]


def test_a_lemma_its_form_and_its_features(tmp_path: Path) -> None:
    path = write(tmp_path / "forms.tsv", *FORMS)
    expected = [("talo N;INE;SG", "talossa"), ("ice cream N;PL", "ice creams"), (
        "puhua V;ACT;PRS;NEG;1;SG", "en puhu",
    )]  # fmt: skip
    assert read("transduce/inflect", path) == expected
    assert read("transduce/inflect", [line.split("\t") for line in FORMS]) == expected
    named = write(tmp_path / "named.tsv", "features\tlemma\ttarget", "N;PL\tcat\tcats")
    assert read("transduce/inflect", named) == [("cat N;PL", "cats")]
    sides = {"source": ["cat N;PL"], "target": ["cats"]}
    assert read("transduce/inflect", sides) == [("cat N;PL", "cats")]
    turned = ("data.columns=[target, lemma, features]",)
    assert read("transduce/inflect", [("cats", "cat", "N;PL")], *turned) == [("cat N;PL", "cats")]


def test_each_feature_is_one_symbol() -> None:
    codec = load_recipe("transduce/inflect").build()
    codec.fit_codecs(codec.read_pairs([line.split("\t") for line in FORMS]))
    parts = codec.codecs["source"].parts  # type: ignore[attr-defined]
    assert parts("talo N;INE;SG") == parts("talo\tN;INE;SG") == ["t", "a", "l", "o", " N", ";INE", ";SG"]
    assert parts("ice cream N;PL") == [*"ice cream", " N", ";PL"]
    assert parts("talo") == list("talo")


def test_a_line_that_lacks_a_column_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "forms.tsv", FORMS[0], "talo\ttalon")
    with pytest.raises(DataError, match=r"forms.tsv:2: 2 columns, expected 3 .*\(lemma, target, features\)"):
        read("transduce/inflect", path)


@pytest.mark.parametrize("columns", ["[lemma, form]", "[target]", "[target, target, x]", "[a, a, target]", "[]"])
def test_columns_that_cannot_be(columns: str) -> None:
    with pytest.raises(ConfigError, match="one column is called target"):
        load_recipe("transduce/inflect", [f"data.columns={columns}"])


def test_what_is_taken_out_of_targets(tmp_path: Path) -> None:
    path = write(tmp_path / "said.tsv", *SAID)
    assert read("transduce/pronounce", path, STRESS)[0] == ("read", "R EH D")
    assert read("transduce/pronounce", path)[0] == ("read", "R EH1 D")
    with pytest.raises(ConfigError, match="no regular expression"):
        load_recipe("transduce/pronounce", ["data.target_without='(['"])


@pytest.fixture(scope="module")
def speller(tmp_path_factory: pytest.TempPathFactory) -> anyseq.api.Trained:
    folder = tmp_path_factory.mktemp("pronounce") / "model"
    words = (*SMALL, "data.generator.train=2000", "training.max_steps=250", "training.batch_tokens=1000", STRESS)
    return anyseq.train("transduce/pronounce", folder, threads=1, device="cpu", overrides=words)


def test_sounds_of_words_nobody_knows(speller: anyseq.api.Trained) -> None:
    assert speller.test is not None and speller.test.count == 300, "a word with two pronunciations counts once"
    assert speller.test.metrics["exact_match"] > 30 and speller.test.metrics["per"] < 15
    assert any(len(each) > 1 for each in speller.test.references)


def test_any_pronunciation_is_right(
    speller: anyseq.api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = [each.output for each in speller.predictor.predict(["mad", "tab"])]
    one, other = ("".join(f"{sound}1" if sound[0] in "AEIOU" else sound for sound in said) for said in (
        re.split("( )", output) for output in outputs
    ))  # fmt: skip
    data = write(tmp_path / "said.tsv", "mad\tN", f"mad\t{one}", f"tab\t{other}", f"tab\t{other.replace('1', '2')}")
    source = write(tmp_path / "source.txt", "mad", "tab")
    target = write(tmp_path / "target.tsv", f"N\t{one}", other)
    figures = tmp_path / "figures.json"
    for given in (["--data", data], ["--source", source, "--target", target]):
        assert main(["evaluate", str(speller.folder), *map(str, given), "--json", str(figures)]) == 0
        found = json.loads(figures.read_text())
        assert found["count"] == 2
        assert found["metrics"]["exact_match"] == 100 and found["metrics"]["per"] == 0
    capsys.readouterr()
    assert main(["score", str(speller.folder), "--data", str(data)]) == 0
    scores = [float(line.split()[0]) for line in capsys.readouterr().out.splitlines()]
    assert len(scores) == 4 and scores[1] > scores[0] and scores[2] == scores[3]


def test_a_part_of_dev_has_all_pronunciations_of_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"{a}{b}" for a in "bdgkmnprst" for b in "aeiou"]
    pairs = [(word, f"{sound} {word.upper()}") for word in words for sound in ("A", "B", "C")]
    task: Any = load_recipe("transduce/pronounce", {"data.train": pairs, "training.validate_items": 20}).build()
    splits = task.read()
    seen: list[Any] = []

    def evaluate(task: Any, items: Any, references: Any, settings: Any) -> Any:
        seen.append((items, references))
        raise InterruptedError

    monkeypatch.setattr("anyseq.tasks.fitting.evaluate", evaluate)
    validate = validator(task, splits.train)
    with pytest.raises(InterruptedError):
        validate()
    [(items, references)] = seen
    assert len(items) == len({item.raw["source"] for item in items}) == 20
    assert all(len(given) == 3 for given in references)


def test_forms_of_lemmas_nobody_knows(tmp_path: Path) -> None:
    """Who gives the lemma back is right for 3 % of the forms."""
    words = (*SMALL, "data.generator.train=2500", "training.max_steps=350", "training.batch_tokens=1000")
    trained = anyseq.train("transduce/inflect", tmp_path / "model", threads=1, device="cpu", overrides=words)
    assert trained.test is not None and trained.test.metrics["exact_match"] > 40


def test_sources_with_several_targets_are_remarked(tmp_path: Path) -> None:
    rows = [f"word{n}\tone" for n in range(40)] + [f"word{n}\ttwo" for n in range(3)]
    path = write(tmp_path / "pairs.tsv", *rows)
    tiny = [f"data.train={path}", "model.encoder.hidden_dim=4", "model.decoder.hidden_dim=8"]
    told = {
        alternatives: " ".join(map(str, check("transduce/pairs", overrides=[*tiny, alternatives]).findings))
        for alternatives in ("data.alternatives=false", "data.alternatives=true")
    }
    assert "have a source that has another target, too" in told["data.alternatives=false"]
    assert "another target" not in told["data.alternatives=true"]


def test_the_trivial_answer_is_the_lemma_or_sounds_letter_by_letter(speller: anyseq.api.Trained) -> None:
    assert speller.trivial is not None and speller.test is not None
    name, metrics = speller.trivial
    assert name == "each character's most frequent token"
    assert metrics["exact_match"] < 0.6 * speller.test.metrics["exact_match"]
    task = load_recipe("transduce/inflect").build()
    items = task.read_pairs([line.split("\t") for line in FORMS])  # type: ignore[attr-defined]
    task.fit_codecs(items)
    found = task.trivial(items, items)
    assert found is not None and found.outputs == ["talo", "ice cream", "puhua"]
