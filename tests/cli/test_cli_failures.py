from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anyseq.cli import main as main_module
from anyseq.cli.failures import explain
from anyseq.cli.main import VERBS, build, main
from anyseq.cli.options import Everywhere, verb
from anyseq.errors import ConfigError, Interrupted, MissingExtraError, RunError
from anyseq.search.settings import SearchConfig

Run = Callable[..., tuple[int, str, str]]


def command(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize("line", ["--help", "recipes", "recipes show transduce/copy", "train --help"])
def test_no_torch_where_nothing_is_computed(line: str) -> None:
    code = f"import sys; from anyseq.cli.main import main; sys.exit(main({line.split()}) or 'torch' in sys.modules)"
    done = command("-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", ["check", "train"])
@pytest.mark.parametrize("rest", ["translate/transformr", "translate/transformer foo", "nowhere.yaml"])
def test_no_torch_where_the_words_are_refused(verb: str, rest: str) -> None:
    words = [verb, *rest.split()]
    code = f"import sys; from anyseq.cli.main import main; print(main({words}), 'torch' in sys.modules)"
    assert command("-c", code).stdout.split() == ["2", "False"]


def test_every_verb_and_every_option_is_in_the_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    everywhere = ["--device", "--threads", "--precision", "--seed", "--debug", "--trust"]
    search = ["--" + name.replace("_", "-") for name in SearchConfig.model_fields if name != "seed"]
    for function in VERBS:
        assert f" {function.__name__} " in overview
        assert main([function.__name__, "--help"]) == 0
        page = capsys.readouterr().out
        wanted = everywhere + (search if function.__name__ in ("predict", "evaluate", "score", "inspect") else [])
        assert [option for option in wanted if option not in page] == []


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["trian"], "train"),
        (["train", "x", "--ouput", "y"], "--output"),
        (["predict", "x", "--beamsize", "5"], "--beam-size"),
        (["recipes", "show", "translate/transfomer"], "translate/transformer"),
        (["recipes", "list"], "recipes show NAME"),
        (["predict", "x", "--format", "xml"], "jsonl"),
        (["predict"], "MODEL"),
        (["train"], "anyseq recipes"),
        (["train", "a=b"], "anyseq recipes"),
        (["train", "--resume", "x", "--overwrite"], "--overwrite cannot be used here"),
        (["train", "x", "--more-steps", "5"], "--more-steps cannot be used here"),
        (["evaluate", "x", "--source", "y"], "--target"),
        (["evaluate", "x", "--data", "y", "--paired"], "two or more"),
        (["train", "--resume", "x", "translate/plain"], "leave out translate/plain"),
        (["train", "translate/plain", __file__, "x=1"], f"is this meant: data.train={__file__}"),
        (
            ["train", "translate/plain", __file__, __file__],
            f"data.train.source={__file__} data.train.target={__file__}",
        ),
        (["train", "translate/plain", "model.encoder=anyseq.models.encoders.rnn:RnnEncodrConfig"], "RnnEncoderConfig"),
        (["predict", "x", "--input", "/no/such/file"], "/no/such/file"),
        (["predict", "x", "--input", "/"], "folder"),
        (["--device", "cpu"], "--device"),
        (["train", "x", "--threads", "0"], "--threads"),
    ],
)
def test_misuse_is_one_line_with_the_remedy(run: Run, words: list[str], hint: str) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith("anyseq: ") and err.count("\n") == 1 and hint in err and "Value error" not in err, err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConfigError("bad key"), 2, "bad key"),
        (RunError("it failed"), 1, "it failed"),
        (Interrupted("saved at step 5", 15), 143, "saved at step 5"),
        (Interrupted("saved at step 5", 2), 130, "saved at step 5"),
        (MissingExtraError("babel", "examples"), 2, "pip install 'anyseq[examples]'"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(errno.ENOSPC, "No space left on device", "out.txt"), 1, "the disk is full (out.txt)"),
        (Exception("I/O error: No space left on device (os error 28)"), 1, "the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "x: permission denied"),
        (MemoryError(), 1, "training.batch_tokens"),
        (ValueError("a\n  b"), 1, "a fault of anyseq, not yours: ValueError: a b"),
    ],
)
def test_exit_codes_and_messages(error: BaseException, code: int, words: str) -> None:
    text, given = explain(error)
    assert given == code and words in text and "\n" not in text


def test_a_full_disk_is_seen_behind_another_error() -> None:
    error = RuntimeError("checkpoint not written")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert explain(error)[0].startswith("the disk is full")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_really_full_disk(run: Run, shouter: Any, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("one\n")
    code, _, err = run("predict", "shouter", "--input", source, "--output", "/dev/full")
    assert code == 1 and "the disk is full" in err and err.count("\n") == 1


def test_the_traceback_is_shown_with_debug_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def recipes(run: Everywhere) -> None:
        """Fail."""
        raise ZeroDivisionError("unforeseen")

    monkeypatch.setattr(main_module, "VERBS", (recipes, *VERBS[1:]))
    code, _, err = run("recipes")
    assert code == 1 and "a fault of anyseq" in err and "Traceback" not in err
    assert "Traceback" in run("recipes", "--debug")[2]


def test_an_interrupted_verb_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def recipes(run: Everywhere) -> None:
        """Wait."""
        raise KeyboardInterrupt

    monkeypatch.setattr(main_module, "VERBS", (recipes, *VERBS[1:]))
    code, _, err = run("recipes")
    assert (code, err.strip()) == (130, "anyseq: interrupted")


def test_a_closed_pipe_ends_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        process = subprocess.run(
            [sys.executable, "-m", "anyseq", "recipes"], stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert (process.returncode, process.stderr) == (141, b"")


def test_the_process_returns_the_exit_code() -> None:
    done = command("-m", "anyseq", "recipes", "show", "nothing")
    assert done.returncode == 2 and done.stderr.startswith("anyseq: no recipe is called 'nothing'")
    assert command("-m", "anyseq", "--version").stdout.startswith("anyseq ")


def test_options_of_every_verb_arrive() -> None:
    seen: list[Everywhere] = []

    def probe(run: Everywhere, number: int = 0) -> None:
        """Probe."""
        seen.append(run)

    app = build()
    app.command("probe")(verb(probe, None))
    line = "probe --device cpu --seed 4 --trust a --trust b --precision bf16 --debug"
    app(line.split(), standalone_mode=False)
    assert seen == [Everywhere("cpu", None, "bf16", 4, True, ["a", "b"])]
    assert seen[0].loading == {"device": "cpu", "threads": None, "precision": "bf16", "trust": ("a", "b")}
    assert seen[0].overrides(["x=1"]) == ["x=1", "training.seed=4"]


def test_no_words_at_all_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr()
    assert "recipes" in said.out and "anyseq:" not in said.err


def test_options_before_the_verb_are_told_where_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--threads", "1", "predict", "x"]) == 2
    assert "behind the verb" in capsys.readouterr().err
    assert main(["predict", "--thread", "1", "x"]) == 2
    assert "behind the verb" not in capsys.readouterr().err
