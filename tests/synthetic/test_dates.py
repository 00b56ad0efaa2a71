"""Dates: equal to Babel, never ambiguous, dates and patterns of the test unseen."""

from __future__ import annotations

import re
import sys
import time
from datetime import date

import pytest
from babel import Locale
from babel.dates import format_date
from pydantic import ValidationError

from anyseq.data.synthetic.date_patterns import as_typed, date_patterns
from anyseq.data.synthetic.dates import LANGUAGES, DatesConfig
from anyseq.data.synthetic.typing_noise import drop_accents, drop_marks, lower
from anyseq.errors import MissingExtraError, UsageError

DAYS = [date(1998 + month, month, 2 * month + 1) for month in range(1, 13)]
WESTERN = {ord(zero) + value: str(value) for zero in "۰০०" for value in range(10)}


def folded(text: str, language: str) -> str:
    """The text as the heaviest noise leaves it."""
    return re.sub(r"\s+", " ", lower(drop_accents(drop_marks(text)), language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_equal_to_babel(language: str) -> None:
    widths = Locale.parse(language).date_formats
    ours = {pattern.text: pattern for pattern in date_patterns(language)}
    compared = 0
    for width in ("short", "medium", "long", "full"):
        theirs = [as_typed(format_date(day, width, locale=language)) for day in DAYS]
        if "c" in re.sub("'.*?'", "", widths[width].pattern):
            continue  # stand-alone names, which are left out
        written = [[pattern.format(day).translate(WESTERN) for day in DAYS] for pattern in ours.values()]
        assert theirs in written, (language, width, theirs[0])
        compared += 1
    assert compared >= 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_means_two_days(language: str) -> None:
    days = [date(year, month, day) for year in (2003, 2012) for month in range(1, 13) for day in (1, 2, 3, 10, 11, 12)]
    meant: dict[str, date] = {}
    for pattern in date_patterns(language):
        for day in days:
            text = folded(pattern.format(day), language)
            assert meant.setdefault(text, day) == day, (pattern.text, text)


def test_ways_of_writing_by_hand() -> None:
    day = date(2021, 3, 3)
    written = {f"{language} {p.text}": p.format(day) for language in ("de", "en", "fr", "sv", "fa", "ja", "es") for p in
               date_patterns(language)}
    assert written["de d. MMMM y"] == "3. März 2021"
    assert written["de dd.MM.yy"] == "03.03.21"
    assert written["en EEEE, MMMM do, y"] == "Wednesday, March 3rd, 2021"
    assert written["en M/d/yy"] == "3/3/21"
    assert written["fr do MMMM y"] == "3 mars 2021"
    assert written["sv do MMMM y"] == "3:e mars 2021"
    assert written["fa y/M/d"] == "۲۰۲۱/۳/۳"
    assert written["ja y年M月d日(EEE)"] == "2021年3月3日(水)"
    assert written["es d de MMMM de y"] == "3 de marzo de 2021"


def test_ordinals() -> None:
    english = next(p for p in date_patterns("en") if p.text == "MMM do, y")
    assert [english.format(date(2021, 5, d))[4:-6] for d in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 30, 31)] == (
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd", "30th", "31st"]
    )
    french = next(p for p in date_patterns("fr") if p.text == "do MMMM y")
    assert [french.format(date(2021, 5, d)) for d in (1, 2, 21)] == ["1er mai 2021", "2 mai 2021", "21 mai 2021"]
    swedish = next(p for p in date_patterns("sv") if p.text == "do MMMM y")
    assert [swedish.format(date(2021, 5, d)) for d in (1, 11, 22)] == ["1:a maj 2021", "11:e maj 2021", "22:a maj 2021"]


def test_items() -> None:
    assert len(LANGUAGES) >= 40
    items = DatesConfig(train=3000, noise=0).generate("train")
    assert {item.raw["language"] for item in items} == set(LANGUAGES)
    patterns = {language: {p.text: p for p in date_patterns(language)} for language in LANGUAGES}
    for item in items:
        raw = item.raw
        day = date.fromisoformat(raw["target"])
        language, text = raw["source"].split(" ", 1)
        assert language == raw["language"]
        assert text == patterns[language][raw["pattern"]].format(day)


def test_two_digit_years_are_those_from_the_pivot_on() -> None:
    config = DatesConfig(train=3000, languages=["de", "en", "hu"], pivot=1930)
    short = [item.raw for item in config.generate("train") if "yy" in item.raw["pattern"]]
    years = {int(raw["target"][:4]) for raw in short}
    assert len(short) > 300
    assert 1930 <= min(years) < 1940
    assert 2020 < max(years) <= 2029


def test_days_of_the_splits_are_disjoint() -> None:
    config = DatesConfig(train=2000, dev=300, test=300)
    splits = ("train", "dev", "test", "unseen")
    days = {split: {item.raw["target"] for item in config.generate(split)} for split in splits}
    assert not days["train"] & (days["dev"] | days["test"] | days["unseen"])
    assert not days["dev"] & days["test"]
    every = [config.days(split) for split in ("train", "dev", "test")]
    assert sum(map(len, every)) == (date(2099, 12, 31) - date(1899, 12, 31)).days


def test_held_out_pairs_are_shown_by_no_other_split() -> None:
    config = DatesConfig(train=2000, test=500, noise=0, unseen=0.1)
    shown = [item.raw for split in ("train", "dev", "test") for item in config.generate(split)]
    seen = {(raw["language"], raw["pattern"]) for raw in shown}
    held = config.generate("unseen")
    pairs = {(item.raw["language"], item.raw["pattern"]) for item in held}
    assert len(held) == config.test
    assert not pairs & seen
    assert len(pairs) >= 20
    kept = config.patterns("train")
    for item in held[:200]:
        text = item.raw["source"].split(" ", 1)[1]
        assert text not in {p.format(date.fromisoformat(item.raw["target"])) for p in kept[item.raw["language"]]}


def test_every_field_of_a_held_out_pattern_can_be_learnt() -> None:
    config = DatesConfig(unseen=0.5)
    kept, held = config.patterns("train"), config.patterns("unseen")
    for language, patterns in held.items():
        known = {field for pattern in kept[language] for field in pattern.fields}
        assert kept[language]
        assert all(set(pattern.fields) <= known for pattern in patterns)
        assert {p.text for p in kept[language] + patterns} == {p.text for p in date_patterns(language)}


def test_noise_changes_some_and_never_the_numbers() -> None:
    clean = DatesConfig(train=2000, noise=0, languages=["de", "fr", "cs", "tr", "vi"])
    noisy = clean.model_copy(update={"noise": 0.4})
    patterns = {language: {p.text: p for p in date_patterns(language)} for language in clean.languages}
    changed = 0
    for item in noisy.generate("train"):
        text = item.raw["source"].split(" ", 1)[1]
        exact = patterns[item.raw["language"]][item.raw["pattern"]].format(date.fromisoformat(item.raw["target"]))
        assert re.findall(r"\d+", text) == re.findall(r"\d+", exact)
        changed += text != exact
    assert 0.3 < changed / 2000 < 0.9


def test_noise_by_hand() -> None:
    assert drop_marks("So., 3. Okt. 2021") == "So 3 Okt 2021"
    assert drop_marks("03.10.21.") == "03.10.21"
    assert drop_accents("dé març Ιούλ ж й") == "de marc Ιουλ ж й"
    assert lower("IRMAK İL", "tr") == "ırmak il"
    assert lower("IL", "de") == "il"


def test_fast_enough() -> None:
    begun = time.process_time()
    DatesConfig(train=5000).generate("train")
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"languages": ["de", "qqq"]}, "'qqq' is no language"),
        ({"languages": ["ccp"]}, "no digits are known here for 'ccp'"),
        ({"languages": ["de"], "first_year": 2000, "last_year": 2000, "noise": 0.0}, "distinct items"),
    ],
)
def test_impossible_settings(settings: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DatesConfig.model_validate(settings).generate("train")


def test_nothing_held_out_nothing_unseen() -> None:
    with pytest.raises(UsageError, match="no split 'unseen'"):
        DatesConfig(unseen=0).generate("unseen")
    with pytest.raises(UsageError, match="is empty"):
        DatesConfig(languages=["sk"], unseen=0.01).generate("unseen")


@pytest.mark.parametrize(
    "settings", [{"first_year": 2001, "last_year": 2000}, {"languages": ["de", "de"]}, {"noise": 2.0}]
)
def test_refused_settings(settings: dict) -> None:
    with pytest.raises(ValidationError):
        DatesConfig.model_validate(settings)


def test_without_babel_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    date_patterns.cache_clear()
    monkeypatch.setitem(sys.modules, "babel", None)
    with pytest.raises(MissingExtraError, match=r"anyseq\[examples\]"):
        DatesConfig().generate("train")
