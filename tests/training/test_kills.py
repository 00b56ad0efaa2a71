"""Runs that are really killed, by SIGKILL from outside, end as the run that nobody killed."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from anyseq import api
from anyseq.api import runs
from anyseq.cli.main import main
from anyseq.errors import ModelFolderError
from anyseq.training.loop import Trainer
from tiny_runs import RECIPE, TINY, assert_same_run, cli_in_child, ended, in_child, listing, named, steps, train

STEPS = 240
# All that has a state, and checkpoints wherever there is time for one.
WORDS = (
    *(f"training.max_steps={STEPS}", "training.validate_every=20", "training.average=0.9", "training.accumulate=2"),
    *("model.encoder.dropout=0.1", "training.keep_checkpoints=2", "training.warmup_steps=20"),
)
OFTEN = "training.save_minutes=0.0005"


@pytest.fixture(scope="module")
def never_killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, [each.output for each in train(folder, *WORDS).dev.predictions]


def reached(folder: Path) -> int:
    try:
        return named(folder, "last")
    except (OSError, AssertionError):
        return -1


def writing(folder: Path) -> bool:
    return any((folder / "checkpoints").glob(".step_*.draft"))


def run_and_kill(folder: Path, moment: Callable[[], bool], delay: float, *words: str) -> int:
    """Run the command line until a moment, and kill it some seconds after; its exit code."""
    errors = folder.with_suffix(".err")
    child = cli_in_child(errors, "train", *words, "--device", "cpu", "--threads", "1")
    until, gone, status = time.monotonic() + 120, 0, 0
    while not gone and not moment():
        assert time.monotonic() < until, "the moment never came"
        time.sleep(0.0005)
        gone, status = os.waitpid(child, os.WNOHANG)
    if not gone:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(status) if gone else ended(child)
    assert code in (0, -signal.SIGKILL), errors.read_text()
    return code


@pytest.mark.parametrize(("kills", "seed"), [(3, 1), pytest.param(20, 2, marks=pytest.mark.full)])
def test_killed_again_and_again(never_killed: tuple[Path, list[str]], tmp_path: Path, kills: int, seed: int) -> None:
    """Kills at random moments of one run; every second one while a checkpoint is being written."""
    folder, random = tmp_path / "run", Random(seed)
    moments = sorted(random.sample(range(STEPS - 20), kills))
    codes = []
    for number, moment in enumerate(moments):
        in_writing = number % 2 == 1

        def now(moment: int = moment, in_writing: bool = in_writing) -> bool:
            return reached(folder) >= moment and (not in_writing or writing(folder))

        words = ["--resume", str(folder), OFTEN] if codes else [RECIPE, "--output", str(folder), *TINY, *WORDS, OFTEN]
        codes.append(run_and_kill(folder, now, 0.0 if in_writing else random.uniform(0, 0.05), *words))
        assert reached(folder) >= 0, "what was saved is lost"
    assert codes.count(-signal.SIGKILL) > kills // 2, codes
    trained = api.resume(folder, device="cpu", threads=1)
    whole, outputs = never_killed
    assert_same_run(folder, whole)
    last = f"checkpoints/step_{STEPS}/weights.safetensors"
    assert (folder / last).read_bytes() == (whole / last).read_bytes()
    assert [each.output for each in trained.dev.predictions] == outputs
    assert [name for name in listing(folder) if "draft" in name or "lock" in name] == []


def test_killed_while_the_best_is_judged(never_killed: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, errors = tmp_path / "run", tmp_path / "errors"

    def work() -> int:
        runs._judge = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        train(folder, *WORDS)
        return 0

    assert ended(in_child(work, errors)) == -signal.SIGKILL, errors.read_text()
    assert not (folder / "results.json").exists() and (folder / ".lock").exists()
    trained = api.resume(folder, device="cpu", threads=1)
    assert_same_run(folder, never_killed[0])
    assert [each.output for each in trained.dev.predictions] == never_killed[1]
    assert (folder / "results.json").exists() and not (folder / ".lock").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_while_the_best_is_judged(tmp_path: Path, number: int, code: int) -> None:
    folder, errors = tmp_path / "run", tmp_path / "errors"

    def work() -> int:
        runs.load_weights = lambda *_: os.kill(os.getpid(), number)  # type: ignore[assignment]
        return main(["train", RECIPE, "--output", str(folder), "--device", "cpu", *TINY])

    assert ended(in_child(work, errors)) == code, errors.read_text()
    message = f"the end of training, everything saved; to judge the best checkpoint: anyseq train --resume {folder}"
    assert message in errors.read_text().splitlines()[-1]
    assert api.resume(folder).ended.startswith("12 updates made")


def test_killed_before_the_first_step(tmp_path: Path) -> None:
    """With a recipe in the folder it goes on; before that it is to be started again, which the folder allows."""
    folder, whole, errors = tmp_path / "run", tmp_path / "whole", tmp_path / "errors"
    other = tmp_path / "other"
    train(other, "training.seed=7")
    train(whole, start_from=other)

    def dying(place: object, name: str) -> Callable[[], int]:
        def work() -> int:
            setattr(place, name, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            train(folder, start_from=other)
            return 0

        return work

    assert ended(in_child(dying(runs, "_write_first"), errors)) == -signal.SIGKILL, errors.read_text()
    assert list(listing(folder)) == [".lock"]
    with pytest.raises(ModelFolderError, match=r"stopped before it had begun.* --output DIR --overwrite"):
        api.resume(folder)
    assert ended(in_child(dying(Trainer, "run"), errors)) == -signal.SIGKILL, errors.read_text()
    assert named(folder, "last") == 0 and steps(folder) == [0]
    with pytest.raises(ModelFolderError, match=rf"has learnt nothing yet.* anyseq train --resume {folder}"):
        api.load(folder)
    shutil.rmtree(other)  # what it gave is kept
    api.resume(folder, device="cpu", threads=1)
    assert_same_run(folder, whole)


def test_checkpoints_between_validations(tmp_path: Path) -> None:
    """They are there to go on from; of what is kept, and averaged, they are none."""
    folder, whole = tmp_path / "run", tmp_path / "whole"
    words = ["training.max_steps=16", "training.validate_every=5", "training.keep_checkpoints=3"]
    train(whole, *words)
    seen: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        save = runs.Checkpoints.save

        def noting(self: runs.Checkpoints, step: int, *others: object) -> None:
            seen.append(step)
            save(self, step, *others)  # type: ignore[arg-type]

        patch.setattr(runs.Checkpoints, "save", noting)
        train(folder, *words, "training.save_minutes=1e-9")
    assert list(dict.fromkeys(seen)) == list(range(17))
    assert_same_run(folder, whole)
    assert {5, 7} >= {step for step in steps(folder) if step < 10}
    assert api.average(folder, tmp_path / "mean", 9) == steps(folder)
