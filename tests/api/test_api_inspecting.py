"""`anyseq inspect`: the report from the command line, and what is said of misuse."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from anyseq import api
from anyseq.errors import UsageError
from tiny_runs import write

Run = Callable[..., tuple[int, str, str]]
LINES = ("abc", "dd", "hello")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path / "in.txt", *LINES), write(tmp_path / "right.txt", *LINES)


def models(folder: Path) -> list[dict]:
    found: list[dict] = json.loads((folder / "inspection.json").read_text(encoding="utf-8"))["models"]
    return found


def test_a_report_of_inputs(run: Run, model: Path, files: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "report"
    code, out, err = run("inspect", model, "--input", files[0], "--output", output, "--items", "2", "--beam-size", "2")
    assert (code, err) == (0, "")
    written = [Path(line) for line in out.splitlines()]
    assert written[:2] == [output / "report.html", output / "inspection.json"]
    assert set(written) == set(output.iterdir()) and {path.suffix for path in written[2:]} == {".png"}
    (found,) = models(output)
    assert found["count"] == 3 and len(found["items"]) == 2 and found["errors"] is None
    predicted = api.load(model).predict(LINES, beam_size=2)
    assert [item["said"] for item in found["items"]] == [each.output for each in predicted[:2]]
    assert found["search"][0]["beam_size"] == 2

    code, _, err = run("inspect", model, "--input", files[0], "--output", output)
    assert code == 2 and "--overwrite" in err
    code, _, err = run(
        "inspect", model, "--input", files[0], "--target", files[1], "--output", output, "--overwrite",
        "--views", "errors, about",
    )  # fmt: skip
    assert (code, err) == (0, "")
    (found,) = models(output)
    assert found["attention"] is None and len(found["errors"]["items"]) == 3
    figures = tmp_path / "figures.json"
    assert run("evaluate", model, "--source", files[0], "--target", files[1], "--json", figures)[0] == 0
    loss = json.loads(figures.read_text())["metrics"]["loss"]
    places = [len(line) + 1 for line in LINES]
    by_line = {item["place"]: item["loss"] for item in found["errors"]["items"]}
    mean = sum(by_line[line] * count for line, count in enumerate(places, 1)) / sum(places)
    assert mean == pytest.approx(loss, rel=1e-3)


def test_two_models_and_one_file_of_pairs(run: Run, model: Path, tmp_path: Path) -> None:
    pairs = write(tmp_path / "pairs.tsv", "abc\tabc", "de\tde")
    other = model / "checkpoints" / "step_4"
    views = ("--views", "attention,errors")
    code, _, err = run("inspect", model, other, "--data", pairs, "--output", tmp_path / "out", *views)
    assert (code, err) == (0, "")
    one, two = models(tmp_path / "out")
    assert (one["model"], two["model"]) == (str(model), str(other))
    assert one["items"] != two["items"] and one["attention"]["items"] != two["attention"]["items"]
    assert (tmp_path / "out" / "model2_attention_1.png").exists()


def test_inputs_from_standard_input(run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"abc\n\nde\n")
    os.close(writer)
    with os.fdopen(reader) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        code, _, err = run("inspect", model, model, "--input", "-", "--output", tmp_path / "out", "--views", "about")
    assert (code, err) == (0, "")
    assert [found["count"] for found in models(tmp_path / "out")] == [2, 2]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ([], "--input FILE"),
        (["--input", "in.txt", "--data", "in.txt"], "--input FILE"),
        (["--target", "right.txt"], "--input FILE"),
        (["--input", "-", "--target", "right.txt"], "line by line"),
        (["--input", "none.txt"], "there is no such file"),
        (["--input", "in.txt", "--views", "gate"], "choose among attention, gates"),
        (["--input", "in.txt", "--samples", "3"], "leave search.samples out"),
        (["--input", "empty.txt"], "nothing to inspect"),
    ],
)
def test_misuse(
    run: Run, model: Path, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    words: list[str], hint: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "empty.txt", "", "")
    code, out, err = run("inspect", model, *words, "--output", "out")
    assert (code, out) == (2, "") and hint in err and "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_three_models_and_a_file_for_a_folder(run: Run, model: Path, files: tuple[Path, Path]) -> None:
    code, _, err = run("inspect", model, model, model, "--input", files[0], "--output", files[0].parent / "out")
    assert code == 2 and "two side by side" in err
    code, _, err = run("inspect", model, "--input", files[0], "--output", files[1])
    assert code == 2 and "is a file; name a folder" in err


def test_one_input_one_target_and_one_view_are_texts(model: Path) -> None:
    seen = api.inspect(model, "ab", "ab", views="errors")
    assert seen.errors is not None and seen.gates is None and seen.count == 1
    with pytest.raises(UsageError, match="nothing to look at: choose among attention"):
        api.inspect(model, "ab", views=[])
