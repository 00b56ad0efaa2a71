"""A text as its sentences: the codec, and what makes a vector of one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anyseq.core import Grouped
from anyseq.data.codecs.sentences import Sentences, SentencesConfig
from anyseq.errors import DataError
from anyseq.nn.embeddings import GroupedEmbedding, distinct_rows
from laws.cases import named

TEXTS = ["Lena went to the mill. Where is Lena?", "He said 3.14 ... and left! So | what?", "Bo (it is late) slept."]
CODECS = [variant.config.fit(TEXTS) for name, variant in named("codecs").items() if name.startswith("sentences")]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: f"longest={codec.longest}")
@settings(max_examples=100)
@given(text=st.text() | st.lists(st.sampled_from(["Lena", "mill.", ".", "?", "|", "xyz", "", "a" * 9])).map(" ".join))
def test_8_sentences_decode_to_the_canonical_form(codec: Sentences, text: str) -> None:
    values = codec.encode(text)
    again = codec.decode(values)
    assert again == codec.words.decode(codec.words.encode(text))
    assert not values[-1].any() and values[:-1, 0].all() and values.shape[1] == codec.longest
    assert "".join(codec.units(values).shown).replace(" ", "") == again.replace(" ", "")


def test_a_sentence_is_a_place() -> None:
    codec = SentencesConfig(min_count=1).fit(TEXTS)
    assert codec.units(codec.encode(TEXTS[0])).shown == ["Lena went to the mill.", "Where is Lena?"]
    assert codec.units(codec.encode(TEXTS[1])).shown == ["He said 3.14 ...", "and left!", "So |", "what?"]
    assert SentencesConfig(min_count=1, longest=3).fit(TEXTS).encode("Lena went to the mill.").shape == (3, 3)
    assert codec.encode("").tolist() == [[0] * 16]
    assert codec.unknown("Lena went to Rome.").parts == ("Rome",)


def test_what_is_saved_is_the_same(tmp_path: Path) -> None:
    codec = SentencesConfig(min_count=1, case="lower", longest=4).fit(TEXTS)
    codec.save(tmp_path)
    assert Sentences.load(tmp_path).encode(TEXTS[0]).tolist() == codec.encode(TEXTS[0]).tolist()
    with pytest.raises(DataError, match="no words to learn"):
        SentencesConfig().fit([" "])


@pytest.mark.parametrize("rows", [1, 2, 50])
def test_distinct_rows_are_those_of_unique(rows: int) -> None:
    values = torch.randint(0, 3, (rows, 4), generator=torch.Generator().manual_seed(rows))
    distinct, of = values.unique(dim=0, return_inverse=True)
    found, place = distinct_rows(values)
    assert torch.equal(found, distinct) and torch.equal(place, of)


def test_a_group_is_the_sum_of_its_symbols_each_weighted_by_its_place() -> None:
    embed = GroupedEmbedding(Grouped(5, 3), 2).double()
    with torch.no_grad():
        embed.places[1] = 2.0
    table = embed.symbols.weight
    found = embed(torch.tensor([[[3, 4, 0], [2, 0, 0]], [[2, 0, 0], [0, 0, 0]]]))
    torch.testing.assert_close(found[0, 0], table[3] + 2 * table[4])
    torch.testing.assert_close(found[0, 1], found[1, 0])
    torch.testing.assert_close(found[1, 1], table[0])  # the end
