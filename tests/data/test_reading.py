import gzip
import io
import json
import sys

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anyseq.core import Item
from anyseq.data.files import (
    read_items,
    read_lines,
    read_pairs,
    read_references,
    read_table,
)
from anyseq.data.selection import refuse_too_many, sift
from anyseq.errors import AnyseqError, DataError

PAIRS = [("eins\u2028zwei\x0b\x85", " one  two "), ("", "leer"), ("drei", "three")]


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        data = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write_file


def raws(items):
    return [(item.raw["source"], item.raw["target"]) for item in items]


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_parallel_lines(write, suffix, end, mark):
    source = write(f"train.de{suffix}", mark + end.join(text for text, _ in PAIRS))
    target = write(f"train.en{suffix}", mark + "".join(text + end for _, text in PAIRS))
    items = read_pairs(source, target)
    assert raws(items) == PAIRS
    assert items[2].place == f"{source}:3"
    assert [item.key for item in items] == [0, 1, 2]
    assert read_items({"target": str(target), "source": source}) == items


TABLES = {
    "a.tsv": "".join(f"{source}\t{target}\n" for source, target in PAIRS),
    "named.tsv": "id\ttarget\tsource\r\n" + "".join(f"7\t{target}\t{source}\r\n" for source, target in PAIRS),
    "a.txt": "\ufeff" + "\n".join(f"{source}\t{target}" for source, target in PAIRS),
    "a.csv": "".join(f'"{source}",{target}\n' for source, target in PAIRS),
    "named.csv": "target,source\n\n" + "".join(f"{target},{source}\n" for source, target in PAIRS),
    "a.jsonl": "\n\n".join(json.dumps({"target": target, "source": source, "x": 1}) for source, target in PAIRS),
}


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("name", TABLES)
def test_one_file_with_both_fields(write, name, suffix):
    path = write(name + suffix, TABLES[name])
    items = read_items(path)
    assert raws(items) == PAIRS
    assert {item.file for item in items} == {str(path)}
    assert read_table(str(path)) == items


def test_items_of_tables_know_their_line(write):
    lines = {name: [item.line for item in read_table(write(name, text))] for name, text in TABLES.items()}
    assert lines == {
        "a.tsv": [1, 2, 3],
        "named.tsv": [2, 3, 4],
        "a.txt": [1, 2, 3],
        "a.csv": [1, 2, 3],
        "named.csv": [3, 4, 5],
        "a.jsonl": [1, 3, 5],
    }


def test_a_quoted_csv_cell_may_hold_commas_quotes_and_line_ends(write):
    items = read_table(write("a.csv", '"a, ""b""\nc",d\ne,f\n'))
    assert raws(items) == [('a, "b"\nc', "d"), ("e", "f")]
    assert [item.line for item in items] == [1, 3]


def test_one_field_a_line(write):
    assert [item.raw for item in read_table(write("a.txt", "text\na\tb\n"), ["text"])] == [
        {"text": "text"},
        {"text": "a\tb"},
    ]


FAULTS = {
    "missing": ({}, {"source": "a.de", "target": "b.en"}, r"a\.de: there is no such file"),
    "misspelt": ({"train.de": "x"}, "trian.de.tsv", r"trian\.de\.tsv: there is no such file"),
    "nearest": ({"train.tsv": "x\ty"}, "trian.tsv", r"did you mean .*train\.tsv\?"),
    "no folder": ({}, "nowhere/a.tsv", r"the folder .*nowhere does not exist"),
    "a folder": ({"f.tsv/x": "x"}, "f.tsv", r"f\.tsv: cannot be read"),
    "unequal": (
        {"a.de": "1\n2\n3\n", "b.en": "1\n2\n"},
        {"source": "a.de", "target": "b.en"},
        r"a\.de has 3, .*b\.en has 2 lines.*mend",
    ),
    "empty side": ({"a.de": "1\n", "b.en": ""}, {"source": "a.de", "target": "b.en"}, r"b\.en: the file is empty"),
    "empty": ({"a.tsv": ""}, "a.tsv", r"a\.tsv: the file is empty"),
    "only a header": ({"a.tsv": "source\ttarget\n"}, "a.tsv", r"a\.tsv: the file is empty"),
    "latin1": ({"a.tsv": b"x\ty\n\xe9t\xe9\tb\n"}, "a.tsv", r"a\.tsv:2: byte 1 of the line is no UTF-8; .*iconv"),
    "utf-16": ({"a.tsv": "a\tb\n".encode("utf-16")}, "a.tsv", r"a\.tsv:1: .*UTF-16"),
    "columns": ({"a.tsv": "x\ty\nx\ty\tz\n"}, "a.tsv", r"a\.tsv:2: 3 columns, expected 2 .*tab.*source, target"),
    "one column": ({"a.tsv": "x\ty\nx y\n"}, "a.tsv", r"a\.tsv:2: 1 column, expected 2 .*mend the line$"),
    "further columns": ({"a.csv": "1,x,y\n"}, "a.csv", r"a\.csv:1: 3 columns.*name all .* first line \(source, target"),
    "empty line": ({"a.tsv": "x\ty\n\nx\ty\n"}, "a.tsv", r"a\.tsv:2: the line is empty, .*take it out"),
    "several texts": ({"a.jsonl": '{"source": "a", "target": ["b", "c"]}'}, "a.jsonl", r"is a text, as in 'b, c'"),
    "header columns": ({"a.csv": "source,id,target\nx,y\n"}, "a.csv", r"a\.csv:2: 2 columns, expected 3 .*comma"),
    "open quote": ({"a.csv": 'a,b\n"x,y\n'}, "a.csv", r"a\.csv:2: this is no CSV"),
    "no json": ({"a.jsonl": '{"source": "a", "target": "b"}\n{"source"\n'}, "a.jsonl", r"a\.jsonl:2: .*no JSON"),
    "deep json": ({"a.jsonl": "[" * 100_000}, "a.jsonl", r"a\.jsonl:1: .*no JSON"),
    "no object": ({"a.jsonl": '["a", "b"]'}, "a.jsonl", r'a\.jsonl:1: an object like \{"source": "...", "target"'),
    "no field": ({"a.jsonl": '{"source": "a", "x": 1}'}, "a.jsonl", r"a\.jsonl:1: .*'target' .*source, x: call"),
    "no text": ({"a.jsonl": '{"source": "a", "target": 3}'}, "a.jsonl", r"a\.jsonl:1: the field 'target' is 3, .*text"),
    "kind": ({"a.parquet": "x"}, "a.parquet", r"\.tsv, \.csv, \.jsonl or \.txt"),
    "fields": ({"a.de": "x"}, {"source": "a.de"}, "fields source is given, needed are source, target"),
}


@pytest.mark.parametrize(("files", "data", "message"), FAULTS.values(), ids=FAULTS)
def test_faults_name_file_line_and_remedy(tmp_path, files, data, message):
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    located = {key: tmp_path / name for key, name in data.items()} if isinstance(data, dict) else tmp_path / data
    with pytest.raises(DataError, match=message):
        read_items(located)


def test_a_damaged_gz_is_said(tmp_path):
    whole = gzip.compress(b"a\tb\n" * 10_000)
    for content in (b"a\tb\n", whole[:-20], whole[:10] + b"\xff" * 9, whole[:-8] + b"\x00" * 8):
        (tmp_path / "a.tsv.gz").write_bytes(content)
        with pytest.raises(DataError, match=r"a\.tsv\.gz: the \.gz is damaged or cut short"):
            read_table(tmp_path / "a.tsv.gz")


class Frame:
    def to_dict(self, orient):
        assert orient == "records"
        return [{"source": source, "target": target, "more": None} for source, target in PAIRS]


@pytest.mark.parametrize(
    "data",
    [
        PAIRS,
        iter(PAIRS),
        [list(pair) for pair in PAIRS],
        [{"target": target, "source": source} for source, target in PAIRS],
        np.array(PAIRS),
        np.array(PAIRS, dtype=object),
        Frame(),
        {"source": [source for source, _ in PAIRS], "target": (target for _, target in PAIRS)},
        {"source": np.array([source for source, _ in PAIRS]), "target": [target for _, target in PAIRS]},
    ],
    ids=lambda data: type(data).__name__,
)
def test_data_from_python(data):
    items = read_items(data)
    assert raws(items) == PAIRS
    assert {type(text) for pair in raws(items) for text in pair} == {str}
    assert items[1].place == "item 1"


def test_an_empty_list_is_nothing():
    assert raws(read_items([("a", []), ([], "b")])) == [("a", ""), ("", "b")]


def test_texts_from_python():
    assert [item.raw for item in read_items(["ab", np.str_("c")], ["text"])] == [{"text": "ab"}, {"text": "c"}]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "at least one item"),
        ([("a", "b"), ("a",)], r"item 1: \('a',\) is given"),
        (["ab"], "item 0: 'ab' is given"),
        ([{"source": "a"}], "item 0: the field 'target' is missing"),
        ([("a", [[1, 2], [3]])], r"expected is a text, a list of numbers, or a list of rows with as many numbers each"),
        ([("a", float("nan"))], "item 0: the field 'target' is nan, expected is a text"),
        ([("a", 1)], r"item 0: the field 'target' is 1, expected is a text or a list, such as \[1\]"),
        ([("a", [[1, 2], [3]])], r"item 0: the field 'target' is \[\[1, 2\], \[3\]\], expected is .*rows with as many"),
        ([("a", b"b")], "item 0: the field 'target' is b'b'"),
        (3, "this is a int"),
        ({"source": ["a"], "target": ["a", "b"]}, "source has 1, target has 2"),
        ({"source": 3, "target": ["a", "b"]}, "this is a int"),
    ],
)
def test_faults_of_data_from_python(data, message):
    with pytest.raises(DataError, match=message):
        read_items(data)


def test_lines_become_sources(write):
    items = list(read_lines(write("a.txt.gz", "\ufeffa\n\nc\u2028\r\nd")))
    assert [item.raw for item in items] == [{"source": text} for text in ("a", "", "c\u2028", "d")]
    assert [item.key for item in items] == [0, 1, 2, 3]
    assert items[3].place.endswith("a.txt.gz:4")
    assert list(read_lines(write("empty", ""))) == []


class Terminal(io.RawIOBase):
    """Gives one line at each read, and counts them."""

    def __init__(self, lines):
        self.lines, self.given = lines, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        if self.given == len(self.lines):
            return 0
        line = self.lines[self.given]
        self.given += 1
        buffer[: len(line)] = line
        return len(line)


def test_a_line_of_standard_input_is_given_out_before_the_next_is_read(monkeypatch):
    terminal = Terminal([b"one\n", b"two\n", b"\xff\n"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(terminal)))
    items = read_lines("-")
    assert next(items).raw["source"] == "one"
    assert terminal.given == 1
    assert next(items).place == "standard input:2"
    with pytest.raises(DataError, match="standard input:3: byte 1"):
        next(items)


def test_references_may_be_ragged_or_in_several_files(write):
    ragged = write("a.tsv.gz", "a\tb\nc\n\t\nd\t\te\n")
    assert read_references([ragged]) == [["a", "b"], ["c"], [""], ["d", "e"]]
    plain = write("b.en", "1\t1\n2\n3\n4\n")
    assert read_references([plain, ragged]) == [["1\t1", "a", "b"], ["2", "c"], ["3", ""], ["4", "d", "e"]]
    with pytest.raises(DataError, match=r"b\.en has 4, .*c\.en has 1"):
        read_references([plain, write("c.en", "1\n")])


@settings(max_examples=350, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary() | st.text(st.sampled_from('ab,"\t\n\r{}[]:\\\x00é')).map(str.encode),
    name=st.sampled_from(["f.tsv", "f.csv", "f.jsonl", "f.txt", "f.tsv.gz"]),
)
def test_any_bytes_are_read_or_refused(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content)
    for read in (read_table, lambda path: read_pairs(path, path), lambda path: list(read_lines(path))):
        try:
            read(path)
        except AnyseqError as fault:
            assert str(path) in str(fault)


@given(pairs=st.lists(st.tuples(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")), st.text())))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_jsonl_and_lines_keep_any_text(tmp_path, pairs):
    rows = [json.dumps({"source": source, "target": target}) for source, target in pairs]
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    (tmp_path / "a.txt").write_bytes("".join(source + "\n" for source, _ in [("", ""), *pairs]).encode())
    if pairs:
        assert raws(read_table(tmp_path / "a.jsonl")) == pairs
    assert [item.raw["source"] for item in read_lines(tmp_path / "a.txt")][1:] == [source for source, _ in pairs]


def some_items(*texts):
    return [Item({"source": text, "target": "x"}, key, "train.de", key + 1) for key, text in enumerate(texts)]


class Encode:
    """A code of a symbol a character; remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, item):
        assert item.raw["source"].strip(), "an empty item's length is not asked for"
        self.asked.append(item.key)
        return {side: torch.tensor([ord(character) for character in item.raw[side]]) for side in ("source", "target")}


def selected(items, encode, max_length, max_skipped=0.01):
    found = sift(items, encode, max_length)
    refuse_too_many(found.skipped, found.longest, max_length, max_skipped)
    return found


def test_what_is_empty_or_too_long_is_left_out_and_listed():
    items = some_items("a", " \t", "abcd", "abc")
    encode = Encode()
    found = selected(items, encode, max_length=3, max_skipped=0.5)
    assert found.items == [items[0], items[3]]
    assert (found.skipped.count, found.skipped.total) == (2, 4)
    assert str(found.skipped) == (
        "2 of 4 items (50.00%) are left out: train.de:2 (source is empty), "
        "train.de:3 (4 symbols long, data.max_length=3)"
    )
    assert found.fields["source"].values.tolist() == [ord(character) for character in "aabc"]
    assert found.fields["source"].lengths.tolist() == [1, 3] and found.fields["target"].lengths.tolist() == [1, 1]
    assert encode.asked == [0, 2, 3]
    found = selected(items[:1], encode, 3)
    assert (len(found.items), str(found.skipped)) == (1, "all 1 items are used")


def test_too_many_left_out_are_an_error_that_says_how_to_allow_it():
    items = some_items(*["a"] * 985, *["long"] * 15)
    with pytest.raises(DataError, match=r"15 of 1,000 items \(1\.50%\).*train\.de:995 .* and 5 more.*=0\.02$") as fault:
        selected(items, Encode(), 3)
    assert "train.de:996" not in str(fault.value)
    assert "raise data.max_length=3 (the longest has 4 symbols)" in str(fault.value)
    assert len(selected(items, Encode(), 3, max_skipped=0.02).items) == 985


def test_the_length_is_named_only_where_it_matters():
    items = some_items(*["a"] * 98, "", "")
    advice = r"at most 1\.00% may be: mend the data, or allow it with data\.max_skipped=0\.03"
    with pytest.raises(DataError, match=advice) as fault:
        selected(items, Encode(), 3)
    assert "max_length" not in str(fault.value)
    with pytest.raises(DataError, match=r"nothing is left to train on.*mend the data$"):
        selected(some_items("", ""), Encode(), 3)


def test_nothing_left_is_an_error_whatever_is_allowed():
    for items in ([], some_items("", "long")):
        with pytest.raises(DataError, match="nothing is left to train on"):
            selected(items, Encode(), 3, max_skipped=1.0)


def test_lists_of_files_are_read_one_after_the_other(write):
    one, two = write("one.tsv", "a\tb\nc\td\n"), write("two.jsonl", '{"source": "e", "target": "f"}\n')
    items = read_items([str(one), two])
    assert raws(items) == [("a", "b"), ("c", "d"), ("e", "f")]
    assert [item.key for item in items] == [0, 1, 2] and items[2].place == f"{two}:1"
    sides = {
        "source": [write("s.de", "x\n"), write("q.de", "y\nz\n")],
        "target": [write("s.en", "X\n"), write("q.en", "Y\nZ\n")],
    }
    items = read_items(sides)
    assert raws(items) == [("x", "X"), ("y", "Y"), ("z", "Z")] and items[1].place == f"{sides['source'][1]}:1"
    with pytest.raises(DataError, match="source has 2, target has 1 files"):
        read_items({**sides, "target": sides["target"][:1]})
    with pytest.raises(DataError, match=r"s\.de has 1, .*q\.en has 2 lines"):
        read_items({**sides, "target": sides["target"][::-1]})
    with pytest.raises(DataError, match=r"ones\.tsv: this is one of 2 files, the others exist; did you mean"):
        read_items([str(two), str(one.with_name("ones.tsv"))])
    texts = {"source": ["one.tsv", "x" * 5000], "target": ["a", "b"]}
    assert raws(read_items(texts)) == [("one.tsv", "a"), ("x" * 5000, "b")]


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"sorce": "a", "target": "b"}, "'sorce' is no field, did you mean 'source'?"),
        ({"source": "a"}, "add target=FILE, as in data.train.target=FILE"),
    ],
)
def test_fields_that_are_wrong_or_lacking_are_named(given, hint):
    with pytest.raises(DataError, match="needed are source, target") as raised:
        read_items(given)
    assert hint in str(raised.value)
