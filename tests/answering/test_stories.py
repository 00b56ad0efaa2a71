"""Stories: what settles an answer, by a reading of our own; dialogues: what is answered was said."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from anyseq.core import Item
from anyseq.data.synthetic.dialogues import DialoguesConfig
from anyseq.data.synthetic.stories import PLACES, StoriesConfig
from anyseq.data.turns import split_turns
from anyseq.errors import UsageError

_GONE = re.compile(r"(\w+) .* the (\w+)\.")


def read(source: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Who and what each sentence names, and the words of the question."""
    told, question = source.rsplit(". ", 1)
    found = []
    for sentence in (told + ".").split(". "):
        match = _GONE.fullmatch(sentence.removesuffix(".") + ".")
        assert match is not None, sentence
        found.append((match[1], match[2]))
    return found, re.findall(r"\w+", question)


def trail(told: list[tuple[str, str]], sentences: list[str], thing: str) -> list[str]:
    """The places a thing was brought to, one after the other."""
    at: dict[str, str] = {}
    holder, places = "", list[str]()
    for (who, what), sentence in zip(told, sentences, strict=True):
        if what in PLACES:
            at[who] = what
            if who == holder:
                places.append(what)
        elif what == thing:
            holder = "" if re.search("put down|left|let go", sentence) else who
            if not places or places[-1] != at[who]:
                places.append(at[who])
    return places


def sentences_of(item: Item) -> list[str]:
    return str(item.raw["source"]).split(". ")[:-1]


@pytest.mark.parametrize("facts", [1, 2, 3])
def test_the_answer_follows_from_the_story(facts: int) -> None:
    items = StoriesConfig(facts=facts, train=400).generate("train")
    for item in items:
        told, question = read(item.raw["source"])
        sentences = sentences_of(item)
        settled = [int(number) - 1 for number in item.raw["facts"].split()]
        assert len(set(settled)) == facts and settled == sorted(settled)
        if facts == 1:
            assert [what for who, what in told if who == question[-1]][-1] == item.raw["target"]
            assert told[settled[0]] == (question[-1], item.raw["target"])
        elif facts == 2:
            assert trail(told, sentences, question[-1])[-1] == item.raw["target"]
            assert {question[-1], item.raw["target"]} == {told[fact][1] for fact in settled}
        else:
            places = trail(told, sentences, question[3])
            after = [place for place, following in enumerate(places) if following == question[-1]]
            assert [places[place - 1] for place in after] == [item.raw["target"]]
            named = {told[fact][1] for fact in settled}
            assert named == {question[3], question[-1], item.raw["target"]}
            assert len({told[fact][0] for fact in settled}) == 1
    counts = Counter(item.raw["target"] for item in items)
    assert len(counts) == 6 and counts.most_common(1)[0][1] < 0.3 * len(items)


def test_a_story_has_as_many_sentences_as_are_asked_for() -> None:
    lengths = {len(sentences_of(item)) for item in StoriesConfig(train=300, max_sentences=5).generate("train")}
    assert lengths == {2, 3, 4, 5}
    assert max(len(sentences_of(item)) for item in StoriesConfig(train=300, facts=3).generate("train")) == 30
    with pytest.raises(ValueError, match="max_sentences 2 is below"):
        StoriesConfig(facts=3, max_sentences=2)
    with pytest.raises(UsageError, match="of 500 distinct items"):
        StoriesConfig(train=500, persons=1, places=2, max_sentences=2).generate("train")


def test_a_reply_follows_from_the_turns_before() -> None:
    items = DialoguesConfig(train=2000, turns=7).generate("train")
    named, alone = 0, Counter[int]()
    for item in items:
        turns = split_turns(item.raw["source"])
        reply = item.raw["target"]
        assert len(turns) % 2 == 1 and len(turns) <= 7
        alone[len(turns)] += 1
        for said, what in (("Your name is", "name"), ("You live in", "live"), ("You have a", ""), ("You like", "")):
            if reply.startswith(said):
                told = reply.removeprefix(said).strip(" .")
                assert any(told in turn for turn in turns[:-1]), item
                named += what == "name"
        if reply.startswith("You did not tell me your name"):
            assert not any(turn.startswith(("My name is", "Nice to meet you")) for turn in turns)
    assert any(item.raw["target"].startswith("What colour is your") for item in items)
    assert named > 50 and set(alone) == {1, 3, 5, 7}


def test_no_invented_name_is_in_two_splits() -> None:
    def names(split: str) -> set[str]:
        items = DialoguesConfig(train=500, dev=100, test=100).generate(split)
        return {word.lower() for item in items for word in re.findall(r"Nice to meet you, (\w+)", item.raw["target"])}

    train, test = names("train"), names("test")
    assert train and test and not train & test
