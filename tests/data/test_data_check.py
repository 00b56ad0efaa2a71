import random

import pytest

from anyseq.core import Item
from anyseq.data.check import by_severity, examine, unknown
from anyseq.data.codecs.characters import CharactersConfig

GERMAN = ["der Hund", "ein Mann", "eine Frau", "schläft", "spielt", "im Schnee", "auf der Straße", "mit dem Ball"]
ENGLISH = ["the dog", "a man", "a woman", "sleeps", "plays", "in the snow", "on the street", "with the ball"]


def make(count, seed, file):
    draw = random.Random(seed)
    items = []
    for key in range(count):
        words = [draw.randrange(len(GERMAN)) for _ in range(9)]
        raw = {side: " ".join(table[w] for w in words) for side, table in (("source", GERMAN), ("target", ENGLISH))}
        items.append(Item(raw, key, file, key + 1))
    return items


def swap(items):
    return [Item({"source": i.raw["target"], "target": i.raw["source"]}, i.key, i.file, i.line) for i in items]


def put(items, place, **raw):
    items[place] = Item({**items[place].raw, **raw}, place, items[place].file, place + 1)


@pytest.fixture
def splits():
    return make(400, 1, "train"), make(60, 2, "dev"), make(60, 3, "test")


def loud(findings):
    return [finding for finding in by_severity(findings) if finding.severity != "note"]


def test_clean_data_get_their_counts_and_nothing_else(splits):
    findings = list(examine(*splits))
    assert [finding.severity for finding in findings] == ["note"] * 3
    assert findings[0].message.startswith("train: 400 pairs")
    assert len(list(examine(splits[0]))) == 1


def test_no_training_data_are_an_error():
    assert [finding.severity for finding in examine([], make(5, 1, "dev"))] == ["note", "error"]


@pytest.mark.parametrize("swapped", [1, 2])
def test_swapped_sides_are_an_error(splits, swapped):
    splits = [swap(items) if place == swapped else items for place, items in enumerate(splits)]
    [finding] = loud(examine(*splits))
    assert finding.severity == "error"
    assert finding.message.startswith(("dev", "test")[swapped - 1])
    assert "swap" in finding.message


def test_sides_of_one_language_are_not_called_swapped():
    train, dev = make(400, 1, "train"), make(60, 2, "dev")
    for items in (train, dev):
        items[:] = [Item({**item.raw, "target": item.raw["source"][::-1]}, item.key) for item in items]
    assert loud(examine(train, dev)) == []


@pytest.mark.parametrize("seed", range(6))
def test_chance_is_not_called_a_swap(seed):
    draw = random.Random(seed)
    numbers = [{side: str(draw.randrange(10**7, 10**8)) for side in ("source", "target")} for _ in range(340)]
    train, dev = ([Item(raw, key) for key, raw in enumerate(part)] for part in (numbers[:300], numbers[300:]))
    assert loud(examine(train, dev)) == []


@pytest.mark.parametrize(
    ("change", "message", "places"),
    [
        ({"target": " "}, "train: 1 of 400 (0.25%) pairs are empty on a side", {"train:8"}),
        ({"target": "x" * 900}, "have a length ratio over 4 times", {"train:8"}),
    ],
)
def test_a_pair_that_is_empty_or_much_too_long_is_named(splits, change, message, places):
    put(splits[0], 7, **change)
    found = [finding for finding in loud(examine(*splits)) if message in finding.message]
    assert [set(finding.places) for finding in found] == [places]


def test_the_worst_ratio_is_named_first(splits):
    put(splits[0], 7, target="x" * 900)
    put(splits[0], 9, target="x" * 1900)
    assert loud(examine(*splits))[0].places == ("train:10", "train:8")


def test_duplicates_and_overlaps_are_counted(splits):
    train, dev, test = splits
    put(train, 7, **train[3].raw)
    put(dev, 0, **train[5].raw)
    put(test, 1, source=train[6].raw["source"])
    put(test, 2, **dev[9].raw)
    found = {finding.message.split(";")[0]: finding.places for finding in loud(examine(*splits))}
    assert found == {
        "train: 1 of 400 (0.25%) pairs stood before already": ("train:8",),
        "dev: 1 of 60 (1.67%) pairs stand in train too": ("dev:1",),
        "test: 1 of 60 (1.67%) sources (with another target) stand in train too": ("test:2",),
        "test: 1 of 60 (1.67%) pairs stand in dev too": ("test:3",),
    }


def test_identical_sides_are_found(splits):
    splits[1][:] = [Item({**i.raw, "target": i.raw["source"]}, i.key, i.file, i.line) for i in splits[1]]
    found = [finding for finding in loud(examine(*splits)) if "same text on both sides" in finding.message]
    generated = loud(examine(*splits, given=False))
    assert not [finding for finding in generated if "same text on both sides" in finding.message]
    assert len(found) == 1
    assert found[0].message.startswith("dev: 60 of 60 (100.00%)")
    assert "given twice" in found[0].message


def test_a_frequent_line_is_found(splits):
    for place in range(30):
        put(splits[0], place, target="I do not know what he means by all that talk.")
    [finding] = loud(examine(*splits))
    assert "train: one target line makes up 30 of 400 (7.50%): 'I do not know" in finding.message
    assert len(finding.places) == 10


def test_unknown_characters_are_counted_and_named_the_worst_line_first():
    codec = CharactersConfig().fit(["a b"])
    texts = ["ab", "abab abax", "", "xyx", "b"]
    items = [Item({"source": text}, key, "dev", key + 1) for key, text in enumerate(texts)]
    [finding] = unknown("dev", "source", codec, items)
    assert finding.severity == "warning"
    assert finding.message.startswith("dev: 28.57% of the source's characters are unknown")
    assert "('x', 'y'); is it text of another kind" in finding.message
    assert finding.places == ("dev:4", "dev:2")


def test_little_or_nothing_unknown_is_but_noted():
    codec = CharactersConfig().fit(["ab"])
    some = [Item({"source": "ab" * 100 + "x"})]
    assert [f.message for f in unknown("dev", "source", codec, some)] == [
        "dev: 0.50% of the source's characters are unknown to the codec learnt from train ('x')"
    ]
    [none] = unknown("dev", "source", codec, [Item({"source": ""})])
    assert none.severity == "note" and none.message.startswith("dev: 0.00%") and none.message.endswith("train")
    assert unknown("dev", "source", codec, []) == unknown("dev", "target", codec, some) == []


def test_names_of_columns_read_as_data_are_seen(splits):
    train = splits[0]
    put(train, 0, source="review", target="Label")
    [finding] = loud(examine(train, columns=("text", "target")))
    assert finding.places == ("train:1",) and "call them text, target" in finding.message
    put(train, 5, target="Label")  # as others are, it is no name
    assert not [each for each in examine(train) if "names of columns" in each.message]


def test_one_frequent_answer_of_a_few_is_not_odd_and_a_long_line_is_shown_cut(splits):
    train = splits[0]
    for place in range(100):
        put(train, place, target="I do not know " * 9)
    assert not [each for each in loud(examine(train, targets="labels")) if "makes up" in each.message]
    [finding] = [each for each in loud(examine(train)) if "makes up" in each.message]
    assert "I do...'; is that meant" in finding.message
    put(train, 200, target="No.", source="why not " * 20)
    assert any("length ratio" in each.message for each in loud(examine(train)))
    assert not [each for each in loud(examine(train, targets="replies")) if "length ratio" in each.message]
