"""Phrases in two languages."""

from __future__ import annotations

import re
import sys
from random import Random

import pytest
from pydantic import ValidationError

from anyseq.data.synthetic.phrases import Phrase, PhraseBook, PhrasesConfig
from anyseq.errors import MissingExtraError, UsageError


@pytest.fixture(scope="module")
def book() -> PhraseBook:
    return PhraseBook("de", "en")


def draws(book: PhraseBook, kind: str, count: int = 2000) -> dict[str, str]:
    rng = Random(0)
    phrases = [book.kinds()[kind](rng) for _ in range(count)]
    return {phrase.source: phrase.target for phrase in phrases}


@pytest.mark.parametrize(
    ("kind", "source", "target"),
    [
        ("time", "14:30", "2:30 PM"),
        ("territory", "Deutschland", "Germany"),
        ("language", "Tschechisch", "Czech"),
        ("currency", "Schweizer Franken", "Swiss Franc"),
    ],
)
def test_known_phrases(book: PhraseBook, kind: str, source: str, target: str) -> None:
    assert draws(book, kind)[source] == target


def test_relative_times_keep_their_unit(book: PhraseBook) -> None:
    relative = draws(book, "relative", 1500)
    ago = {source: target for source, target in relative.items() if re.fullmatch(r"vor \d+ Tag(en)?", source)}
    assert ago == {source: f"{n} day{'s' * (n != 1)} ago" for source in ago for n in [int(source.split()[1])]}
    ahead = {source: target for source, target in relative.items() if re.fullmatch(r"in \d+ Minuten", source)}
    assert ahead == {source: f"in {source.split()[1]} minutes" for source in ahead}
    assert min(len(ago), len(ahead)) > 40
    assert any(int(source.split()[1]) > 60 for source in ahead)


def test_units_are_inflected_and_numbers_written_in_their_way(book: PhraseBook) -> None:
    quantities = draws(book, "quantity", 4000)
    hours = {source: target for source, target in quantities.items() if re.fullmatch(r"[\d.,]+ Stunden?", source)}
    for source, target in hours.items():
        number, unit = source.split()
        assert unit == ("Stunde" if number == "1" else "Stunden")
        english = number.translate(str.maketrans(".,", ",."))
        assert target == f"{english} hour{'' if number == '1' else 's'}"
    assert len(hours) > 8


def test_lists_and_ranges(book: PhraseBook) -> None:
    names = iter([Phrase("A", "a"), Phrase("B", "b"), Phrase("C", "c"), Phrase("D", "d")] * 50)
    made = {(p.source, p.target) for p in (book.listed(Random(seed), lambda: next(names)) for seed in range(40))}
    assert any(source.count(",") == 1 and " und " in source and ", and " in target for source, target in made)
    assert any(" oder " in source and " or " in target.replace(",", "") for source, target in made)
    assert book.joined(Phrase("1 Tag", "1 day"), Phrase("A", "B")) == Phrase("1 Tag – A", "1 day – B")


def test_one_source_one_target(book: PhraseBook) -> None:
    meant: dict[str, str] = {}
    rng = Random(4)
    for draw in book.kinds().values():
        for _ in range(150):
            phrase = draw(rng)
            assert meant.setdefault(phrase.source, phrase.target) == phrase.target


def test_names_of_two_meanings_are_left_out(book: PhraseBook) -> None:
    sources = [phrase.source for names in book.names.values() for phrase in names]
    assert "Fidschi" not in sources  # the country and the language
    assert len(set(sources)) == len(sources)
    assert "angle-degree" not in book.units  # in German the same as degrees of temperature
    assert "speed-light-speed" not in book.units or "speed-light-speed" not in draws(book, "quantity").values()


def test_all_kinds_equally_often(book: PhraseBook) -> None:
    kinds = [item.raw["kind"] for item in PhrasesConfig(train=2000).generate("train")]
    assert set(kinds) == set(book.kinds())
    assert min(kinds.count(kind) for kind in set(kinds)) > 40


@pytest.mark.parametrize(("source", "target"), [("fr", "es"), ("ja", "en"), ("en", "ar")])
def test_other_languages(source: str, target: str) -> None:
    items = PhrasesConfig(source_language=source, target_language=target, dev=60).generate("dev")
    assert len(items) == 60


def test_no_special_spaces_or_marks() -> None:
    text = "".join(item.raw["source"] + item.raw["target"] for item in PhrasesConfig(dev=200).generate("dev"))
    assert not set(text) & set("\u202f\xa0\u2009\u200e\u200f")


def test_what_cannot_be_made_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="both 'de'"):
        PhrasesConfig(target_language="de")
    with pytest.raises(UsageError, match="give codes"):
        PhrasesConfig(source_language="qqq").generate("dev")
    monkeypatch.setitem(sys.modules, "babel", None)
    with pytest.raises(MissingExtraError, match=r"anyseq\[examples\]"):
        PhrasesConfig().generate("dev")
