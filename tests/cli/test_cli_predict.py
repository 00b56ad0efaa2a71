from __future__ import annotations

import gzip
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anyseq.cli import lines
from anyseq.cli.lines import windows
from anyseq.errors import DataError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Make stdin a pipe; gives the end to write to."""
    out, into = os.pipe()
    with os.fdopen(out) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield into


def test_a_line_out_for_each_line_in(run: Run, shouter: Any, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_bytes("\ufeffein\r\n\nzwei\u2028drei\x0b\x85vier|fünf\n   \nletzte".encode())
    code, out, err = run("predict", "shouter", "--input", source)
    assert (code, err) == (0, "")
    assert out.split("\n") == ["EIN", "", "ZWEI\u2028DREI\x0b\x85VIER FÜNF", "   ", "LETZTE", ""]
    assert shouter.keys == [0, 1, 2, 3, 4]


def test_keys_go_on_from_window_to_window(
    run: Run, shouter: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "in.txt.gz"
    source.write_bytes(gzip.compress(b"".join(b"%d\n" % number for number in range(2500))))
    _, out, _ = run("predict", "shouter", "--input", source)
    assert out.split() == [str(number) for number in range(2500)]
    assert [len(window) for window in shouter.windows] == [1024, 1024, 452]
    assert shouter.keys == list(range(2500))


def test_a_pipe_is_answered_as_soon_as_it_is_silent(pipe: int) -> None:
    got: list[list[str]] = []
    stream = windows("-")
    os.write(pipe, b"a\nb\nhalf a")
    got.append(next(stream))
    os.write(pipe, b" line\n")
    got.append(next(stream))
    os.write(pipe, b"no end")
    os.close(pipe)
    got += stream
    assert got == [["a", "b"], ["half a line"], ["no end"]]


def test_a_pipe_that_is_never_silent_is_cut_into_equal_windows(pipe: int) -> None:
    def write() -> None:
        with os.fdopen(pipe, "wb") as into:
            into.writelines(b"%d\n" % number for number in range(100_000))

    writer = threading.Thread(target=write)
    writer.start()
    sizes = [len(window) for window in windows("-", 1000)]
    writer.join()
    assert sizes == [1000] * 100


def test_a_terminal_is_answered_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    person, terminal = os.openpty()
    with os.fdopen(terminal) as stdin, os.fdopen(person, "w") as typing:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(lines, "_SILENCE_S", 1e9)
        stream = windows("-")
        for text in ("first", "second"):
            print(text, file=typing, flush=True)
            assert next(stream) == [text]


def test_what_stood_before_a_bad_line_is_not_lost(run: Run, shouter: Any, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_bytes(b"one\ntwo\nth\xff\xfe\nfour\n")
    code, out, err = run("predict", "shouter", "--input", source)
    assert (code, out) == (2, "ONE\nTWO\n")
    assert f"{source}:3: byte 3 of the line is no UTF-8; convert the file" in err and err.count("\n") == 1


def test_bad_lines_of_stdin_are_told_as_those_of_files(pipe: int) -> None:
    os.write(pipe, "eins\n".encode("utf-16"))
    os.close(pipe)
    with pytest.raises(DataError, match=r"standard input:1: byte 1 of the line.* from UTF-16 with iconv"):
        list(windows("-"))


def test_what_stood_before_the_damage_of_a_gz_is_not_lost(run: Run, shouter: Any, tmp_path: Path) -> None:
    whole = gzip.compress("".join(f"line {number} {number * 7919 % 10007}\n" for number in range(5000)).encode())
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    code, out, err = run("predict", "shouter", "--input", tmp_path / "cut.gz")
    lines = out.splitlines()
    assert code == 2 and "cut.gz: the .gz is damaged or cut short" in err
    assert lines == [f"LINE {number} {number * 7919 % 10007}" for number in range(len(lines))] and len(lines) > 1000


def test_a_named_pipe_is_opened_once(run: Run, shouter: Any, tmp_path: Path) -> None:
    """Its writer takes the reader's leaving for the end, and nobody answers a second opening."""
    os.mkfifo(tmp_path / "in")
    opened: list[float] = []
    writer = threading.Thread(target=lambda: opened.append((tmp_path / "in").write_text("one\n")), daemon=True)
    writer.start()
    reader = threading.Thread(target=run, args=("predict", "shouter", "--input", tmp_path / "in"), daemon=True)
    reader.start()
    reader.join(20)
    assert not reader.is_alive() and shouter.windows == [["one"]]


@pytest.mark.parametrize(
    "words", [("predict", "--output"), ("evaluate", "--data", "in.tsv", "--json")], ids=["predict", "evaluate"]
)
def test_an_output_that_cannot_be_written_is_refused_first(
    run: Run, shouter: Any, tmp_path: Path, words: tuple[str, ...]
) -> None:
    verb, *options = words
    for output, hint in ((tmp_path / "no" / "out", f"no folder {tmp_path / 'no'};"), (tmp_path, "is a folder")):
        code, out, err = run(verb, "gone", *options, output)
        assert (code, out) == (2, "") and str(output) in err and hint in err


def test_a_misspelt_input_file_is_guessed(run: Run, shouter: Any, tmp_path: Path) -> None:
    (tmp_path / "source.txt").touch()
    code, _, err = run("predict", "shouter", "--input", tmp_path / "sorce.txt")
    assert code == 2 and f"did you mean {tmp_path / 'source.txt'}?" in err


def test_results_are_in_the_file_window_by_window(
    run: Run, shouter: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("one\n" * 1024 + "fail\n")
    code, _, err = run("predict", "shouter", "--input", source, "--output", target)
    assert code == 1 and "out of memory" in err and "--batch-tokens" in err
    assert target.read_text() == "ONE\n" * 1024


def test_an_existing_output_is_replaced_only_when_told(run: Run, shouter: Any, tmp_path: Path) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("one\n")
    target.write_text("precious")
    command = ("predict", "shouter", "--input", source, "--output", target)
    code, _, err = run(*command)
    assert (code, target.read_text()) == (2, "precious") and "--overwrite" in err
    assert run("predict", "gone", "--input", source, "--output", target, "--overwrite")[0] == 2
    assert target.read_text() == "precious", "it was emptied before the model was read"
    assert run(*command, "--overwrite")[0] == 0
    assert target.read_text() == "ONE\n"
    assert run("predict", "shouter", "--input", source, "--output", source, "--overwrite")[0] == 2
    assert source.read_text() == "one\n"


def test_jsonl(run: Run, shouter: Any, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("ein|s\nnever\n")
    _, out, _ = run("predict", "shouter", "--input", source, "--format", "jsonl", "--n-best", "2")
    first, second = map(json.loads, out.splitlines())
    assert (first["input"], first["output"], first["score"], first["stopped"]) == ("ein|s", "EIN\nS", -1.0, "end")
    assert [each["output"] for each in first["n_best"]] == ["EIN\nS", "EIN\nS!"]
    assert second["score"] is None


def test_several_outputs_a_line_carry_its_number(run: Run, shouter: Any, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("a\nb\n")
    _, out, _ = run("predict", "shouter", "--input", source, "--n-best", "2")
    assert out == "1\t-1.0000\tA\n1\t-2.0000\tA!\n2\t-1.0000\tB\n2\t-2.0000\tB!\n"


def test_cut_lines_are_warned_of_once(run: Run, shouter: Any, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("short\n" + ("x" * 100_000 + "\n") * 3)
    code, out, err = run("predict", "shouter", "--input", source)
    assert code == 0 and out.count("\n") == 4
    assert "line 2 is longer" in err and "3 lines were cut" in err and err.count("\n") == 2


def test_search_flags_reach_the_search_with_their_types(run: Run, shouter: Any, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("a\n")
    flags = "--beam-size 7 --length-penalty 1 --forbid x --forbid 2 --prefix no --seed 3"
    assert run("predict", "shouter", "--input", source, *flags.split())[0] == 0
    assert shouter.searches == [
        {"beam_size": 7, "length_penalty": 1.0, "forbid": ("x", "2"), "prefix": "no", "seed": 3}
    ]


def test_faults_of_search_flags_are_reported_together(run: Run, shouter: Any, tmp_path: Path) -> None:
    code, _, err = run("predict", "shouter", "--beam-size", "0", "--length-penalty", "much", "--input", "/dev/null")
    assert code == 2
    assert "--beam-size 0: should be greater than or equal to 1" in err
    assert '--length-penalty much: should be a valid number, not "much"' in err
    code, _, err = run("predict", "shouter", "--temperature", "2", "--n-best", "9", "--input", "/dev/null")
    assert code == 2 and "temperature 2.0 is for sampling" in err and "n_best 9 needs a beam_size" in err


def test_a_gz_damaged_inside_is_named(run: Run, shouter: Any, tmp_path: Path) -> None:
    whole = bytearray(gzip.compress("".join(f"line {number}\n" for number in range(500)).encode()))
    whole[10] = 0xFF  # no kind of block that exists
    (tmp_path / "in.gz").write_bytes(whole)
    code, _, err = run("predict", tmp_path / "shouter", "--input", tmp_path / "in.gz")
    assert code == 2 and "in.gz" in err and "damaged" in err
