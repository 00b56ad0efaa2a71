"""Lines that stand elsewhere than those they belong to are found; of those that stand right, none is blamed."""

from __future__ import annotations

import gzip
import os
import random
import re
import string
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import pytest

from anyseq.core import Item
from anyseq.data.check import Finding, examine
from anyseq.data.order import FEWEST, learn
from anyseq.data.synthetic.base import SizedGeneratorConfig
from anyseq.data.synthetic.dates import DatesConfig
from anyseq.data.synthetic.origins import OriginsConfig
from anyseq.data.synthetic.phrases import PhrasesConfig
from anyseq.data.synthetic.strings import CopyConfig, ExpandConfig, ReverseConfig
from anyseq.data.words_together import Words, _looked_at, order_by_words

Texts = tuple[list[str], list[str]]
DATA = Path(os.environ.get("ANYSEQ_DATA", "."))


def languages(lines: int, seed: int, letters: str = "αβγδεζηθικλμνξοπρστ") -> Texts:
    """Sentences of one made-up language and, word for word in another order, of another; no letter is in both."""
    draw = random.Random(seed)
    words = ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(2, 9))) for _ in range(300)]
    others = ["".join(draw.choices(letters, k=draw.randint(2, 9))) for _ in range(300)]
    weights = list(accumulate(1 / rank for rank in range(1, 301)))
    sentences = [draw.choices(range(300), cum_weights=weights, k=draw.randint(3, 12)) for _ in range(lines)]
    return (
        [" ".join(words[word] for word in sentence) for sentence in sentences],
        [" ".join(others[word] for word in sorted(sentence)) for sentence in sentences],
    )


def lose(texts: list[str], *lines: int) -> list[str]:
    """The text without some lines, filled up at the end."""
    return [text for line, text in enumerate(texts) if line not in lines] + texts[: len(lines)]


def found(source: list[str], target: list[str]) -> list[tuple[int, int, int | None]]:
    return [(each.first, each.last, each.offset) for each in learn(source, target).stretches]


def near(stretches: list[tuple[int, int, int | None]], expected: list[tuple[int, int, int | None]]) -> bool:
    """Whether these are the same but for a few lines at the ends; stretches of a few lines do not count."""
    stretches = [each for each in stretches if each[1] - each[0] > 5]
    return [each[2] for each in stretches] == [each[2] for each in expected] and all(
        abs(one - other) <= 4
        for each, wanted in zip(stretches, expected, strict=True)
        for one, other in zip(each[:2], wanted[:2], strict=True)
    )


def items(source: list[str], target: list[str], file: str = "train") -> list[Item]:
    pairs = zip(source, target, strict=True)
    return [Item({"source": one, "target": other}, key, file, key + 1) for key, (one, other) in enumerate(pairs)]


def faults(*splits: list[Item], held_out: bool = False) -> list[Finding]:
    """What is found in the order of the lines alone."""
    others = list(examine(*splits, held_out=held_out, given=False))
    found = [each for each in examine(*splits, held_out=held_out) if each not in others]
    return [each for each in found if "same text on both sides" not in each.message]


@pytest.mark.parametrize("lines", [FEWEST, 500, 3000])
@pytest.mark.parametrize("seed", range(4))
def test_what_stands_right_is_left_alone(lines: int, seed: int) -> None:
    order = learn(*languages(lines, seed))
    assert order.relation is not None and order.as_they_stand and order.stretches == []


@pytest.mark.parametrize("lost", [0, 70, 500, 950])
@pytest.mark.parametrize("of_source", [False, True])
def test_from_a_lost_line_on_the_target_stands_one_off(lost: int, of_source: bool) -> None:
    source, target = languages(1000, 1)
    if of_source:
        assert near(found(lose(source, lost), target), [(lost, 999, 1)])
    else:
        assert near(found(source, lose(target, lost)), [(lost + 1, 1000, -1)])


def test_several_lost_lines_add_up() -> None:
    source, target = languages(6000, 2)
    expected = [(1 + lost, lost + 1000, -number) for number, lost in enumerate(range(1000, 6000, 1000), 1)]
    assert near(found(source, lose(target, *range(1000, 6000, 1000))), expected)


def test_a_stretch_in_the_middle() -> None:
    source, target = languages(2000, 3)
    target[1000:1060] = [*target[1001:1060], target[1000]]
    assert near(found(source, target), [(1000, 1059, -1)])


@pytest.mark.parametrize("lines", [1000, 1001])
def test_swapped_halves(lines: int) -> None:
    source, target = languages(lines, 4)
    half = lines // 2
    expected = [(0, lines - half, half), (lines - half, lines, half - lines)]
    assert near(found(source, target[-half:] + target[:-half]), expected)


def test_blocks_in_another_order() -> None:
    source, target = languages(4000, 5)
    first, second, third, fourth = (target[at : at + 1000] for at in range(0, 4000, 1000))
    expected = [(0, 1000, 1000), (1000, 3000, 2000), (3000, 4000, -1000)]
    # line 0 of the source belongs to `first`, which stands second now, and so on
    expected = [(0, 1000, 1000), (1000, 2000, 2000), (2000, 3000, -2000), (3000, 4000, -1000)]
    assert near(found(source, third + first + fourth + second), expected)


@pytest.mark.parametrize("put", [sorted, lambda texts: texts[::-1], lambda texts: random.Random(0).sample(texts, 3000)])
def test_a_side_in_another_order_has_no_relation(put: Callable[[list[str]], list[str]]) -> None:
    source, target = languages(3000, 6)
    assert learn(source, put(target)).relation is None
    [finding] = faults(items(source, put(target)))
    assert finding.severity == "warning" and "is one side in another order?" in finding.message


def test_a_part_in_another_order() -> None:
    source, target = languages(3000, 7)
    target[2000:] = random.Random(0).sample(target[2000:], 1000)
    assert near(found(source, target), [(2000, 3000, None)])


def test_sorted_texts_are_no_other_case() -> None:
    source, target = languages(3000, 8)
    order = sorted(range(3000), key=lambda line: source[line])
    source, target = ([text[line] for line in order] for text in (source, target))
    assert found(source, target) == []
    assert near(found(source, lose(target, 1200)), [(1201, 3000, -1)])
    order = sorted(range(3000), key=lambda line: len(source[line]))
    assert found([source[line] for line in order], [target[line] for line in order]) == []


def test_what_comes_back_regularly_is_no_relation() -> None:
    """Every second line is longer, on both sides, which belong together in no other way."""
    draw = random.Random(0)
    sides = [["x" * draw.randint(5, 8) * (1 + line % 2) for line in range(3000)] for _ in range(2)]
    assert found(*sides) in ([], [(0, 3000, None)])


def test_texts_joined() -> None:
    """Several languages, one text twice, each line several times: the pairs stand right."""
    source, target = languages(1500, 9)
    other, target_of_other = languages(1500, 10, "абвгдежзиклмн")
    assert found(source + other, target + target_of_other) == []
    assert found(source + source, target + target) == []
    assert found([text for text in source for _ in range(3)], [text for text in target for _ in range(3)]) == []
    assert faults(items(source + target, target + source)) == []


def test_lines_that_answer_the_one_before_are_no_error() -> None:
    source, _ = languages(3000, 11)
    [finding] = faults(items(source[:-1], source[1:]))
    assert finding.severity == "warning" and "is that meant (each line answers the one before)" in finding.message


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ([""] * 500, [""] * 500),
        (["x"] * 500, ["y"] * 500),
        (["x"] * 500, [str(number) for number in range(500)]),
        (["\ud800 ß"] * 500, ["İ"] * 250 + ["ẞ\U0010ffff"] * 250),
    ],
)
def test_any_text_can_be_looked_at(source: list[str], target: list[str]) -> None:
    assert learn(source, target).relation is None


def test_no_relation_but_by_the_order_is_no_fault() -> None:
    """Sorted by label, near lines have one label: only far ones could tell that they belong together."""
    draw = random.Random(0)
    labels = ["0"] * 1600 + ["1"] * 1600
    words = {"0": ("ab", "cd", "ef"), "1": ("ab", "gh", "ij")}
    texts = [" ".join(draw.choices(words[label], k=6)) for label in labels]
    assert learn(texts, labels).relation is None
    assert faults(items(texts, labels)) == []


@pytest.mark.parametrize("config", [CopyConfig, ReverseConfig, ExpandConfig, DatesConfig, PhrasesConfig])
def test_generators(config: type[SizedGeneratorConfig]) -> None:
    made = config(train=1500).generate("train")
    source, target = ([item.raw[side] for item in made] for side in ("source", "target"))
    assert found(source, target) == found(target, source) == []
    assert near(found(source, lose(target, 0)), [(1, 1500, -1)])
    assert near(found(lose(source, 600), target), [(600, 1499, 1)])
    assert near(found(source, target[750:] + target[:750]), [(0, 750, 750), (750, 1500, -750)])


def test_one_word_of_many_that_matters() -> None:
    """Where somebody grew up, in much small talk, and the language they speak: nothing but these words tells."""
    made = OriginsConfig(train=4000).generate("train")
    source, target = ([item.raw[side] for item in made] for side in ("source", "target"))
    assert learn(source, target).relation is None
    assert faults(items(source, target)) == faults(items(source[:1000], target[:1000])) == []
    [finding] = faults(items(source, lose(target, 1000)))
    assert finding.severity == "error"
    assert "from about train:1001 to about train:4000 the target that fits stands 1 line earlier" in finding.message
    [finding] = faults(items(source, target[2000:] + target[:2000]))
    assert "from about train:1 to about train:2000 the target that fits stands 2,000 lines later" in finding.message
    [finding] = faults(items(source, random.Random(0).sample(target, 4000)))
    assert finding.severity == "warning" and "is one side in another order?" in finding.message
    [finding] = faults(items(source[:3000], target[:3000]), items(source[3000:], [*target[3001:], "x"], "dev"))
    assert finding.message.startswith("dev: 1,000 of 1,000 (100.00%) pairs do not belong together")


@pytest.mark.parametrize("lines", [300, 2000])
def test_words_come_together_by_chance_only(lines: int) -> None:
    source, target = languages(lines, 16)
    assert order_by_words(source, random.Random(0).sample(target, lines)) is None
    assert order_by_words(["a"] * lines, ["b c"] * lines) is None
    assert order_by_words([""] * lines, target) is None
    found = order_by_words(source, target)
    assert found is not None and found.as_they_stand and found.stretches == []


# Findings


def test_a_shift_is_an_error_that_says_from_where_on_and_what_happened() -> None:
    source, target = languages(2000, 12)
    [finding] = faults(items(source, lose(target, 700), "train.de"))
    assert finding.severity == "error"
    assert re.match(r"train: 1,(29|30)\d of 2,000 \(6\d\.\d\d%\) pairs do not belong together: ", finding.message)
    assert re.search(r"from train\.de:(69|70)\d to", finding.message)
    assert "to train.de:2000 the target that fits stands 1 line earlier; before these the target" in finding.message
    [finding] = faults(items(lose(source, 700), target, "train.de"))
    assert "stands 1 line later; before these the source lost a line" in finding.message
    [finding] = faults(items(source, target[1000:] + target[:1000]))
    assert finding.severity == "error"
    assert "from train:1 to train:1000 the target that fits stands 1,000 lines later; from train:1001" in str(finding)
    assert finding.message.endswith("the lines of one side stand in another order: restore it")


def test_few_lines_are_no_error() -> None:
    source, target = languages(6000, 13)
    target[3000:3040] = [*target[3001:3040], target[3000]]
    [finding] = faults(items(source, target))
    assert finding.severity == "warning" and re.match(r"train: (3[5-9]|4[0-4]) of 6,000", finding.message)


@pytest.mark.parametrize("count", [60, 300])
def test_small_dev_and_test_are_judged_by_what_train_taught(count: int) -> None:
    source, target = languages(4000, 14)
    train = items(source[:3000], target[:3000])
    dev = items(source[3000 : 3000 + count], target[3000 : 3000 + count], "dev")
    assert faults(train, dev) == []
    shifted = items(source[3500 : 3500 + count], target[3501 : 3501 + count], "test")
    [finding] = faults(train, dev, shifted)
    assert finding.severity == "error" and finding.message.startswith("test: ") and "1 line earlier" in finding.message
    shuffled = items(source[3500 : 3500 + count], random.Random(0).sample(target[3500 : 3500 + count], count), "test")
    [finding] = faults(train, dev, shuffled)
    assert "have no more in common than lines drawn at random: from test:1 to" in finding.message


@pytest.mark.parametrize("move", [lambda target: lose(target, 0), lambda target: target[1500:] + target[:1500]])
def test_what_was_held_out_counts_where_it_stood(move: Callable[[list[str]], list[str]]) -> None:
    source, target = languages(3000, 15)
    pairs = items(source, move(target))
    dev = sorted(random.Random(0).sample(pairs, 300), key=lambda item: item.key)
    train = [item for item in pairs if item not in dev]
    [finding] = faults(train, dev, held_out=True)
    assert finding.severity == "error" and "of 3,000 (" in finding.message and "train:3000" in finding.message


# Real texts


def read(name: str) -> list[str]:
    path = DATA / name
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") if name.endswith(".gz") else path.open() as stream:
        return [line.rstrip("\n") for line in stream]


def columns(name: str) -> Texts:
    rows = [line.split("\t") for line in read(name)]
    return [row[0] for row in rows], [row[1] for row in rows]


REAL: dict[str, Callable[[], Texts]] = {
    **{
        f"multi30k {one}-{other} {part}": lambda one=one, other=other, part=part: (  # type: ignore[misc]
            read(f"multi30k/{part}.{one}.gz"), read(f"multi30k/{part}.{other}.gz")
        )
        for one in ("cs", "de", "en", "fr")
        for other in ("cs", "de", "en", "fr")
        for part in ("train", "val")
        if one != other
    },
    "tatoeba": lambda: (read("tatoeba_enes/train.en.gz"), read("tatoeba_enes/train.es.gz")),
    "tanaka": lambda: (read("tanaka_enja/train.en.gz"), read("tanaka_enja/train.ja.gz")),
    "cmudict": lambda: columns("cmudict/train.tsv.gz"),
    **{
        f"names {script}": lambda script=script: columns(f"translit_names/{script}.train.tsv.gz")  # type: ignore[misc]
        for script in ("arabic", "hebrew", "katakana")
    },
    **{
        f"inflection {language}": lambda language=language: columns(f"sigmorphon2018/{language}.train.tsv")  # type: ignore[misc]
        for language in ("finnish", "spanish", "turkish")
    },
}  # fmt: skip


@pytest.mark.full
@pytest.mark.skipif(not (DATA / "multi30k").exists(), reason="ANYSEQ_DATA names no folder with the real texts")
@pytest.mark.parametrize("name", REAL)
def test_real_texts(name: str) -> None:
    source, target = REAL[name]()
    lines = len(source)
    third, half = lines // 3, lines // 2
    assert found(source, target) == []
    shifted = found(source, lose(target, third))
    assert {each[2] for each in shifted} == {-1}
    assert abs(shifted[0][0] - third) < 20 and sum(last - first for first, last, _ in shifted) > 0.99 * (lines - third)
    swapped = found(source, target[half:] + target[:half])
    assert {offset for first, last, offset in swapped if last - first > 20} == {lines - half, -half}
    assert learn(source, random.Random(0).sample(target, lines)).relation is None


def test_long_lines_are_looked_at_more_sparsely():
    """All pairs of words of all lines would take minutes."""
    short, long = ["a b c"] * 5000, [" ".join(f"w{n}" for n in range(300))] * 5000
    for lines, count in ((short, 1000), (long, 11)):
        sides = Words.of(lines), Words.of(lines)
        rows = _looked_at(sides, 1000, 4000)
        assert rows[0] == 1000 and rows[-1] < 4000 and len(rows) == count
