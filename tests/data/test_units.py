"""What of a text a person sees as one thing, and which symbols it is made of."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anyseq.core import Alignment, Codec
from anyseq.data.codecs.characters import Characters, CharactersConfig
from anyseq.data.codecs.subwords import SubwordsConfig
from anyseq.data.codecs.text import words_of
from anyseq.data.codecs.words import WordsConfig
from laws.cases import named

TEXTS = ["Zwei Hunde (braun, weiß) spielen im Schnee.", "The dogs play in the snow.", "日本語の文。 a  b"] * 4
CODECS = {
    name: variant.config.fit(TEXTS) for name, variant in named("codecs").items() if "texts" not in variant.exceptions
}
PARTS = ["The", "dogs", " ", "  ", "Schnee", ".", "é", "😀", "\t", "\u2028", "日"]
LINES = st.lists(st.sampled_from(PARTS)).map("".join)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(text=LINES, more=st.integers(0, 3))
def test_the_units_are_those_of_the_decoded_text(codec: Codec, text: str, more: int) -> None:
    encoded = codec.encode(text)
    symbols = torch.cat([encoded, torch.ones(more, *encoded.shape[1:], dtype=torch.int64)])
    units, shown = codec.units(symbols), codec.decode(symbols)
    if isinstance(codec, Characters):
        assert "".join(units.shown) == shown
    else:
        assert list(units.shown) == shown.split()
    assert len(units.of) == len(symbols)
    assert units.of[len(symbols) - more - 1 :] == [range(0)] * (more + 1), "nothing of the end on"
    said = [each for each in units.of if each]
    assert sorted({unit for each in said for unit in each}) == list(range(len(units.shown))), "none is left out"
    assert all(one[-1] <= other[0] + 1 and one[0] <= other[0] for one, other in pairwise(said)), "in order"
    table = units.table()
    assert table.shape == (len(units.shown), len(symbols)) and table.sum() == sum(map(len, units.of))


def test_pieces_are_gathered_into_words() -> None:
    units = words_of([" the", " d", "og", ".", " ", "x y", "z", " "], 10)
    assert units.shown == ["the", "dog.", "x", "yz"]
    # the space alone waits for what follows; a piece across a space is part of both words; the last space is of none
    assert [list(each) for each in units.of] == [[0], [1], [1], [1], [2], [2, 3], [3], [], [], []]


def test_bytes_are_gathered_into_characters_first() -> None:
    snowman = "☃".encode()
    pieces = [" a", *(bytes([byte]) for byte in snowman), b" ", *(bytes([byte]) for byte in snowman), snowman[:1]]
    units = words_of(pieces, len(pieces) + 1)
    assert units.shown == ["a☃", "☃\ufffd"]
    assert [list(each) for each in units.of] == [[0], [0], [0], [0], [1], [1], [1], [1], [1], []]
    broken = words_of([snowman[:2], " b"], 2)
    assert broken.shown == ["\ufffd", "b"] and [list(each) for each in broken.of] == [[0], [0, 1]]


@pytest.mark.parametrize(
    ("codec", "text", "shown"),
    [
        (CharactersConfig().fit(["ab c"]), "ab zc", ["a", "b", " ", "\ufffd", "c"]),
        (CharactersConfig(whole="<[a-z]+>").fit(["<en>a"]), "<en>a<de>", ["<en>", "a", "\ufffd"]),
        (WordsConfig(min_count=1).fit(["ab, c"]), "ab zz, c", ["ab", "\ufffd,", "c"]),
    ],
    ids=["characters", "whole", "words"],
)
def test_unknown_symbols_are_units_too(codec: Codec, text: str, shown: list[str]) -> None:
    assert codec.units(codec.encode(text)).shown == shown


def test_subwords_of_one_word_are_one_unit() -> None:
    codec = SubwordsConfig(vocab_size=60).fit(TEXTS)
    symbols = codec.encode("Schneehunde spielen.")
    assert len(symbols) > 5
    assert codec.units(symbols).shown == ["Schneehunde", "spielen."]


def test_pairs_and_weights_are_written_as_others_read_them() -> None:
    weights = [[0.1, 0.75, 0.1], [0.0, 0.0, 0.0], [0.25, 0.25, 0.123456]]
    alignment = Alignment(["a", "b", "c"], ["x", "y", "z"], weights)
    assert alignment.pairs == [(1, 0), (0, 2)]
    assert alignment.hard() == "1-0 0-2"
    assert alignment.soft() == "0.1,0.75,0.1 0,0,0 0.25,0.25,0.1235"
    assert alignment.as_dict() == {
        "source": ["a", "b", "c"], "output": ["x", "y", "z"], "pairs": [(1, 0), (0, 2)],
        "weights": [[0.1, 0.75, 0.1], [0.0, 0.0, 0.0], [0.25, 0.25, 0.1235]],
    }  # fmt: skip
    assert "weights" not in alignment.as_dict(weights=False)
    assert (Alignment([], [], []).hard(), Alignment([], [], []).soft()) == ("", "")
