"""Trees in brackets: reading, writing, symbols and back, repairs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anyseq.core import Item
from anyseq.core.bracketed import escape, read_tree, words, write_tree
from anyseq.data.codecs.trees import Trees, TreesConfig
from anyseq.data.trees import read_trees
from anyseq.errors import DataError
from tiny_runs import write

DOG = "(S (NP (DT the) (NN dog)) (VP (VBZ barks)))"
TREES = [DOG, "(S (NP (NP (NNP Anna)) (PP (IN of) (NP (NNP Ulm)))) (VP (VBD slept)) (. .))", "(FRAG (UH yes))"]
CODECS = [TreesConfig(tags=tags).fit(TREES) for tags in (False, True)]
every_codec = pytest.mark.parametrize("codec", CODECS, ids=["words", "tags"])


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("( (S (NP-SBJ-1 (DT the) (NN dog)) (VP (VBZ barks) (NP (-NONE- *T*-1)))) )", DOG),
        ("(TOP (S1 (S (NP=2 (DT the)\n (NN dog)) (VP|X (VBZ barks)))))", DOG),
        ("(S (NP the dog) (VP barks loud))", "(S (NP (XX the) (XX dog)) (VP (XX barks) (XX loud)))"),
        ("(S (ADVP) (VBZ barks) (SBAR (S (-NONE- *))))", "(S (VBZ barks))"),
        ("(NN dog)", "(TOP (NN dog))"),
        ("((NN dog))", "(TOP (NN dog))"),
        ("( (S (UH yes)) (S (UH no)))", "(TOP (S (UH yes)) (S (UH no)))"),
        ("(S (-LRB- -LRB-) (NN a))", "(S (-LRB- -LRB-) (NN a))"),
        ("(S (-NONE- *))", ""),
        ("", ""),
    ],
)
def test_what_no_parser_is_judged_by_goes(given: str, cleaned: str) -> None:
    assert write_tree(read_tree(given)) == cleaned
    assert write_tree(read_tree(cleaned)) == cleaned


@pytest.mark.parametrize(
    ("text", "said"), [("(S (NP a b)", "1 of its"), ("(S a b))", "behind"), ("dog", "outside"), (")", "none opened")]
)
def test_what_is_no_tree_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_tree(text)
    with pytest.raises(DataError, match=said):
        CODECS[0].encode(text)


def test_files_of_trees_one_a_line_or_over_several(tmp_path: Path) -> None:
    path = write(tmp_path / "trees.mrg", "", DOG, "( (S", "    (NP (NNP Anna))", "    (VP (VBD slept) ))", ") " + DOG)
    items = read_trees(path)
    assert [item.line for item in items] == [2, 3, 6]
    assert [item.raw["source"] for item in items] == ["the dog barks", "Anna slept", "the dog barks"]
    assert items[1].raw["target"] == "(S (NP (NNP Anna)) (VP (VBD slept)))" and items[0].raw["target"] == DOG


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([DOG, DOG + ")"], ["bad.mrg:2", "closes no bracket"]),
        ([DOG, "(S (NP a b)", DOG], ["bad.mrg:2", "1 of its brackets"]),
        ([DOG, "barks", DOG], ["bad.mrg:2", "'barks' stands outside"]),
        (["", " "], ["bad.mrg", "no trees"]),
    ],
)
def test_bad_files_are_named_by_line(tmp_path: Path, lines: list[str], said: list[str]) -> None:
    with pytest.raises(DataError) as fault:
        read_trees(write(tmp_path / "bad.mrg", *lines))
    assert all(each in str(fault.value) for each in said), fault.value


@every_codec
@pytest.mark.parametrize("tree", TREES)
def test_8_what_is_encoded_is_decoded_over_the_source(codec: Trees, tree: str, tmp_path: Path) -> None:
    item = Item({"source": " ".join(words(read_tree(tree)))})
    values = codec.encode(tree)
    again = codec.decode(values, item)
    assert again == codec.canonical(tree) and codec.is_tree(values, item)
    assert codec.encode(again).tolist() == values.tolist() and values[-1] == 0
    assert (again == tree) == (len(codec.tags) > 1)
    codec.save(tmp_path)
    assert Trees.load(tmp_path).stream == codec.stream and Trees.load(tmp_path).decode(values, item) == again


@every_codec
def test_what_was_never_seen_has_symbols_too(codec: Trees) -> None:
    item = Item({"source": "what now"})
    values = codec.encode("(SBARQ (WP what) (RB now))")
    assert values.tolist()[0] == 2 and values.tolist()[-2:] == [3, 0]
    assert codec.decode(values, item) == "(X (XX what) (XX now))" and codec.is_tree(values, item)


@pytest.mark.parametrize(
    ("written", "tree"),
    [
        ("(S (NP XX XX )NP (VP XX", "(S (NP (XX a) (XX b)) (VP (XX c)))"),  # brackets lack
        ("(S XX )NP XX )S XX )S", "(S (XX a) (XX b) (XX c))"),  # one closes nothing, the root closes early
        ("(S (NP (VP )VP XX )S", "(S (NP (XX a)) (XX b) (XX c))"),  # nothing inside; words lack
        ("(S XX XX XX XX )S", "(S (XX a) (XX b) (XX c))"),  # a word too many
        ("(S XX XX XX )S (NP )NP", "(S (XX a) (XX b) (XX c))"),
        ("XX XX XX", "(TOP (XX a) (XX b) (XX c))"),
        ("", "(TOP (XX a) (XX b) (XX c))"),
        ("(S (NP XX (VP XX )NP XX )S", "(S (NP (XX a) (VP (XX b))) (XX c))"),  # crossing
    ],
)
def test_what_is_no_tree_is_repaired(written: str, tree: str) -> None:
    codec, item = CODECS[0], Item({"source": "a b c"})
    symbols = {shown: symbol for symbol, shown in enumerate(["", "?", "?", "?", *_shown(codec)])}
    values = torch.tensor([*(symbols[part] for part in written.split()), 0])
    assert codec.decode(values, item) == tree and not codec.is_tree(values, item)


def _shown(codec: Trees) -> list[str]:
    return [sign for label in codec.labels for sign in (f"({label}", f"){label}")] + list(codec.tags)


@every_codec
@settings(max_examples=200)
@given(data=st.data(), count=st.integers(1, 6))
def test_any_symbols_are_a_tree_over_the_words_in_the_end(codec: Trees, data: st.DataObject, count: int) -> None:
    item = Item({"source": " ".join(f"w{n}" for n in range(count))})
    drawn = data.draw(st.lists(st.integers(0, codec.stream.vocab_size - 1), max_size=20))
    values = torch.tensor(drawn, dtype=torch.int64)
    tree = codec.decode(values, item)
    assert list(words(read_tree(tree))) == item.raw["source"].split()
    assert codec.is_tree(codec.encode(tree), item) or "TOP" in tree or "X" in tree


def test_round_brackets_that_are_words_are_written_out() -> None:
    assert escape("a (b) c") == "a -LRB-b-RRB- c"
