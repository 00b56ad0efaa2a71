import re

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anyseq.data.codecs.characters import Characters, CharactersConfig
from anyseq.data.codecs.subwords import Subwords, SubwordsConfig
from anyseq.data.codecs.tokens import Tokens
from anyseq.data.codecs.words import Words, WordsConfig, tokenise
from anyseq.errors import DataError, ModelFolderError
from laws.cases import named

TEXTS = [
    "Zwei Hunde (braun, weiß) spielen im Schnee.",
    "“Don’t!”, she said – twice…",
    "Ein Mann mit Hut; 3.14 km, e.g. here_there",
    "שלום עולם, नमस्ते दुनिया",
    "日本語の文。 a  b",
    "The dogs play in the snow. The man plays in the snow.",
] * 3
# Law 8 over all of the table; what is no plain text has tests of its own.
NO_TEXTS = ("spelt", "factored", "label", "trees", "sentences", "pictures", "sound", "piano_roll", "series", "point")
CONFIGS = {name: variant.config for name, variant in named("codecs").items() if not name.startswith(NO_TEXTS)}
CODECS = {name: config.fit(TEXTS) for name, config in CONFIGS.items()}
every_codec = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)

# Mostly what real lines hold, partly anything: control characters, emoji, right-to-left, combining marks.
PARTS = " .,’\t\x00\x1b\ufeff\u200d\u202e\u2028▁\ufffd▅😀éÉ\u0301נَ"
MORE_PARTS = ["👩\u200d💻", "The", "dogs", "Schnee", "</s>", "<unk>", "<0x41>"]
LINES = st.text() | st.lists(st.sampled_from([*PARTS, *MORE_PARTS])).map("".join)
KNOWN = st.lists(st.sampled_from([*"".join(TEXTS), "dogs", " The"])).map("".join)


def canonical(codec, text):
    text = codec.normalise(text)
    return codec.normalise(text.replace("▁", " ")) if isinstance(codec, Subwords) else text


@every_codec
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(text=LINES, seed=st.integers(0, 2**63 - 1))
def test_any_text_goes_in_and_comes_back_the_same_twice(codec, text, seed):
    for symbols in (codec.encode(text), codec.augment(text, seed)):
        assert symbols.dtype == torch.int64
        assert symbols.tolist().count(0) == 1
        assert symbols[-1] == 0
        assert symbols.max() < codec.stream.vocab_size
        back = codec.decode(symbols)
        assert codec.decode(codec.encode(back)) == back
        if 1 not in symbols:
            assert back == canonical(codec, text)


@pytest.mark.parametrize("name", [name for name, codec in CODECS.items() if not isinstance(codec, Words | Tokens)])
@settings(max_examples=50)
@given(text=KNOWN)
def test_known_characters_survive(name, text):
    codec = CODECS[name]
    assert codec.decode(codec.encode(text)) == canonical(codec, text)


@pytest.mark.parametrize("name", [name for name, config in CONFIGS.items() if vars(config).get("byte_fallback")])
@settings(max_examples=50)
@given(text=LINES, seed=st.integers(0, 99))
def test_with_byte_fallback_everything_survives(name, text, seed):
    codec = CODECS[name]
    assert codec.decode(codec.encode(text)) == canonical(codec, text)
    assert codec.decode(codec.augment(text, seed)) == canonical(codec, text)


def spelt(codec, symbols):
    """What symbols spell, by the contract of a spelling; its bytes are read as SentencePiece reads them."""
    spelling, text, rest = codec.spelling, "", b""
    for symbol in symbols:
        surface = spelling.surfaces[symbol]
        if isinstance(surface, bytes):
            rest += surface
        else:
            text, rest = text + read(rest) + surface, b""
    text += read(rest)
    hidden = not spelling.first_space and symbols and isinstance(spelling.surfaces[symbols[0]], str)
    return text.removeprefix(" ") if hidden else text


def read(rest):
    text = ""
    while rest:
        for length in range(1, 5):
            try:
                character = rest[:length].decode()
                break
            except UnicodeDecodeError:
                character = ""
        text, rest = text + (character or "\ufffd"), rest[length if character else 1 :]
    return text


@pytest.mark.parametrize("examples", [40, pytest.param(400, marks=pytest.mark.full)])
@pytest.mark.parametrize("name", CODECS)
def test_any_symbols_decode_to_what_they_spell(name, examples):
    codec = CODECS[name]
    size = codec.stream.vocab_size
    of_bytes = [symbol for symbol, surface in enumerate(codec.spelling.surfaces) if isinstance(surface, bytes)]
    parts = st.integers(1, size - 1).map(lambda symbol: [symbol])
    if of_bytes:  # at random, the bytes of one character hardly ever meet
        parts |= st.sampled_from("é“😀\u0301 A").map(lambda text: [of_bytes[byte] for byte in text.encode()])

    @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
    @given(parts=st.lists(parts))
    def decode_to_what_they_spell(parts):
        symbols = [symbol for part in parts for symbol in part]
        shown = codec.decode(torch.tensor([*symbols, 0]))
        assert codec.spelling.canonical(spelt(codec, symbols)) == codec.spelling.canonical(shown)

    decode_to_what_they_spell()
    assert len(codec.spelling.surfaces) == size and codec.spelling.surfaces[0] == ""


@every_codec
@settings(max_examples=50)
@given(text=LINES | KNOWN)
def test_the_canonical_form_is_that_of_the_spelling(codec, text):
    assert codec.spelling.canonical(text) == canonical(codec, text)


@every_codec
@settings(max_examples=100)
@given(text=LINES | KNOWN)
def test_what_is_unknown_is_named(codec, text):
    unknown, symbols = codec.unknown(text), codec.encode(text)
    assert bool(unknown.parts) == (1 in symbols)
    assert all(part in canonical(codec, text) for part in unknown.parts)
    assert 0 <= unknown.share <= 1
    assert (unknown.share == 1) == (bool(unknown.parts) and not "".join(codec.decode(symbols).split()).strip("\ufffd"))
    if not isinstance(codec, Subwords):
        assert len(unknown.parts) == symbols.tolist().count(1)


def test_unknown_parts_are_named_once_the_most_frequent_first():
    unknown = CharactersConfig().fit(["ab"]).unknown("x aby xzw y x")
    assert (unknown.parts, unknown.characters) == (("x", " ", "y", " ", "x", "z", "w", " ", "y", " ", "x"), 9)
    assert unknown.share == 7 / 9
    assert unknown.named(3) == "' ', 'x', 'y' and 2 more"
    words = WordsConfig(min_count=1).fit(["a dog"]).unknown("a wolf, a dog")
    assert (words.parts, words.named()) == (("wolf", ","), "'wolf', ','")
    pieces = SubwordsConfig(vocab_size=9).fit(["ab ba"]).unknown("ab ☃☂ ba")
    assert (pieces.parts, pieces.share) == (("☃", "☂"), 1 / 3)


@every_codec
def test_the_empty_text_is_the_end_alone(codec):
    assert codec.encode("").tolist() == [0]
    assert codec.augment("", 1).tolist() == [0]
    assert codec.decode(torch.tensor([0])) == ""


@every_codec
def test_decoding_stops_at_the_end_and_needs_none(codec):
    symbols = codec.encode("The dogs.")
    assert codec.decode(torch.cat([symbols, symbols])) == codec.decode(symbols) == codec.decode(symbols[:-1])


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_saved_is_loaded(name, tmp_path):
    codec = CODECS[name]
    codec.save(tmp_path)
    loaded = CONFIGS[name].load(tmp_path)
    assert type(loaded) is type(codec)
    assert loaded.stream == codec.stream
    assert loaded.augments == codec.augments
    for text in [*TEXTS, "unseen ☃ İ"]:
        symbols = codec.encode(text)
        assert loaded.encode(text).equal(symbols)
        assert loaded.decode(symbols) == codec.decode(symbols)
        assert loaded.augment(text, 5).equal(codec.augment(text, 5))


@pytest.mark.parametrize("kind", [Characters, Words, Subwords])
def test_a_folder_without_a_codec_is_refused(kind, tmp_path):
    with pytest.raises(ModelFolderError, match=r"codec\.json"):
        kind.load(tmp_path)
    other = "words0[]" if kind is not Words else "subwords0[]"
    CODECS[other].save(tmp_path)
    with pytest.raises(ModelFolderError, match=r"codec\.json"):
        kind.load(tmp_path)


@pytest.mark.parametrize("config", [CharactersConfig(), WordsConfig(), SubwordsConfig(vocab_size=50)], ids=repr)
@pytest.mark.parametrize("texts", [[], ["", "  \t"]])
def test_nothing_to_learn_is_said(config, texts):
    with pytest.raises(DataError, match=r"every text is empty.*data\.train"):
        config.fit(iter(texts))


def test_symbols_are_ordered_by_count():
    assert CharactersConfig().fit(["caabb", "a"]).characters == ("a", "b", "c")
    assert CharactersConfig(min_count=2).fit(["caabb", "a"]).decode(torch.tensor([2, 1, 3, 0])) == "a\ufffdb"
    assert WordsConfig(min_count=1).fit(["b a, a"]).words == (" a", " b", ",")
    assert WordsConfig(min_count=1, max_size=3).fit(["b a, a"]).words == (" a",)


def test_characters_all_rare_are_refused():
    with pytest.raises(DataError, match=r"no character occurs 3 times; lower codec\.min_count"):
        CharactersConfig(min_count=3).fit(["ab", "ba"])


def test_words_all_rare_are_refused():
    with pytest.raises(DataError, match=r"codec\.min_count"):
        WordsConfig(min_count=3).fit(["a b"])


@given(text=LINES | KNOWN)
def test_tokens_restore_the_text(text):
    assert "".join(tokenise(text)) == (" " + text if text else "")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("(Hi, you)", [" (", "Hi", ",", " you", ")"]),
        ("don't stop...", [" don", "'", "t", " stop", ".", ".", "."]),
        ("नमस्ते दुनिया", [" नमस्ते", " दुनिया"]),
        ("e\u0301te\u0301 2", [" e\u0301te\u0301", " 2"]),
        ("a  b", [" a", " ", " b"]),
    ],
)
def test_punctuation_stands_alone_and_marks_stay_with_their_word(text, tokens):
    assert tokenise(text) == tokens


def test_a_word_is_the_same_symbol_at_the_start_and_inside():
    start, *_ = WordsConfig(min_count=1).fit(["dogs and dogs"]).encode("dogs and dogs").tolist()
    assert WordsConfig(min_count=1).fit(["dogs and dogs"]).encode("and dogs").tolist()[1] == start


def test_an_unknown_word_is_shown_where_it_stood():
    assert CODECS["words0[]"].decode(CODECS["words0[]"].encode("The zebras play in the snow.")) == (
        "The \ufffd play in the snow."
    )


@pytest.mark.parametrize("whole", ["^[a-z]{2} ", "x*", "a|", "(?=b)", "^", "..", "(?<=a)b"])
def test_what_is_whole_is_one_symbol_and_nothing_is_lost(whole: str) -> None:
    text = "de aabbxxxcab, ab"
    codec = CharactersConfig(whole=whole).fit([text])
    assert codec.decode(codec.encode(text)) == text
    assert all(len(symbol) == 1 or re.fullmatch(whole.strip("^"), symbol) for symbol in codec.characters)


def test_a_language_code_is_the_first_symbol() -> None:
    codec = CharactersConfig(whole="^[a-z]{2} ").fit(["de ab de ", "en ab"])
    assert len(codec.encode("de ab")) == len(codec.encode("en ab")) == 4
    assert len(codec.encode("xx ab")) == 4, "an unknown whole is one unknown symbol"


def test_a_faulty_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="regular expression"):
        CharactersConfig(whole="(")
