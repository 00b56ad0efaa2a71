"""One recipe with several seeds: each run is that of its seed alone; what is finished is not trained anew."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anyseq import api
from anyseq.api.seeds import spread
from anyseq.errors import Interrupted, ModelFolderError, OutputExistsError, RunError, UsageError
from anyseq.training import loop
from anyseq.training.progress import Report, Silent
from tiny_runs import RECIPE, TINY, assert_same_run, cli_in_child, ended, listing, train, wait_for

Run = Callable[..., tuple[int, str, str]]
QUICK = {"device": "cpu", "threads": 1}


def seeds(folder: Path, *numbers: int, words: tuple[str, ...] = (), **options: Any) -> api.SeedRuns:
    return api.train_seeds(RECIPE, folder, seeds=numbers, overrides=[*TINY, *words], **QUICK, **options)


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def noted(self, note: str, severity: str = "note") -> None:
        self.notes.append(note)


def test_a_spread() -> None:
    assert spread([1.0, 2.0, 3.0]) == api.Spread(2.0, 1.0, 3)
    assert spread([4.0]) == api.Spread(4.0, None, 1)
    assert math.isnan(spread([1.0, math.inf]).deviation or 0)


def test_each_run_is_that_of_its_seed_alone(run: Run, tmp_path: Path) -> None:
    found = seeds(tmp_path / "all", 3, 5)
    for seed in (3, 5):
        alone = train(tmp_path / f"alone{seed}", f"training.seed={seed}")
        assert_same_run(tmp_path / "all" / f"seed_{seed}", alone.folder)
        assert found.runs[seed]["dev"] == pytest.approx(alone.dev.metrics)
    one, other = (found.runs[seed]["test"]["cer"] for seed in (3, 5))
    assert found.test["cer"].mean == pytest.approx((one + other) / 2)
    assert found.test["cer"].deviation == pytest.approx(abs(one - other) / math.sqrt(2))
    kept = json.loads((tmp_path / "all" / "seeds.json").read_text())
    assert kept["test"]["cer"] == vars(found.test["cer"]) and kept["seeds"] == [3, 5] and kept["failed"] == {}
    code, out, _ = run("info", tmp_path / "all")
    rows = [line.split() for line in out.splitlines()]
    assert code == 0 and ["seed", "3", "seed", "5", "mean", "±", "deviation"] in rows
    [row] = [row for row in rows if row[:2] == ["test", "cer"]]
    assert row[2:4] == [f"{one:.4g}", f"{other:.4g}"] and row[5] == "±"
    assert "training.seed" in out.splitlines()[0], "what they differ in"
    code, _, err = run("predict", tmp_path / "all")
    assert code == 2 and f"give one: {tmp_path / 'all' / 'seed_3'}, " in err


def test_going_on_trains_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the second of three; the first stays as it is, the third begins by the settings of the others."""
    whole, folder = seeds(tmp_path / "whole", 1, 2, 3), tmp_path / "run"

    def stop(self: loop.Trainer, parts: Any) -> Any:
        if self.settings.seed == 2 and self.standing.step == 6:
            self.signals.signal = signal.SIGTERM
        return update(self, parts)

    update = loop.Trainer._update
    monkeypatch.setattr(loop.Trainer, "_update", stop)
    with pytest.raises(Interrupted, match=rf"^seed 2: stopped by SIGTERM at step 7.*--resume {folder}$") as caught:
        seeds(folder, 1, 2, 3)
    assert caught.value.exit_code == 143 and not (folder / "seed_3").exists()
    assert api.read_seeds(folder).runs.keys() == {1}
    monkeypatch.undo()
    first = listing(folder / "seed_1")
    found = api.resume_seeds(folder, **QUICK)
    assert listing(folder / "seed_1") == first
    assert found.runs == whole.runs and found.dev == whole.dev
    for seed in (1, 2, 3):
        assert_same_run(folder / f"seed_{seed}", tmp_path / "whole" / f"seed_{seed}")
    notes = Notes()
    assert api.resume_seeds(folder, listener=notes, **QUICK).runs == found.runs
    assert notes.notes == [f"nothing is left to train: every seed of {folder} is finished"]
    with pytest.raises(UsageError, match=r"training\.max_steps cannot change: all seeds are to learn by the same"):
        api.resume_seeds(folder, overrides={"training": {"max_steps": 99}})


def test_a_signal_names_the_command_for_all_of_them(tmp_path: Path) -> None:
    folder, errors = tmp_path / "run", tmp_path / "errors"
    words = [*TINY, "training.max_steps=4000", "training.validate_every=4000"]
    child = cli_in_child(errors, "train", RECIPE, "--seeds", "1,2", "--output", folder, "--threads", "1", *words)
    wait_for(lambda: (folder / "seed_1" / "metrics.jsonl").exists())
    os.kill(child, signal.SIGINT)
    assert ended(child) == 130
    assert errors.read_text().splitlines()[-1].endswith(f"go on with: anyseq train --resume {folder}")


def test_one_that_fails_is_named_and_the_others_go_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: loop.Trainer) -> Report:
        if self.settings.seed == 1:
            raise RunError("the loss is nan")
        return read(self)

    read = loop.Trainer._report
    monkeypatch.setattr(loop.Trainer, "_report", fail)
    words = ["train", RECIPE, "--seeds", "1,2", "--output", tmp_path / "run", "--threads", "1", *TINY]
    code, out, err = run(*words)
    assert code == 1 and "1 of 2 seeds failed" in err.splitlines()[-1] and "seed 1: the loss is nan" in err
    assert out.splitlines()[0].split() == ["seed", "2", "mean", "±", "deviation"]
    assert json.loads((tmp_path / "run" / "seeds.json").read_text())["failed"] == {"1": "the loss is nan"}
    monkeypatch.undo()
    code, out, err = run("train", "--resume", tmp_path / "run", "--threads", "1")
    assert code == 0 and "seed 1  seed 2" in out
    assert json.loads((tmp_path / "run" / "seeds.json").read_text())["failed"] == {}


def test_when_all_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: loop.Trainer) -> None:
        raise RunError("no number")

    monkeypatch.setattr(loop.Trainer, "_report", fail)
    with pytest.raises(RunError, match="every seed failed; the first: no number"):
        seeds(tmp_path / "run", 1, 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seeds", "1,1"], "1 stands there twice"),
        (["--seeds", "1,x"], "whole numbers with commas between, as in 1,2,3, not '1,x'"),
        (["--seeds=-1,2"], "-1 is none"),
        (["--seeds", "1,2", "--seed", "3"], "leave --seed out"),
        (["--seeds", "1,2", "training.seed=3"], "leave training.seed out"),
        (["--seeds", "1,2", "training.max_stepz=3"], "max_steps"),
        (["--seeds", "1,2", "data.train=nowhere.tsv"], "nowhere.tsv"),
    ],
)
def test_refused_before_anything_is_written(run: Run, tmp_path: Path, words: list[str], said: str) -> None:
    code, out, err = run("train", RECIPE, "--output", tmp_path / "run", *words)
    assert (code, out) == (2, "") and said in err and not (tmp_path / "run").exists()


def test_what_is_there_is_not_touched_without_overwrite(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    seeds(folder, 1, 2)
    before = listing(folder)
    with pytest.raises(OutputExistsError):
        seeds(folder, 3)
    with pytest.raises(OutputExistsError):
        train(folder)
    with pytest.raises(UsageError):  # found out when the data are read: nothing was removed
        seeds(folder, 3, overwrite=True, words=("data.train=nowhere.tsv",))
    assert listing(folder) == before
    code, _, err = run("train", "--resume", folder, "--more-steps", "3")
    assert code == 2 and f"--resume {folder}/seed_N" in err
    (folder / "notes.txt").touch()
    seeds(folder, 3, overwrite=True)
    assert {path.name for path in folder.iterdir()} == {"notes.txt", "seed_3", "seeds.json", "seeds.yaml"}
    train(folder, overwrite=True)
    assert not list(folder.glob("seed*")) and (folder / "notes.txt").exists()
    train(tmp_path / "by_hand" / "seed_2")
    with pytest.raises(OutputExistsError, match="seed_2 already holds a run"):
        seeds(tmp_path / "by_hand", 1, 2)


def test_data_from_python_is_read_by_every_seed(tmp_path: Path) -> None:
    pairs = [(f"a{n}", f"a{n}") for n in range(140)]
    found = api.train_seeds(
        RECIPE, tmp_path / "run", seeds=[1, 2], data={"train": iter(pairs), "dev": pairs[:4]},
        training={"max_steps": 2, "validate_every": 2, "warmup_steps": 1}, **QUICK,
    )  # fmt: skip
    assert found.runs.keys() == {1, 2} and found.test == {}
    shutil.rmtree(tmp_path / "run" / "seed_2")
    with pytest.raises(ModelFolderError, match=r"^data\.train of .* came from Python objects"):
        api.resume_seeds(tmp_path / "run")
    again = api.resume_seeds(tmp_path / "run", overrides={"data.train": pairs}, **QUICK)
    assert again.runs == found.runs


def test_a_damaged_plan(tmp_path: Path) -> None:
    (tmp_path / "seeds.yaml").write_text("about: {seeds: many}\n")
    with pytest.raises(ModelFolderError, match=r"seeds\.yaml: damaged"):
        api.resume_seeds(tmp_path)
    with pytest.raises(ModelFolderError, match=r"holds no seeds\.yaml"):
        api.resume_seeds(tmp_path / "nothing")
