"""A trained model in use, through the command line: a filter that is never at a loss."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from random import Random

import pytest
import torch

from anyseq import api
from anyseq.config import load_recipe
from anyseq.core import Item
from anyseq.errors import UsageError
from anyseq.search import SearchConfig
from anyseq.tasks.devices import autocast
from tiny_runs import TINY, train, write

Run = Callable[..., tuple[int, str, str]]


def predict(run: Run, model: Path, data: bytes, tmp_path: Path, *words: str) -> tuple[list[str], str]:
    """The lines that come out for some bytes, and what was said about them."""
    source = tmp_path / "in.txt"
    source.write_bytes(data)
    code, out, err = run("predict", model, "--input", source, "--device", "cpu", *words)
    assert code == 0, err
    assert out == "" or out.endswith("\n")
    return out.split("\n")[:-1], without_stops(err)


def without_stops(err: str) -> str:
    """What was said, but for outputs that did not end, of which a model that has learnt so little has many."""
    return "".join(line + "\n" for line in err.splitlines() if "stopped" not in line)


def test_a_line_for_each_line(run: Run, model: Path, tmp_path: Path) -> None:
    lines, err = predict(run, model, "abc\n\n   \nab漢\n\x00abc\x07\r\nno end of line".encode(), tmp_path)
    assert (len(lines), err) == (6, "")
    assert lines[1] == lines[2] == ""
    assert lines[0] == predict(run, model, b"abc", tmp_path)[0][0]
    assert predict(run, model, b"", tmp_path) == ([], "")
    assert predict(run, model, b"\n", tmp_path) == ([""], "")


def test_standard_input(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"abc\n\nabc")
    os.close(writer)
    with os.fdopen(reader) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        code, out, err = run("predict", model)
    lines = out.split("\n")
    assert (code, without_stops(err), len(lines)) == (0, "", 4) and lines[0] == lines[2] and lines[1] == lines[3] == ""


def test_a_very_long_line_is_cut(run: Run, model: Path, tmp_path: Path) -> None:
    long = "abcdefg " * 12_500
    began = time.process_time()
    lines, err = predict(run, model, f"abc\n{long}\nabc\n".encode(), tmp_path)
    assert time.process_time() - began < 5
    assert len(lines) == 3 and lines[0] == lines[2]
    assert err.count("\n") == 1
    assert "warning: line 2 is longer than the model's limit (data.max_length=16) and was cut" in err
    assert lines[1] == predict(run, model, (long[:15] + "\n").encode(), tmp_path)[0][0]


def test_weights_of_eight_bits(run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In use they serve every verb; in training they are refused before anything is written."""
    monkeypatch.setattr("anyseq.nn.int8.SMALLEST", 1)
    lines, err = predict(run, model, b"abc\nabca\n", tmp_path, "--precision", "int8", "--format", "jsonl")
    floats, _ = predict(run, model, b"abc\nabca\n", tmp_path, "--format", "jsonl")
    scores = [[json.loads(line)["score"] for line in each] for each in (lines, floats)]
    assert (len(lines), err) == (2, "") and scores[0] != scores[1]
    assert scores[0] == pytest.approx(scores[1], rel=0.05)
    source = write(tmp_path / "source", "abc")
    options = ["--source", source, "--target", source, "--precision", "int8", "--device", "cpu"]
    assert [run(verb, model, *options)[0] for verb in ("evaluate", "score")] == [0, 0]
    for verb in ("train", "check"):
        code, _, err = run(verb, "transduce/copy", "--precision", "int8", *TINY)
        assert code == 2 and "--precision int8: weights of eight bits are for use, not for training" in err


def test_outputs_that_were_stopped_are_told_of(run: Run, model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in", "abc", "", "abc")
    err = run("predict", model, "--input", source, "--max-length", "1", "--device", "cpu")[2]
    assert "the output for line 1 was stopped at the longest that is allowed (search.max_length" in err
    assert err.endswith("2 outputs were stopped in all\n") and err.count("\n") == 2


def test_lines_the_model_cannot_read_are_warned_of(run: Run, model: Path, tmp_path: Path) -> None:
    """Once, with the first line's number and characters, and how many there were; a few such characters are fine."""
    given = ["abc", "ab\u0416", "\u0416\u0416c\u6f22", "", "\u0416", "abc\u0416", "\u6f22\u0416a"]
    lines, err = predict(run, model, "\n".join(given).encode(), tmp_path)
    first, last = err.splitlines()
    assert len(lines) == 7
    assert first.startswith("anyseq: warning: line 3 is mostly unknown to the model, which has no symbol for 'Ж', '漢'")
    assert last == "anyseq: warning: 3 lines were mostly unknown in all"
    out, _ = predict(run, model, "\n".join(given).encode(), tmp_path, "--format", "jsonl")
    found = [(each["unknown"], each["unknown_share"]) for each in map(json.loads, out)]
    assert found[:4] == [([], 0), (["Ж"], 1 / 3), (["Ж", "漢"], 3 / 4), ([], 0)]
    assert predict(run, model, "Ж\nabc".encode(), tmp_path)[1].count("\n") == 1


def test_evaluate_warns_of_such_lines_too(run: Run, model: Path, tmp_path: Path) -> None:
    source, target = write(tmp_path / "s.txt", "abc", "Ж", "漢Ж"), write(tmp_path / "t.txt", "abc", "de", "f")
    code, _, err = run("evaluate", model, "--source", source, "--target", target)
    assert code == 0
    assert f"{source}:2 is mostly unknown to the model, which has no symbol for 'Ж'" in err
    assert "2 lines were mostly unknown in all" in err and without_stops(err).count("\n") == 2


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--prefix", "abЖ漢Ж"], "search.prefix='abЖ漢Ж' holds what the model has no symbol for: 'Ж', '漢'"),
        (["--prefix", "ab", "--forbid", "ab", "--forbid", "."], None),
        (["--forbid", "  "], "'  ' is empty to the codec"),
    ],
)
def test_search_settings_the_model_cannot_follow(
    run: Run, model: Path, tmp_path: Path, options: list[str], hint: str | None
) -> None:
    source, target = _sides(tmp_path)
    for verb, files in (("predict", ["--input", source]), ("evaluate", ["--source", source, "--target", target])):
        code, out, err = run(verb, model, *files, *options)
        assert (code, bool(out)) == ((0, True) if hint is None else (2, False)), err
        assert (hint or "") in err


@pytest.mark.parametrize(("prefix", "holds"), [("ab. b", True), ("abb", False), ("b. ab", False)])
def test_a_prefix_that_holds_what_is_forbidden_is_refused(prefix: str, holds: bool) -> None:
    task = load_recipe("transduce/copy").build()
    task.fit_codecs([Item({"source": "ab", "target": "ab. ab"})])
    with pytest.raises(UsageError, match="holds a text that") if holds else nullcontext():
        task.refuse(SearchConfig(prefix=prefix, forbid=("x", "ab")))


def test_what_the_codec_cannot_begin_with_is_refused_before_training(run: Run, tmp_path: Path) -> None:
    for verb in (["train", "--output", tmp_path / "run"], ["check"]):
        code, out, err = run(*verb[:1], "transduce/copy", *TINY, "search.prefix=Ж", *verb[1:])
        assert code == 2 and "search.prefix='Ж' holds what the model has no symbol for: 'Ж'" in out + err
    assert not (tmp_path / "run").exists()


def test_what_is_forbidden_is_in_no_output(run: Run, model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in.txt", "abc", "hello", "fgh")
    command = ("predict", model, "--input", source, "--samples", "20", "--format", "jsonl")
    free, bound = (
        [each["output"] for line in run(*command, *more)[1].splitlines() for each in json.loads(line)["n_best"]]
        for more in ((), ("--forbid", "a", "--forbid", "b"))
    )
    alone = re.compile(r"(?<!\w)[ab](?!\w)")
    assert any(alone.search(text) for text in free), "this sees nothing"
    assert not any(alone.search(text) for text in bound) and any("a" in text for text in bound)
    assert len(bound) == 60


def test_fuzzed_lines(run: Run, model: Path, tmp_path: Path) -> None:
    random = Random(7)
    kinds: list[Callable[[], str]] = [
        lambda: "".join(chr(random.randrange(32, 0x2FF)) for _ in range(random.randrange(40))),
        lambda: "".join(random.choices("abc \t\u2028\u3000\ufeff\u200b\u0301\x00\x1b", k=random.randrange(30))),
        lambda: "".join(chr(random.choice([0xD7FF, 0xE000, 0xFFFF, 0x10FFFF, 0x1F468, 0x200D])) for _ in range(9)),
        lambda: "a" * random.randrange(200),
    ]
    lines = [random.choice(kinds)().replace("\n", " ").replace("\r", " ") for _ in range(300)]
    out, _ = predict(run, model, "\n".join(lines).encode() + b"\n", tmp_path, "--format", "jsonl")
    found = [json.loads(line) for line in out]
    assert [each["input"].removeprefix("\ufeff") for each in found] == [line.removeprefix("\ufeff") for line in lines]
    assert all(each["stopped"] in ("end", "budget") for each in found)
    assert all(each["output"] == "" for each, line in zip(found, lines, strict=True) if not line.strip())


def test_a_model_needs_nothing_but_its_folder(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    data = write(home / "pairs.tsv", *(f"{n}\t{n}" for n in range(200)))
    train(home / "run", f"data.train={data}", "codec.source={kind: subwords, vocab_size: 20}", "search.max_length=9")
    lines, _ = predict(run, home / "run", b"17\n18\n", tmp_path)
    away = Path(shutil.copytree(home / "run", tmp_path / "away" / "model"))
    flat = away.parent / "flat"
    shutil.copytree(away / "checkpoints" / (away / "best").read_text().strip(), flat)
    shutil.copytree(away / "codecs", flat / "codecs")
    shutil.copy(away / "config.yaml", flat)
    shutil.rmtree(home)
    for folder in (away, flat):
        assert predict(run, folder, b"17\n18\n", tmp_path)[0] == lines
        assert run("info", folder)[0] == 0


def test_best_else_last(model: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(model, tmp_path / "own"))
    (own / "best").write_text("step_4\n")
    first = api.load(model / "checkpoints" / "step_4").score(api.pairs(*_sides(tmp_path))[0])
    assert api.load(own).score(api.pairs(*_sides(tmp_path))[0]) == first
    (own / "best").unlink()
    last = api.load(own).score(api.pairs(*_sides(tmp_path))[0])
    assert last == api.load(own / "checkpoints" / "step_12").score(api.pairs(*_sides(tmp_path))[0]) != first


def _sides(folder: Path) -> tuple[Path, Path]:
    return write(folder / "s.txt", "abc", "de"), write(folder / "t.txt", "abc", "de")


@pytest.mark.parametrize("verb", ["predict", "evaluate", "score"])
def test_devices_and_precision_that_are_not_there(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    source, target = _sides(tmp_path)
    files = ["--input", source] if verb == "predict" else ["--source", source, "--target", target]
    for option, hint in ((["--device", "cuda"], "use auto or cpu"), (["--precision", "bf16"], "use float32")):
        code, out, err = run(verb, model, *files, *option)
        assert (code, out) == (2, "") and hint in err
    assert run(verb, model, *files, "--device", "cpu")[0] == 0


def test_a_gpu_that_only_emulates_bf16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    with pytest.raises(UsageError, match="use float32"):
        autocast("bf16", torch.device("cuda"))


def test_evaluate_and_score_agree_with_validation(run: Run, model: Path, tmp_path: Path) -> None:
    """One scorer: what `evaluate` and `score` say of dev is what training said at its end."""
    results = json.loads((model / "results.json").read_text())["dev"]
    items = api.load(model).task.read().dev
    source = write(tmp_path / "source.txt", *(item.raw["source"] for item in items))
    target = write(tmp_path / "target.txt", *(item.raw["target"] for item in items))
    code, _, err = run("evaluate", model, "--source", source, "--target", target, "--json", tmp_path / "out.json")
    assert code == 0, err
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["metrics"] == pytest.approx(results["metrics"], rel=1e-6)
    assert (found["signature"], found["count"]) == (results["signature"], 10)
    _, out, _ = run("score", model, "--source", source, "--target", target)
    total = sum(float(line.split("\t")[0]) for line in out.splitlines())
    symbols = sum(len(item.raw["target"]) + 1 for item in items)
    assert -total / symbols == pytest.approx(results["metrics"]["loss"], rel=1e-5)


def test_evaluate_and_score_take_the_same_inputs(run: Run, model: Path, tmp_path: Path) -> None:
    rows = [("abc", "abc"), ("de", "ed"), ("f", "")]
    forms = [["--source", tmp_path / "s.txt", "--target", tmp_path / "t.txt"]]
    write(tmp_path / "s.txt", *(source for source, _ in rows))
    write(tmp_path / "t.txt", *(target for _, target in rows))
    (tmp_path / "s.txt.gz").write_bytes(gzip.compress((tmp_path / "s.txt").read_bytes()))
    forms.append(["--source", tmp_path / "s.txt.gz", "--target", tmp_path / "t.txt"])
    for name, lines in {
        "p.tsv": [f"{source}\t{target}" for source, target in rows],
        "p.csv": [f"{source},{target}" for source, target in rows],
        "p.jsonl": [json.dumps({"source": source, "target": target}) for source, target in rows],
    }.items():
        forms.append(["--data", write(tmp_path / name, *lines)])
    scores, figures = [], []
    for form in forms:
        code, out, err = run("score", model, *form)
        assert (code, err, out.count("\n")) == (0, "", 3)
        scores.append(out)
        assert run("evaluate", model, *form, "--json", tmp_path / "out.json")[0] == 0
        figures.append(json.loads((tmp_path / "out.json").read_text())["metrics"])
    assert scores[1:] == scores[:-1] and figures[1:] == figures[:-1]
    for verb in ("score", "evaluate"):
        for words in ([], forms[0][:2], forms[0][2:], [*forms[0], *forms[2]], [*forms[0][:2], *forms[2]]):
            code, out, err = run(verb, model, *words)
            assert (code, out) == (2, "") and "--source FILE and --target FILE, or --data FILE alone" in err
        code, _, err = run(verb, model, "--data", tmp_path / "q.tsv")
        assert code == 2 and f"did you mean {tmp_path / 'p.tsv'}?" in err
        code, _, err = run(verb, model, "--source", tmp_path / "s.txt", "--target", write(tmp_path / "u.txt", "a"))
        assert code == 2 and "they must be pairs" in err


def test_every_target_of_a_line_is_scored(run: Run, model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "s.txt", "abc", "de")
    many = write(tmp_path / "many.tsv", "abc\tcba\tb", "ed")
    alone = [
        run("score", model, "--data", write(tmp_path / "p.tsv", f"{source}\t{target}"))[1]
        for source, target in (("abc", "abc"), ("abc", "cba"), ("abc", "b"), ("de", "ed"))
    ]
    code, out, _ = run("score", model, "--source", source, "--target", many)
    lines = [line.split("\t", 1) for line in out.splitlines(keepends=True)]
    assert code == 0 and [number for number, _ in lines] == ["1", "1", "1", "2"]
    for (_, numbers), expected in zip(lines, alone, strict=True):
        assert [*map(float, numbers.split())] == pytest.approx([*map(float, expected.split())], abs=2e-6)
    out = run("score", model, "--source", source, "--target", many, "--format", "jsonl")[1]
    assert [json.loads(line)["line"] for line in out.splitlines()] == [1, 1, 1, 2]
    first, second = write(tmp_path / "1.txt", "abc", "ed"), write(tmp_path / "2.txt", "cba", "d")
    out = run("score", model, "--source", source, "--target", first, "--target", second)[1]
    assert [line.split("\t")[0] for line in out.splitlines()] == ["1", "1", "2", "2"]


def test_from_python(model: Path) -> None:
    predictor = api.load(model)
    assert predictor.predict("abc")[0].output == predictor.predict(["x", "abc"])[1].output
    assert len(predictor.predict("abc", beam_size=4, n_best=3)[0].n_best) == 3
    with pytest.raises((UsageError, ValueError), match="n_best 3 needs a beam_size"):
        predictor.predict("abc", beam_size=1, n_best=3)
