from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyseq.data.codecs.spelt import SpeltConfig, SpeltTokens
from anyseq.data.codecs.tokens import TokensConfig
from anyseq.errors import DataError
from laws.cases import named

TEXTS = ["Der Hund bellt .", "Der Hund schläft , der Mann nicht .", "U.S.A. B-fromloc.city_name 3.14"]
CODECS = [variant.config.fit(TEXTS) for name, variant in named("codecs").items() if name.startswith("spelt")]
every_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: f"longest={codec.longest}")


@every_codec
@settings(max_examples=100)
@given(text=st.text() | st.lists(st.sampled_from(["Hund", "Der", " ", "  ", "xyz", "ö", "ab" * 20])).map(" ".join))
def test_8_what_is_spelt_is_decoded_to_its_canonical_form(codec: SpeltTokens, text: str) -> None:
    values = codec.encode(text)
    again = codec.decode(values)
    assert again == codec.canonical(text) == codec.canonical(again)
    assert codec.encode(again).tolist() == values.tolist()
    assert len(values) == len(codec.normalise(text).split()) + 1 and not values[-1].any()
    assert codec.units(values).shown == ([] if not again else again.split(" "))


@every_codec
def test_what_is_known_survives(codec: SpeltTokens, tmp_path: Path) -> None:
    text = codec.normalise("Der Hund schläft .")
    found = codec.decode(codec.encode(text)).split()
    assert [codec.canonical(token) for token in text.split()] == found
    codec.save(tmp_path)
    assert SpeltTokens.load(tmp_path).encode("Hund neu .").tolist() == codec.encode("Hund neu .").tolist()


def test_of_a_long_word_both_ends_are_read() -> None:
    codec = SpeltConfig(longest=5).fit(["abcdefghijk abc"])
    assert codec.decode(codec.encode("abcdefghijk")) == "abcjk"
    assert codec.unknown("abcß").parts == ("ß",) and not codec.unknown("kjih").parts


def test_tokens_stay_whole() -> None:
    codec = TokensConfig().fit(TEXTS)
    text = "U.S.A. B-fromloc.city_name 3.14 ."
    assert codec.decode(codec.encode(text)) == text and len(codec.encode(text)) == 5
    assert codec.decode(codec.encode("Der U.S.")) == "Der \ufffd"
    with pytest.raises(DataError, match="no tokens"):
        TokensConfig().fit(["", " "])
    with pytest.raises(DataError, match="occurs 9 times"):
        TokensConfig(min_count=9).fit(TEXTS)
