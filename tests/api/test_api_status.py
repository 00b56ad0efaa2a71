"""Where runs stand, and how they compare: while they train, after, and whatever their folders hold."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anyseq import api
from anyseq.errors import Interrupted, ModelFolderError
from anyseq.training import loop
from anyseq.training.progress import Silent
from tiny_runs import train

Run = Callable[..., tuple[int, str, str]]


def page(run: Run, *folders: Path) -> str:
    code, out, err = run("info", *folders)
    assert (code, err) == (0, "")
    return " ".join(out.split())


def test_a_finished_run(run: Run, model: Path) -> None:
    found = api.status(model)
    results = json.loads((model / "results.json").read_text())
    assert (found.state, found.step, found.max_steps, found.checkpoint) == ("finished", 12, 12, 12)
    assert found.ended == results["ended"] and found.dev == results["dev"]["metrics"] and found.since is not None
    assert (found.decides, found.higher_is_better, found.process) == ("exact_match", True, None)
    assert found.best is not None and found.value("best") == found.best["metrics"]["exact_match"]
    assert found.parameters == api.info(model)["model"]["parameters"]
    assert f"training finished since {found.since}, at step 12 of 12 loss" in page(run, model)
    assert json.loads(run("info", model, "--json")[1])["status"] == found.facts


def test_a_stopped_run(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: loop.Trainer, parts: Any) -> Any:
        if self.standing.step == 6:
            self.signals.signal = signal.SIGTERM
        return update(self, parts)

    update = loop.Trainer._update
    monkeypatch.setattr(loop.Trainer, "_update", stop)
    with pytest.raises(Interrupted):
        train(tmp_path / "run")
    found = api.status(tmp_path / "run")
    assert (found.state, found.step, found.checkpoint, found.ended, found.dev) == ("stopped", 7, 7, None, None)
    assert found.best is not None and found.best["step"] == 4
    text = page(run, tmp_path / "run")
    assert f"anyseq train --resume {tmp_path / 'run'} goes on from step 7" in text and "left to train" in text


def test_a_run_that_goes_on_beyond_its_end_is_not_finished(tmp_path: Path) -> None:
    states = []

    class Listener(Silent):
        def validated(self, step: int, metrics: Any, best: bool) -> None:
            states.append((api.status(tmp_path / "run").state, api.status(tmp_path / "run").step))

    train(tmp_path / "run")
    api.resume(tmp_path / "run", more_steps=4, device="cpu", threads=1, listener=Listener())
    assert [step for _, step in states] == [16] and "finished" not in dict(states)
    assert api.status(tmp_path / "run").state == "finished"


def test_who_is_at_work(run: Run, model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model, tmp_path / "run"))
    here = {"pid": os.getpid(), "host": socket.gethostname(), "since": "2026-01-02 03:04:05"}
    (folder / ".lock").write_text(json.dumps(here))
    found = api.status(folder)
    assert (found.state, found.since) == ("running", "2026-01-02 03:04:05")
    said = f"running since 2026-01-02 03:04:05 (process {os.getpid()} on {here['host']}), at step 12"
    assert said in page(run, folder)
    (folder / ".lock").write_text(json.dumps({**here, "host": "elsewhere"}))
    assert api.status(folder).state == "running", "nothing else is to be seen from here"
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    (folder / ".lock").write_text(json.dumps({**here, "pid": child}))
    assert api.status(folder).state == "finished", "its process is gone"
    (folder / ".lock").write_text("")
    assert api.status(folder).state == "finished"


def test_runs_are_compared_the_best_first(run: Run, model: Path, tmp_path: Path) -> None:
    others = {"worse": 5.0, "best": 90.0, "middle": 40.0}
    for name, value in others.items():
        folder = Path(shutil.copytree(model, tmp_path / name))
        results = json.loads((folder / "results.json").read_text())
        results["dev"]["metrics"]["exact_match"] = value
        (folder / "results.json").write_text(json.dumps(results))
        config = (folder / "config.yaml").read_text()
        (folder / "config.yaml").write_text(config.replace("learning_rate: 0.005", f"learning_rate: {value}"))
    folders = [tmp_path / name for name in others]
    found = api.compare_runs(folders)
    assert [Path(each["folder"]).name for each in found["runs"]] == ["best", "middle", "worse"]
    assert found["differing"] == ["training.learning_rate"] and found["sorted_by"] == "dev exact_match"
    assert [each["settings"] for each in found["runs"]] == [{"training.learning_rate": v} for v in (90.0, 40.0, 5.0)]
    code, out, err = run("info", *folders)
    lines = out.splitlines()
    assert (code, err) == (0, "") and lines[0].split()[-1] == "training.learning_rate"
    assert [line.split()[0] for line in lines[1:4]] == [str(tmp_path / name) for name in ("best", "middle", "worse")]
    assert lines[1].split()[-1] == "90.0" and "the best first: dev exact_match by the full search" in lines[4]
    # One is not judged yet: the best validations decide, which are the same here.
    (tmp_path / "best" / "results.json").unlink()
    found = api.compare_runs(folders)
    assert found["sorted_by"] == "exact_match" and found["runs"][2]["folder"] == str(tmp_path / "middle")
    assert {each["state"] for each in found["runs"]} == {"finished", "stopped"}
    assert json.loads(run("info", *folders, "--json")[1])["runs"] == found["runs"]


def test_lower_may_be_better(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        train(tmp_path / str(seed), f"training.seed={seed}", "training.metric=loss")
    found = api.compare_runs([tmp_path / str(seed) for seed in (1, 2, 3)])
    losses = [each["dev"]["loss"] for each in found["runs"]]
    assert losses == sorted(losses) and found["differing"] == ["training.seed"]


def test_different_metrics_are_not_sorted_by(model: Path, tmp_path: Path) -> None:
    train(tmp_path / "run", "training.metric=loss")
    found = api.compare_runs([tmp_path / "run", model])
    assert found["sorted_by"] is None and [each["folder"] for each in found["runs"]] == [
        str(tmp_path / "run"), str(model)
    ]  # fmt: skip


def test_what_cannot_be_read_is_named_and_the_others_are_shown(run: Run, model: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(model, tmp_path / "broken"))
    (broken / "config.yaml").write_text("a: b: c\n")
    (tmp_path / "file").touch()
    code, out, err = run("info", broken, model, tmp_path, tmp_path / "file", tmp_path / "none")
    assert code == 2 and str(model) in out and str(broken) not in out
    for name, said in (("broken/config.yaml", "no YAML"), ("file", "is a file"), ("none", "does not exist")):
        assert f"{tmp_path / name}" in err and said in err
    with pytest.raises(ModelFolderError, match="no model folder"):
        api.status(tmp_path)


def test_what_is_only_a_record_may_be_missing(model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model, tmp_path / "run"))
    for name in ("metrics.jsonl", "results.json", "last", "best"):
        (folder / name).unlink()
    found = api.status(folder)
    assert (found.state, found.step, found.best, found.since) == ("stopped", 0, None, None)
    shutil.copy(model / "metrics.jsonl", folder / "metrics.jsonl")
    with (folder / "metrics.jsonl").open("a") as journal:
        journal.write('[1]\n{"kind": "training"')  # damaged, and being written
    assert api.status(folder).step == 12
