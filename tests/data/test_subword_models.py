import io
import math
from collections import Counter

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from anyseq.data.codecs.subwords import Subwords, SubwordsConfig
from anyseq.data.text import Normalise
from anyseq.errors import DataError

SYLLABLES = ["ba", "no", "ka", "ri", "ban", "ana"]
TEXTS = [f"{a}{b}{c} {b}{a}, {c}." for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES]
WORDS = st.lists(st.sampled_from([*"banokri.,é☃☃", " "]), max_size=14).map("".join)


def train_foreign(path, **options):
    """A model as other people's settings make it."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=model, vocab_size=40, minloglevel=3, **options
    )
    path.write_bytes(model.getvalue())
    return str(path)


def test_training_is_deterministic_and_silent(capfd):
    for model_type in ("unigram", "bpe"):
        config = SubwordsConfig(vocab_size=40, model_type=model_type)
        first, second = config.fit(TEXTS), config.fit(iter(TEXTS))
        assert [first.encode(text).tolist() for text in TEXTS] == [second.encode(text).tolist() for text in TEXTS]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_a_vocabulary_larger_than_the_data_give_shrinks(model_type):
    codec = SubwordsConfig(vocab_size=8000, model_type=model_type).fit(["a few words", "few words"])
    assert 10 < codec.stream.vocab_size < 60
    assert codec.decode(codec.encode("few a")) == "few a"


@pytest.mark.parametrize(("bytes_too", "least"), [(False, "12"), (True, "268")])
def test_a_vocabulary_too_small_for_the_characters_names_the_least(bytes_too, least):
    config = SubwordsConfig(vocab_size=7, byte_fallback=bytes_too)
    with pytest.raises(DataError, match=rf"codec\.vocab_size=7 .* {least} or more"):
        config.fit(TEXTS)
    SubwordsConfig(vocab_size=int(least), byte_fallback=bytes_too).fit(TEXTS)


def test_what_sentencepiece_cannot_learn_from_is_said():
    with pytest.raises(DataError, match=r"data\.train"):
        SubwordsConfig(vocab_size=20).fit(["▅"])


def test_a_model_brought_along_gets_our_end_and_unknown(tmp_path):
    path = train_foreign(tmp_path / "m.model", bos_id=3, eos_id=2, unk_id=0, pad_id=1)  # nmt_nfkc normalisation
    codec = SubwordsConfig(model_file=path).fit([])
    processor = sentencepiece.SentencePieceProcessor(model_file=path)
    assert codec.stream.vocab_size == processor.get_piece_size() - 4 + 2
    for text in ["bano kari, ana.", "ba☃no", ""]:
        symbols = codec.encode(text).tolist()
        assert symbols[-1] == 0
        assert [symbol == 1 for symbol in symbols[:-1]] == [piece == 0 for piece in processor.encode(text)]
    assert codec.decode(codec.encode("ｂａｎｏ  kari☃")) == "bano kari\ufffd"


def test_a_model_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "subwords.model").write_text("no model")
    with pytest.raises(DataError, match=r"\.model file"):
        SubwordsConfig(model_file=str(tmp_path / "subwords.model")).fit([])
    with pytest.raises(DataError, match=r"did you mean .*subwords\.model"):
        SubwordsConfig(model_file=str(tmp_path / "subword.model")).fit([])


@pytest.mark.parametrize("options", [{"treat_whitespace_as_suffix": True}, {"add_dummy_prefix": False}])
def test_a_model_that_cannot_be_sampled_word_by_word_is_refused_only_then(tmp_path, options):
    path = train_foreign(tmp_path / "m.model", **options)
    assert (codec := SubwordsConfig(model_file=path).fit([])).decode(codec.encode("bano kari")) == "bano kari"
    with pytest.raises(DataError, match=r"codec\.nbest_size=1"):
        SubwordsConfig(model_file=path, nbest_size=4).fit([])


SAMPLED = {"unigram": {"nbest_size": 4}, "bpe": {"bpe_dropout": 0.1}}


@pytest.mark.parametrize(("said", "other"), [("unigram", "bpe"), ("bpe", "unigram")])
def test_the_sampling_of_the_other_type_is_refused(said, other):
    with pytest.raises(ValueError, match=f"is for model_type {other}; of {said} set {next(iter(SAMPLED[said]))}"):
        SubwordsConfig(model_type=said, **SAMPLED[other])


@pytest.mark.parametrize(("said", "is_one"), [("unigram", "bpe"), ("bpe", "unigram")])
def test_sampling_from_a_model_of_the_other_type_is_refused(tmp_path, said, is_one):
    path = train_foreign(tmp_path / "m.model", model_type=is_one)
    SubwordsConfig(model_file=path, model_type=said).fit([])
    with pytest.raises(DataError, match=f"model_type={said}, but .* is {is_one}"):
        SubwordsConfig(model_file=path, model_type=said, **SAMPLED[said]).fit([])


UNIGRAM = SubwordsConfig(vocab_size=95, nbest_size=5, sampling_alpha=0.7).fit(TEXTS)
BPE = SubwordsConfig(vocab_size=40, model_type="bpe", bpe_dropout=0.3).fit(TEXTS)


@pytest.mark.parametrize("codec", [UNIGRAM, BPE], ids=["unigram", "bpe"])
def test_sampling_is_keyed_by_the_seed(codec):
    text = "banoka rikano, banana noribaka."
    drawn = {tuple(codec.augment(text, seed).tolist()) for seed in range(50)}
    assert len(drawn) > 5
    assert {codec.decode(codec.augment(text, seed)) for seed in range(50)} == {text}
    assert all(codec.augment(text, seed).equal(codec.augment(text, seed)) for seed in range(9))


def test_a_segmentation_is_drawn_in_proportion_to_its_powered_probability():
    word, draws = "banoka", 4000
    model = UNIGRAM._processor
    best = model.nbest_encode(word, nbest_size=5)
    weights = [math.exp(0.7 * sum(model.get_score(piece) for piece in pieces)) for pieces in best]
    counts = Counter(tuple(UNIGRAM.augment(word, seed).tolist()[:-1]) for seed in range(draws))
    assert set(counts) <= {tuple(pieces) for pieces in best}
    for pieces, weight in zip(best, weights, strict=True):
        share = weight / sum(weights)
        assert abs(counts[tuple(pieces)] / draws - share) < 4 * math.sqrt(share * (1 - share) / draws)


@pytest.mark.parametrize("byte_fallback", [False, True])
@given(text=WORDS)
def test_the_merge_loop_without_dropout_is_sentencepiece_s(byte_fallback, text):
    codec = MERGES[byte_fallback]
    assert codec.augment(text, 0).equal(codec.encode(text))


def _hardly_dropping(byte_fallback):
    config = SubwordsConfig(vocab_size=300, model_type="bpe", byte_fallback=byte_fallback)
    return Subwords(config.fit(TEXTS)._processor.serialized_model_proto(), Normalise(), "bpe", bpe_dropout=1e-300)


MERGES = {byte_fallback: _hardly_dropping(byte_fallback) for byte_fallback in (False, True)}


def test_more_dropout_makes_smaller_pieces():
    model = BPE._processor.serialized_model_proto()
    lengths = []
    for dropout in (0.0, 0.3, 0.9):
        codec = Subwords(model, Normalise(), "bpe", bpe_dropout=dropout)
        lengths.append(sum(len(codec.augment(text, seed)) for seed, text in enumerate(TEXTS)))
    assert lengths[0] * 1.1 < lengths[1] < lengths[2] / 1.1
