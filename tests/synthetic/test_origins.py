"""Origins: CLDR's languages, the asked distance, and one word that tells the answer."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from anyseq.data.synthetic.origins import SMALL_TALK, OriginsConfig, languages_by_territory

SIZES = {"train": 200, "dev": 5, "test": 50}


def test_languages_are_those_of_cldr() -> None:
    spoken = languages_by_territory()
    known = {"France": "French", "Peru": "Spanish", "Japan": "Japanese", "Brazil": "Portuguese", "Austria": "German"}
    assert {territory: spoken[territory] for territory in known} == known
    assert len(spoken) > 200 and len(set(spoken.values())) > 60


def test_what_an_item_says() -> None:
    for item in OriginsConfig(**SIZES).generate("train"):
        raw = item.raw
        before, _, behind = raw["source"].partition(f" and I grew up in {raw['territory']} . ")
        assert before.startswith("My name is ")
        talk = behind.removesuffix("I speak").removesuffix(". ").split()
        assert len(talk) == int(raw["distance"]) and set(talk) <= set(SMALL_TALK)
        assert raw["target"] == languages_by_territory()[raw["territory"]]


def test_small_talk_tells_nothing() -> None:
    told = {word for pair in languages_by_territory().items() for text in pair for word in text.split()}
    assert set(SMALL_TALK) & told == set()


@pytest.mark.parametrize("distance", [0, 7, 200])
def test_the_distance_asked_for(distance: int) -> None:
    items = OriginsConfig(min_words=distance, max_words=distance, **SIZES).generate("test")
    assert {item.raw["distance"] for item in items} == {str(distance)}
    assert {len(item.raw["source"].split()) - len(item.raw["territory"].split()) for item in items} == {
        12 + distance + (distance > 0)
    }


def test_every_distance_is_drawn() -> None:
    items = OriginsConfig(min_words=3, max_words=6, **SIZES).generate("train")
    assert {item.raw["distance"] for item in items} == {"3", "4", "5", "6"}


def test_contradicting_distances_are_refused() -> None:
    with pytest.raises(ValidationError, match="max_words 3 is below min_words 4"):
        OriginsConfig(min_words=4, max_words=3)
