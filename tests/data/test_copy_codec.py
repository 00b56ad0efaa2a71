"""What a target names of its source: through the vocabulary, and through words no vocabulary has."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings

from anyseq.data.codecs.characters import CharactersConfig
from anyseq.data.codecs.copying import CopyCodec, key
from anyseq.data.codecs.subwords import SubwordsConfig
from anyseq.data.codecs.text import TextCodec
from anyseq.data.codecs.words import WordsConfig
from anyseq.errors import ConfigError
from data.test_text_codecs import CODECS, KNOWN, LINES, TEXTS, canonical, every_codec


def between(source: TextCodec, target: TextCodec, max_length: int = 100) -> CopyCodec:
    return CopyCodec(source, target, max_length)


WORDS = WordsConfig(min_count=1)
GERMAN, ENGLISH = WORDS.fit(["Ich heiße A.", "Wo wohnt B?"]), WORDS.fit(["My name is A.", "Where does B live?"])


@every_codec
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(text=LINES | KNOWN)
def test_parts_are_what_encode_makes_symbols_of(codec: TextCodec, text: str) -> None:
    parts, known = codec.parts(text), {part: symbol for symbol, part in enumerate(codec.shown[2:], 2)}
    assert [known.get(part, 1) for part in parts] == codec.encode(text)[:-1].tolist()
    assert codec.join(parts) == canonical(codec, text)


@every_codec
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(source=LINES | KNOWN, target=LINES | KNOWN)
def test_a_target_of_words_of_its_source_comes_back(codec: TextCodec, source: str, target: str) -> None:
    """Law 8 with what is copied: also what no vocabulary has."""
    copy = between(codec, codec, max_length=10_000)
    copied = copy.read(source)
    symbols = copy.encode(source, copied)
    assert copied.symbols == symbols.tolist() and 1 not in copied.symbols
    assert copy.decode(symbols, source) == canonical(codec, source)
    other = copy.encode(target, copied)
    assert len(other) == len(codec.encode(target)) and int(other.max()) < copy.vocab_size + len(copied.own)
    if 1 not in other:
        assert copy.decode(other, source) == canonical(codec, target)
    plain = copy.encode(target, copy.read(""))
    assert torch.equal(plain, codec.encode(target))


def test_codecs_that_are_not_one_share_what_is_spelt_alike() -> None:
    copy = between(GERMAN, ENGLISH)
    copied = copy.read("Ich heiße Mio Mio.")
    dot = ENGLISH.encode("A.")[1]
    assert copied.own == (" Ich", " heiße", " Mio")
    assert copied.symbols == [copy.vocab_size + i for i in (0, 1, 2, 2)] + [dot, 0]
    target = copy.encode("My name is Mio, A.", copied)
    assert target[3] == copy.vocab_size + 2 and target[4] == 1, "a comma is in neither"
    assert copy.decode(target, "Ich heiße Mio Mio.") == "My name is Mio \ufffd A."
    fields = copy.fields(copied)
    assert fields["copied"].tolist() == copied.symbols and fields["own"].tolist() == [*map(key, copied.own)]


def test_a_source_is_folded_as_the_target_is() -> None:
    lower = WordsConfig(min_count=1, case="lower").fit(["my name is a"])
    copied = between(GERMAN, lower).read("Ich heiße MIO, NAME.")
    assert copied.own == (" ich", " heiße", " mio", ",", ".")
    assert lower.shown[copied.symbols[4]] == " name"
    assert between(GERMAN, lower).encode("My name is Mio", copied)[-2] == len(lower.shown) + 2


def test_a_source_that_is_cut_lends_what_is_left() -> None:
    copy = between(GERMAN, ENGLISH, max_length=3)
    assert copy.read("Ich heiße Mio.") == ([copy.vocab_size, copy.vocab_size + 1, 0], (" Ich", " heiße"))


def test_a_sampled_source_lends_what_is_known() -> None:
    codec = SubwordsConfig(vocab_size=150, nbest_size=5, sampling_alpha=0.0).fit(TEXTS)
    other = CharactersConfig().fit(TEXTS)
    copy = between(codec, codec)
    sampled = codec.augment("The dogs ☃ play", seed=3)
    copied = copy.read_symbols(sampled)
    assert copied.symbols == sampled.tolist() and not copied.own and 1 in copied.symbols
    with pytest.raises(ConfigError, match="not subwords and characters"):
        between(codec, other)


def test_what_neither_the_codec_nor_the_source_has_is_unknown() -> None:
    copy = between(GERMAN, ENGLISH)
    assert ENGLISH.unknown("name Mio Lia").parts == ("Mio", "Lia")
    assert copy.unknown("name Mio Lia", copy.read("Mio Mio")).parts == ("Lia",)


def test_keys_differ() -> None:
    keys = {key(codec) for codec in map(str, range(10_000))}
    assert len(keys) == 10_000 and min(keys) >= 0 and max(keys) < 2**63
    assert len(CODECS) >= 11
