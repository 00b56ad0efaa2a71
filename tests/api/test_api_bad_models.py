"""Model folders that are none, are damaged, are somebody else's; a disk that is full."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anyseq import api
from anyseq.errors import UsageError
from anyseq.training import checkpoint
from tiny_runs import RECIPE, TINY, listing, named, train, write

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def own(model: Path, tmp_path: Path) -> Path:
    """A copy of the model that may be damaged."""
    return Path(shutil.copytree(model, tmp_path / "own"))


def refuse(run: Run, folder: Path, *words: str) -> str:
    code, out, err = run("predict", folder, "--input", os.devnull, *words)
    assert (code, out) == (2, "") and err.startswith("anyseq: ") and "Traceback" not in err, err
    assert run("info", folder, *words)[::2] == (2, err)
    return err


def test_folders_that_are_no_models(run: Run, tmp_path: Path) -> None:
    assert f"{tmp_path} is no model folder: it holds no config.yaml" in refuse(run, tmp_path)
    assert "does not exist" in refuse(run, tmp_path / "gone" / "there")
    code, _, err = run("train", "--resume", tmp_path)
    assert code == 2 and "is no model folder" in err
    code, _, err = run("average", tmp_path, "--output", tmp_path / "mean")
    assert code == 2 and "is no model folder" in err and not (tmp_path / "mean").exists()


def test_another_format(run: Run, own: Path) -> None:
    config = own / "config.yaml"
    config.write_text(config.read_text().replace("format: 1", "format: 9\n  later: key"))
    message = refuse(run, own)
    assert "config.yaml is of format 9 (written by anyseq " in message
    assert "this version of anyseq reads format 1: use the version that wrote it" in message
    config.write_text(config.read_text().replace("format: 9", "size: 9") + "new_key: 1\n")
    assert "says no format" in refuse(run, own) and "copy the model folder again, whole" in refuse(run, own)
    assert "says no format" in run("train", "--resume", own)[2]


def test_damaged_files(run: Run, own: Path) -> None:
    best = own / "checkpoints" / f"step_{named(own, 'best')}" / "weights.safetensors"
    whole = best.read_bytes()
    for damaged in (whole[:-100], b"", b"\xff" * 100, whole[:4]):
        best.write_bytes(damaged)
        message = refuse(run, own)
        assert f"{best}: damaged" in message and "use another checkpoint" in message
    best.unlink()
    others = ", ".join(str(own / "checkpoints" / f"step_{step}") for step in (12, 4, 8) if step != named(own, "best"))
    assert f"{best}: no such file, the model folder is incomplete; copy" in refuse(run, own)
    assert f"or use another checkpoint of it: {others}\n" in refuse(run, own)
    best.write_bytes(whole)
    codec = own / "codecs" / "source" / "codec.json"
    for text in ("{", "[]", "{}", '{"normalise": {"case": 1, "what": 2}}'):
        codec.write_text(text)
        assert f"{codec} is no codec of this kind" in refuse(run, own)
    shutil.rmtree(own / "codecs")
    assert f"{codec} is no codec of this kind" in refuse(run, own)


REMEDIES = re.compile(
    "copy the model folder again, whole|write the name of a checkpoint into|the weights beside it can still predict"
    r"|remove it|missing: |give the folder of a run|save the file as UTF-8"
)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "gone": Path.unlink,
    "empty": lambda file: file.write_bytes(b""),
    "cut": cut,
    "overwritten": lambda file: file.write_bytes(b"\xff\x00garbage\n" * 3),
    "of another kind": lambda file: file.write_text("[1]\n"),
}


@pytest.mark.parametrize(
    "damage", [pytest.param(name, marks=() if name in ("gone", "cut") else pytest.mark.full) for name in DAMAGES]
)
def test_any_file_may_be_damaged(run: Run, model: Path, tmp_path: Path, damage: str) -> None:
    """Each verb works all the same, or says what to do."""
    own, mean = tmp_path / "own", tmp_path / "mean"
    shutil.copytree(model, own)
    refused: Counter[str] = Counter()
    for file in sorted(path for path in own.rglob("*") if path.is_file() and path.parent.parent.name != "step_4"):
        whole = file.read_bytes()
        DAMAGES[damage](file)
        verbs: list[list[Any]] = [["predict", own, "--input", os.devnull], ["info", own]]
        if file.parent.name != "training":
            verbs.append(["average", own, "--output", mean])
        elif file.parent.parent.name == "step_12":
            verbs.append(["train", "--resume", own])
        for verb in verbs:
            code, _, err = run(*verb)
            refused[verb[0]] += bool(code)
            assert code == 0 or (code == 2 and REMEDIES.search(err)), f"{verb[0]} with {file} {damage}: {err}"
            shutil.rmtree(mean, ignore_errors=True)
        file.write_bytes(whole)
    assert refused.pop("train") == 0, "it goes on from an earlier checkpoint"
    assert len(refused) == 3 and all(refused.values()), refused


def test_records_may_be_damaged(run: Run, model: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(model, tmp_path / "own"))
    (own / "metrics.jsonl").write_bytes(b'{"step": 3}\n\xff\n')
    code, _, err = run("train", "--resume", own)
    assert code == 2 and f"{own / 'metrics.jsonl'}:2: this line is damaged; remove it (or the file" in err
    (own / "metrics.jsonl").unlink()
    (own / "results.json").write_text("{")
    assert run("train", "--resume", own)[0] == 0


def test_names_that_lead_nowhere(run: Run, model: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(model, tmp_path / "own"))
    (own / "checkpoints" / "step_old").mkdir()
    (own / "best").write_text("step_500\n")
    assert "step_500/weights.safetensors: no such file" in refuse(run, own)
    (own / "best").unlink()
    (own / "last").unlink()
    remedy = f"write the name of a checkpoint into {own / 'best'} (there are: step_4, step_8, step_12)"
    assert remedy in refuse(run, own)
    (own / "checkpoints" / "step_12" / "weights.safetensors").unlink()
    code, _, err = run("train", "--resume", own)
    assert code == 0 and f"warning: {own / 'last'}: no such file; " in err and "going on from step 8, the newest" in err
    (own / "last").write_text("step_8\n")
    assert run("info", own)[0] == run("train", "--resume", own)[0] == 0, "an earlier checkpoint is one to go on from"
    assert f"{own / 'config.yaml'} is a file; a model is the folder" in refuse(run, own / "config.yaml")
    assert f"did you mean {own}?" in refuse(run, tmp_path / "onw")
    code, _, err = run("average", own / "checkpoints" / "step_8", "--output", tmp_path / "mean")
    assert code == 2 and f"is one checkpoint; an average is made of several: give its run, {own}" in err


def test_a_config_of_another_model(run: Run, own: Path) -> None:
    config = own / "config.yaml"
    text = config.read_text().replace("hidden_dim: 16", "hidden_dim: 32").replace("hidden_dim: 8", "hidden_dim: 16")
    config.write_text(text)
    message = refuse(run, own)
    assert "are not those of the model this recipe describes" in message and "is [16]" in message and "more" in message


def test_code_from_outside_is_not_run_unasked(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        tmp_path / "stranger.py",
        "from pathlib import Path",
        f"Path({str(tmp_path / 'ran')!r}).touch()",
        "from anyseq.training.objectives.cross_entropy import CrossEntropyConfig",
        "class Mine(CrossEntropyConfig):",
        '    """The same, from elsewhere."""',
    )
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "run"
    words = ["objective.kind=stranger:Mine", "training.keep_checkpoints=3"]
    train(folder, *words)  # one's own recipe may name it
    (tmp_path / "ran").unlink()
    del sys.modules["stranger"]
    message = refuse(run, folder)
    assert "'stranger:Mine', which is not run unasked" in message and "--trust stranger" in message
    for verb in (["train", "--resume", folder], ["average", folder, "--output", tmp_path / "mean"]):
        code, _, err = run(*verb)
        assert code == 2 and "--trust stranger" in err
    assert not (tmp_path / "ran").exists() and "stranger" not in sys.modules
    assert run("predict", folder, "--input", os.devnull, "--trust", "stranger")[0] == 0
    assert run("info", folder, "--trust", "stranger")[0] == 0
    assert run("average", folder, "--output", tmp_path / "mean", "--trust", "stranger")[0] == 0
    assert run("train", "--resume", folder, "--more-steps", "1", "--trust", "stranger")[0] == 0


@pytest.mark.parametrize("bytes_left", [0, 1000, 10_000, 40_000])
def test_a_full_disk(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_left: int) -> None:
    folder, whole = tmp_path / "run", tmp_path / "whole"
    words = ["training.max_steps=8", "training.keep_checkpoints=9"]
    train(whole, *words)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "weights.safetensors")
    save_file = checkpoint.save_file
    left = [1 << 30]

    def save(tensors: Any, file: Path) -> None:
        save_file(tensors, file)
        size = file.stat().st_size
        if size > left[0]:
            with file.open("r+b") as stream:
                stream.truncate(left[0])
            raise full
        left[0] -= size
        if "step_4" in str(file) and file.stem == "unaveraged" and left[0] > 1 << 20:
            left[0] = bytes_left  # from the second checkpoint on

    monkeypatch.setattr(checkpoint, "save_file", save)
    code, out, err = run("train", RECIPE, *TINY, *words, "--device", "cpu", "--output", folder)
    assert (code, out) == (1, "") and "the disk is full" in err and "--resume" in err and "Traceback" not in err
    assert (named(folder, "best"), named(folder, "last")) == (4, 4)
    assert [name for name in listing(folder) if "draft" in name or "step_8" in name] == []
    assert api.load(folder).predict("abc")[0].stopped in ("end", "budget")
    monkeypatch.undo()
    api.resume(folder, device="cpu", threads=1)
    assert named(folder, "last") == 8


def test_an_average_of_fewer_than_two_is_refused_as_that(model: Path, tmp_path: Path) -> None:
    for last in (1, 0, -1):
        with pytest.raises(UsageError, match=f"last={last} .* 2 or more"):
            api.average(model, tmp_path / "mean", last)


def test_average_and_info(run: Run, model: Path, tmp_path: Path) -> None:
    mean = tmp_path / "mean"
    code, out, _ = run("average", model, "--output", mean, "--last", "2")
    assert code == 0 and "the mean of steps 8, 12 is in" in out
    kept = [checkpoint.read_weights(model / "checkpoints" / f"step_{step}" / "weights.safetensors") for step in (8, 12)]
    for name, weight in checkpoint.read_weights(mean / "weights.safetensors").items():
        assert weight.allclose((kept[0][name] + kept[1][name]) / 2, atol=1e-7)
    assert run("average", model, "--output", mean)[0] == 2, "it exists"
    assert run("average", mean, "--output", tmp_path / "other")[0] == 2, "it holds one model only"
    assert not (tmp_path / "other").exists()
    step = model / "checkpoints" / "step_8"
    for folder in (model, step, mean):
        code, out, err = run("info", folder)
        assert (code, err) == (0, "") and "parameters" in out and "format 1" in out
        assert run("info", folder, "--json")[0] == 0
        assert api.load(folder).predict(["abc", ""])[1].output == ""
