"""Forbidden texts: what is allowed, held against every output there is and a regular expression over its text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random

import pytest
import torch
from search_toys import Recurrent, memory_of

from anyseq.core import Codec, Hypotheses, Padded, Spelling, Stopped
from anyseq.data.codecs.characters import CharactersConfig
from anyseq.data.codecs.subwords import SubwordsConfig
from anyseq.data.codecs.words import WordsConfig
from anyseq.errors import UsageError
from anyseq.search import All, Beam, EndSymbol, ForbiddenTexts, Greedy, NoRepeatNgram, Sampling, search

torch.set_num_threads(1)

UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff"  # Thai, Lao, kana, Chinese
MARK = "[\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0e31\u0e34-\u0e3a]"
LETTER = rf"(?:(?![{UNSPACED}])\w)"


def stands_in(text: str, line: str) -> bool:
    """What the documentation says, by regular expressions."""
    begins_word, ends_word = re.match(LETTER, text), re.search(rf"{LETTER}{MARK}*\Z", text)
    for found in re.finditer(rf"(?={re.escape(text)})", line):
        before, after = line[: found.start()], line[found.start() + len(text) :]
        if begins_word and re.search(rf"{LETTER}{MARK}*\Z", before):
            continue
        if ends_word and re.match(rf"{LETTER}|{MARK}", after):
            continue
        return True
    return False


@cache
def canonical(codec: Codec) -> Callable[[str], str]:
    assert codec.spelling is not None
    return codec.spelling.canonical


def occurs(codec: Codec, texts: Sequence[str], symbols: Sequence[int]) -> bool:
    line = canonical(codec)(codec.decode(torch.tensor(symbols, dtype=torch.int64)))
    return any(stands_in(canonical(codec)(text), line) for text in texts)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("cat", ["cat", "a cat.", "cat-like", "猫cat猫", "“cat”"], ["category", "concat", "cat1", "cat_", "cat\u0301"]),
        ("C++", ["C++", "C++11", "C++."], ["XC++", "C+"]),
        ("+1", ["a+1", "+1."], ["+10"]),
        ("猫", ["猫", "山猫座", "cat猫s"], ["cat"]),
        ("รก", ["รก", "มรกต"], ["ร ก"]),
        ("की", ["की", "यह की।"], ["कीट", "एकी"]),
        ("ice cream", ["ice cream!"], ["nice cream", "ice creams", "icecream"]),
    ],
)
def test_what_an_occurrence_is(text: str, inside: list[str], outside: list[str]) -> None:
    """The expression of these tests and the constraint agree with what a person means."""
    codec = CharactersConfig().fit(["".join([text, *inside, *outside])])
    constraint = ForbiddenTexts([text], codec.spelling)
    for line, expected in [*((line, True) for line in inside), *((line, False) for line in outside)]:
        symbols = codec.encode(line)
        assert occurs(codec, (text,), symbols.tolist()) == expected, line
        assert path_is_allowed(constraint, symbols.tolist()) != expected, line


def path_is_allowed(constraint: ForbiddenTexts, symbols: Sequence[int]) -> bool:
    memory = memory_of([1])
    tables, _ = constraint.unroll(memory, constraint.start(memory), Padded.stack([torch.tensor(symbols)]))
    return bool(tables[0, torch.arange(len(symbols)), torch.tensor(symbols)].all())


@dataclass(frozen=True)
class Case:
    """A codec, forbidden texts, and the symbols of which all outputs are tried (none: all of them), by surface."""

    codec: Codec
    texts: tuple[str, ...]
    surfaces: tuple[str | bytes, ...] = ()
    budget: int = 5
    exact: bool = True

    @property
    def symbols(self) -> list[int]:
        surfaces = list(self.codec.spelling.surfaces)
        return [surfaces.index(each) for each in self.surfaces] or list(range(1, len(surfaces)))


def of_bytes(text: str) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(bytes([byte]) for byte in text.encode()))


LATIN = CharactersConfig().fit(["cats ."])
WHOLE = CharactersConfig(whole="cat|ca").fit(["cat cas ca."])
ACCENTS = CharactersConfig(unicode="none").fit(["caf\u00e9 e\u0301"])  # its symbols, with the forms of another
COMPOSING = type(ACCENTS)(ACCENTS.characters, CharactersConfig().normalise)
VIETNAMESE = type(ACCENTS)(("e", "ê", "ẹ", "ệ", "\u0323", "\u0302"), CharactersConfig().normalise)
LOWER = CharactersConfig(case="lower").fit(["Cat s"])
LITERAL = CharactersConfig(squeeze=False, unicode="none").fit(["a b\t"])
JAPANESE = CharactersConfig().fit(["猫かがa "])
VOICED = type(ACCENTS)(("か", "が", "\u3099", "a"), CharactersConfig().normalise)
WORDS = WordsConfig(min_count=1).fit(["the cat, cat's cat"])
NO_SUFFIX = WordsConfig(min_count=1).fit(["the cat. cat"])
SPACED = WordsConfig(min_count=1, squeeze=False).fit([" a  b"])
PIECES = ["the cat sat", "a category", "concat cats"] * 3
UNIGRAM = SubwordsConfig(vocab_size=20).fit(PIECES)
BPE = SubwordsConfig(vocab_size=20, model_type="bpe", case="lower").fit(PIECES)
BYTES = SubwordsConfig(vocab_size=280, byte_fallback=True).fit(PIECES)
RAW_BYTES = SubwordsConfig(vocab_size=280, byte_fallback=True, squeeze=False, unicode="none").fit(PIECES)
LETTERS = (" ", "c", "a", "t")

CASES = {
    "one word": Case(LATIN, ("cat",)),
    "a letter": Case(LATIN, ("a",)),
    "several": Case(LATIN, ("cat", "cats", "a", "at")),
    "each longer than the one before": Case(LATIN, ("a", "aa", "aaa", "aaaa"), ("a", " ", "s")),
    "every letter": Case(LATIN, ("c", "a", "t", "s", "."), budget=4),
    "a phrase": Case(LATIN, ("s a",), ("s", "a", " ", "."), budget=6),
    "punctuation": Case(LATIN, (".", "s.a"), ("s", "a", ".", " ")),
    "edges of two kinds": Case(LATIN, (".a", "s."), ("s", "a", ".", " ")),
    "whole symbols": Case(WHOLE, ("cat", "ca")),
    "accents": Case(COMPOSING, ("é", "fé"), ("f", "e", "é", "\u0301", " ")),
    "plain beside accents": Case(COMPOSING, ("e",), ("f", "e", "é", "\u0301", " ")),
    "accents apart": Case(ACCENTS, ("e\u0301",), ("f", "e", "é", "\u0301", " ")),
    "marks in any order": Case(VIETNAMESE, ("ệ",), budget=4),
    "lower case": Case(LOWER, ("CAT", "At", "s")),
    "literal space": Case(LITERAL, ("a b", "\t"), budget=6),
    "no spaces": Case(JAPANESE, ("猫", "か"), budget=5),
    "words beside no spaces": Case(JAPANESE, ("a",)),
    "a sound mark apart": Case(VOICED, ("が",)),
    "a sound mark not asked for": Case(VOICED, ("か",), exact=False),
    "words": Case(WORDS, ("cat",), budget=4),
    "a phrase of words": Case(WORDS, ("the cat", "cat's"), budget=4),
    "words that nothing goes on with": Case(NO_SUFFIX, ("cat",), budget=5),
    "a first space": Case(SPACED, (" a",), budget=5),
    "unknown": Case(LATIN, ("\ufffd", "a\ufffd"), ("a", "\ufffd", " ")),
    "unigram": Case(UNIGRAM, ("cat", "at"), (" ", " c", " cat", "a", "at", "t", "s", "cat"), budget=4),
    "bpe": Case(BPE, ("Cat",), (" ", " c", " cat", "a", "at", "t", "c", "eg"), budget=4),
    "bytes that make a letter": Case(BYTES, ("at",), ("a", "t", *of_bytes("é")), budget=6),
    "bytes that make punctuation": Case(BYTES, ("at",), ("at", *of_bytes("“é")), budget=5),
    "bytes that make no letter": Case(BYTES, ("at",), ("at", " ", *of_bytes("日"))),
    "bytes that make what is forbidden": Case(BYTES, ("é", "a"), (*of_bytes("éa"), "e", b"\xcc", b"\x81"), budget=5),
    "bytes that make nothing": Case(BYTES, ("\ufffd",), ("a", *of_bytes("é“"), b"\xf8"), budget=4),
    "bytes that make spaces": Case(BYTES, ("a t",), ("a", "t", " ", *of_bytes("\u3000")), budget=5),
    "bytes of four": Case(BYTES, ("at",), ("at", *of_bytes("\U00010410\U0001f410")), budget=5),
    "bytes as they are": Case(RAW_BYTES, (" cat",), (" cat", "cat", " ", b" "), budget=5),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_allowed_is_exactly_what_holds_no_forbidden_text(case: Case) -> None:
    """Over all outputs of some symbols, complete and cut; and no way leads to a place where nothing is allowed."""
    constraint = ForbiddenTexts(case.texts, case.codec.spelling).within(EndSymbol(case.budget))
    sound: set[tuple[int, ...]] = set()
    memory = memory_of([1])
    paths: list[tuple[int, ...]] = [()]
    state = constraint.start(memory)
    for length in range(1, case.budget + 1):
        allowed = constraint.allowed(memory, state)
        assert bool(allowed.any(1).all()), "a dead end"
        sound |= {(*path, 0) for path, table in zip(paths, allowed, strict=True) if table[0]}
        row, which = allowed[:, case.symbols].nonzero(as_tuple=True)
        symbols = torch.tensor(case.symbols)[which]
        paths = [(*paths[r], symbol) for r, symbol in zip(row.tolist(), symbols.tolist(), strict=True)]
        if length < case.budget:
            state = constraint.advance(memory, state.select(row), symbols)
    sound |= set(paths)
    outputs = [(*body, 0) for length in range(case.budget) for body in itertools.product(case.symbols, repeat=length)]
    outputs += itertools.product(case.symbols, repeat=case.budget)
    expected = {output for output in outputs if not occurs(case.codec, case.texts, output)}
    assert len(expected) < len(outputs), "else this sees nothing"
    slipped, lost = sound - expected, expected - sound
    assert not slipped, [case.codec.decode(torch.tensor(output)) for output in list(slipped)[:5]]
    assert not (lost and case.exact), [case.codec.decode(torch.tensor(output)) for output in list(lost)[:5]]


def texts_of(found: Hypotheses, codec: Codec) -> list[tuple[list[int], int]]:
    return [
        (found.values[source, n, : found.lengths[source, n]].tolist(), int(found.stopped[source, n]))
        for source in range(len(found.count))
        for n in range(int(found.count[source]))
    ]


@pytest.mark.parametrize("strategy", [Greedy(), Beam(4), Sampling(4, top_k=6)], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("name", ["several", "whole symbols", "lower case", "words", "unigram", "bpe", "no spaces"])
def test_no_output_of_a_search_holds_a_forbidden_text(name: str, strategy: Beam) -> None:
    """Law 15, read as text; the budget is small, so that many outputs are cut."""
    case, sources = CASES[name], list(range(60))
    decoder = Recurrent(case.codec.stream.vocab_size, seed=8, sharpness=1.5)
    options = {"strategy": strategy, "stop": EndSymbol(7, 1.5, 2), "n_best": 4}
    free = search(decoder, memory_of(sources), **options)
    assert any(occurs(case.codec, case.texts, values) for values, _ in texts_of(free, case.codec)), "this sees nothing"
    constraint = ForbiddenTexts(case.texts, case.codec.spelling).within(options["stop"])
    found = search(decoder, memory_of(sources), constraint=constraint, **options)
    assert {why for _, why in texts_of(found, case.codec)} <= {Stopped.END, Stopped.BUDGET}
    for values, _ in texts_of(found, case.codec):
        assert not occurs(case.codec, case.texts, values), case.codec.decode(torch.tensor(values))


@pytest.mark.parametrize("name", ["several", "words", "words that nothing goes on with", "no spaces"])
def test_what_held_no_forbidden_text_is_found_as_before(name: str) -> None:
    case, stop = CASES[name], EndSymbol(3)
    decoder, memory = Recurrent(case.codec.stream.vocab_size, seed=4), memory_of([1, 2, 7])
    constraint = ForbiddenTexts(case.texts, case.codec.spelling).within(stop)
    wide = {"strategy": Beam(500), "stop": stop, "n_best": 500}
    free, found = search(decoder, memory, **wide), search(decoder, memory, constraint=constraint, **wide)
    for source in range(3):
        before = [
            (free.values[source, n, : free.lengths[source, n]].tolist(), float(free.score[source, n]))
            for n in range(int(free.count[source]))
        ]
        kept = [(values, score) for values, score in before if not occurs(case.codec, case.texts, values)]
        after = [
            (found.values[source, n, : found.lengths[source, n]].tolist(), float(found.score[source, n]))
            for n in range(int(found.count[source]))
        ]
        assert after == kept and 0 < len(kept) < len(before)


def test_a_prefix_is_gone_on_with() -> None:
    """A prefix that ends in what is forbidden goes on as another word."""
    decoder, memory = Recurrent(LATIN.stream.vocab_size, seed=1), memory_of(list(range(8)))
    prefix, stop = Padded.stack([LATIN.encode("a cat")[:-1]] * 8), EndSymbol(9)
    constraint = ForbiddenTexts(["cat"], LATIN.spelling).within(stop)
    for strategy in (Greedy(), Beam(3), Sampling(3)):
        found = search(decoder, memory, strategy=strategy, stop=stop, constraint=constraint, prefix=prefix, n_best=3)
        for values, _ in texts_of(found, LATIN):
            assert re.match(r"a cat[cats]", LATIN.decode(torch.tensor(values)))


@pytest.mark.parametrize(
    ("codec", "prefix", "holds"),
    [
        (LATIN, "a cat", False), (LATIN, "cat a", True), (LATIN, "cats", False), (LATIN, "", False),
        (NO_SUFFIX, "the cat", True), (NO_SUFFIX, "the", False),
    ],
)  # fmt: skip
def test_a_prefix_that_holds_what_is_forbidden_is_known(codec: Codec, prefix: str, holds: bool) -> None:
    constraint = ForbiddenTexts(["cat"], codec.spelling)
    assert constraint.rules_out(codec.encode(prefix)[:-1].tolist()) == holds


def test_beside_another_constraint_only_what_is_blocked_may_end_in_it() -> None:
    decoder, memory = Recurrent(LATIN.stream.vocab_size, seed=3, end=-3.0), memory_of(list(range(30)))
    stop = EndSymbol(9)
    both = All([NoRepeatNgram(1, LATIN.stream.vocab_size), ForbiddenTexts(["cat", "at"], LATIN.spelling).within(stop)])
    found = search(decoder, memory, strategy=Beam(4), stop=stop, constraint=both, n_best=4)
    for values, why in texts_of(found, LATIN):
        assert why == Stopped.BLOCKED or not occurs(LATIN, ("cat", "at"), values)


def test_symbols_behind_the_vocabulary_are_as_good_as_those_in_it() -> None:
    """Also where the tables are shared by several batches, with other symbols behind."""
    stop, own = EndSymbol(5), ["Cats", " ca", "té", ".", "cat"]
    for base in (LATIN, LOWER):
        alone = ForbiddenTexts(["cat", "s."], base.spelling)
        for some in (own[:2], own, own[::-1]):
            surfaces = [*base.spelling.surfaces, *map(base.spelling.fold, some)]
            whole = ForbiddenTexts(["cat", "s."], replace(base.spelling, surfaces=surfaces)).within(stop)
            beside, memory = alone.beside(some).within(stop), memory_of([1])
            paths = list(itertools.product(range(1, len(surfaces)), repeat=3))
            for path in Random(0).sample(paths, 60):
                chosen = Padded.stack([torch.tensor([*path, 0])])
                tables = [each.unroll(memory, each.start(memory), chosen)[0] for each in (whole, beside)]
                assert torch.equal(*tables)
                assert whole.holds([*path, 0]) == beside.holds([*path, 0])


def test_nonsense_is_refused() -> None:
    for texts in ([], [""], ["cat", " "]):
        with pytest.raises(UsageError):
            ForbiddenTexts(texts, LATIN.spelling)
    ForbiddenTexts([" "], LITERAL.spelling)


def test_a_text_that_no_symbols_spell_forbids_nothing() -> None:
    constraint = ForbiddenTexts(["dog", "Ж"], LATIN.spelling)
    memory = memory_of([1])
    assert bool(constraint.allowed(memory, constraint.start(memory)).all())


def test_many_marks_on_a_letter_are_no_burden() -> None:
    text = "z" + "".join(chr(0x300 + n) for n in range(20))
    spelling = Spelling(("", *text), CharactersConfig().normalise.fold, squeeze=True)
    assert not path_is_allowed(ForbiddenTexts([text], spelling), [*range(1, len(text) + 1), 0])
