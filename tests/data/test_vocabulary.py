"""A vocabulary brought along: what it gives, and what is wrong with a file."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.characters import Characters, CharactersConfig
from anyseq.data.codecs.words import Words, WordsConfig
from anyseq.errors import DataError
from tiny_runs import write

TEXTS = ["The dog (the one here) barks .", "A dog barks."]


def test_words_are_known_as_they_are_written(tmp_path: Path) -> None:
    """A word behind a space, a mark without one; and the other way round where the data have it."""
    path = write(tmp_path / "words.txt", "dog", "  the", "barks", ".", "!", "zebra", "dog", "don't")
    codec = WordsConfig(vocabulary=str(path), min_count=5, max_size=3).fit(TEXTS)
    assert codec.words == (" dog", " the", "the", " barks", ".", " .", "!", " zebra", " don", "'", " t")
    assert codec.decode(codec.encode("the dog barks!")) == "the dog barks!"
    assert codec.decode(codec.encode("A dog")) == "\ufffd dog"


def test_words_follow_the_codecs_case(tmp_path: Path) -> None:
    path = tmp_path / "words.gz"
    path.write_bytes(gzip.compress(b"Dog\r\ndog\r\nTHE\r\n"))
    assert WordsConfig(vocabulary=str(path), case="lower").fit(TEXTS).words == (" dog", " the", "the")


def test_characters_are_the_files_own(tmp_path: Path) -> None:
    path = write(tmp_path / "characters.txt", "b", " ", "a", "<x>", "b")
    codec = CharactersConfig(vocabulary=str(path), whole="<.>", min_count=9).fit(["abc <x><y>"])
    assert codec.characters == ("b", " ", "a", "<x>")
    assert codec.decode(codec.encode("ab c<x><y>")) == "ab \ufffd<x>\ufffd"


@pytest.mark.parametrize("kind", [Words, Characters])
def test_it_is_kept_with_the_model(kind: type[Words] | type[Characters], tmp_path: Path) -> None:
    config: CodecConfig = (WordsConfig if kind is Words else CharactersConfig)(
        vocabulary=str(write(tmp_path / "list.txt", "a", "b"))
    )
    codec = config.fit(["a b"])
    (tmp_path / "codec").mkdir()
    codec.save(tmp_path / "codec")
    (tmp_path / "list.txt").unlink()
    assert config.load(tmp_path / "codec").encode("b a c").tolist() == codec.encode("b a c").tolist()


@pytest.mark.parametrize(
    ("config", "lines", "message"),
    [
        (WordsConfig, ["the", "dog 12"], r"list.txt:2: one word a line is expected, without counts, here is 'dog 12'"),
        (WordsConfig, ["the", "", "dog"], r"list.txt:2: one word a line .* here is nothing; mend"),
        (CharactersConfig, ["a", "bc"], r"list.txt:2: one character a line is expected, here is 'bc'"),
        (CharactersConfig, ["a", ""], r"list.txt:2: one character a line is expected, here is nothing"),
        (WordsConfig, [], r"list.txt: the file is empty; give one entry a line"),
    ],
)
def test_what_is_wrong_is_named(
    config: type[WordsConfig] | type[CharactersConfig], lines: list[str], message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "list.txt", *lines)
    with pytest.raises(DataError, match=message):
        config(vocabulary=str(path)).fit(TEXTS)
    with pytest.raises(DataError, match="there is no such file; did you mean"):
        config(vocabulary=str(tmp_path / "lsit.txt")).fit(TEXTS)
