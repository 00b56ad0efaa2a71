"""Faults from outside: a second run, damaged checkpoints, a disk that is full, a folder that nobody may write to."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from anyseq import api
from anyseq.cli.main import main
from anyseq.errors import FolderInUseError, ModelFolderError, NotSavedError, UsageError
from anyseq.training.progress import Silent
from tiny_runs import (
    RECIPE,
    TINY,
    assert_same_run,
    cli_in_child,
    ended,
    in_child,
    listing,
    named,
    steps,
    train,
    wait_for,
)

NOBODY = 65534


class Noting(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def noted(self, note: str, severity: str = "note") -> None:
        self.notes.append(f"{severity}: {note}")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(folder)
    assert steps(folder)[-2:] == [8, 12]
    return folder


@pytest.fixture
def own(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "own"))


def test_a_second_run_in_a_folder_is_refused(tmp_path: Path) -> None:
    folder, errors = tmp_path / "run", tmp_path / "errors"
    words = [*TINY, "training.max_steps=100000"]
    child = cli_in_child(errors, "train", RECIPE, "--output", folder, "--device", "cpu", *words)
    try:
        wait_for(lambda: (folder / "metrics.jsonl").exists())
        holder = rf"another run is at work in {folder} \(process {child} on .*, since 20.*\); wait for its end"
        with pytest.raises(FolderInUseError, match=holder):
            api.resume(folder)
        with pytest.raises(FolderInUseError, match=holder):
            train(folder, overwrite=True)
        assert main(["train", "--resume", str(folder)]) == 2
        assert (folder / "config.yaml").exists() and named(folder, "last") >= 0
    finally:
        os.kill(child, signal.SIGKILL)
    assert ended(child) == -signal.SIGKILL
    assert (folder / ".lock").exists(), "it is of a process that is dead"
    listener = Noting()
    api.resume(folder, listener=listener, overrides=[f"training.max_steps={named(folder, 'last') + 1}"])
    assert not any("lock" in note or "run" in note for note in listener.notes)
    assert not (folder / ".lock").exists()


def test_without_locks_it_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    listener = Noting()
    train(tmp_path / "run", listener=listener)
    assert len([note for note in listener.notes if "cannot be locked (No locks available)" in note]) == 1
    assert not (tmp_path / "run" / ".lock").exists()


@pytest.fixture
def locked_up() -> Iterator[Path]:
    """A folder that nobody can write to, where even nobody can look."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("resuming", [False, True])
def test_a_read_only_folder(whole: Path, locked_up: Path, tmp_path: Path, resuming: bool) -> None:
    errors = tmp_path / "errors"
    folder = locked_up / "run"
    if resuming:
        locked_up.chmod(0o755)
        shutil.copytree(whole, folder)
        for each in (folder, locked_up):
            each.chmod(0o555)
    before = listing(locked_up)

    def work() -> int:
        if os.getuid() == 0:
            os.seteuid(NOBODY)
        if resuming:
            return main(["train", "--resume", str(folder), "--more-steps", "1"])
        return main(["train", RECIPE, "--output", str(folder), *TINY])

    code = ended(in_child(work, errors))
    folder.exists() and folder.chmod(0o755)
    message = errors.read_text()
    assert code == 2 and f"{folder} cannot be written to (permission denied): choose another folder" in message, message
    assert "Traceback" not in message and listing(locked_up) == before


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


def flip(file: Path) -> None:
    """Another bit in the last tensor: no format sees it."""
    held = bytearray(file.read_bytes())
    held[-3] ^= 4
    file.write_bytes(held)


def other_digit(file: Path) -> None:
    state = json.loads(file.read_text())
    state["batch"] += 1
    file.write_text(json.dumps(state, indent=1))


DAMAGES: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "weights cut": ("weights.safetensors", cut, "weights.safetensors: cannot go on from it (damaged"),
    "weights flipped": ("weights.safetensors", flip, "weights.safetensors: cannot go on from it (damaged"),
    "weights gone": ("weights.safetensors", Path.unlink, "weights.safetensors: cannot go on from it (no such file"),
    "optimiser cut": ("training/optimiser.safetensors", cut, "optimiser.safetensors: cannot go on from it (damaged"),
    "optimiser flipped": ("training/optimiser.safetensors", flip, "optimiser.safetensors: cannot go on"),
    "optimiser gone": ("training/optimiser.safetensors", Path.unlink, "optimiser.safetensors: cannot go on"),
    "recipe flipped": ("training/recipe.yaml", flip, "recipe.yaml: cannot go on from it (damaged"),
    "state cut": ("training/state.json", cut, "state.json: cannot go on from it"),
    "state gone": ("training/state.json", Path.unlink, "state.json: cannot go on from it (no such file"),
    "state changed": ("training/state.json", other_digit, "state.json: cannot go on from it (damaged: what it says"),
    "digests cut": ("digests.json", cut, "step_12: digests.json beside it is damaged"),
    "all gone": ("", shutil.rmtree, "step_12: no such folder"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over(whole: Path, own: Path, name: str) -> None:
    file, damage, fault = DAMAGES[name]
    damage(own / "checkpoints" / "step_12" / file)
    listener = Noting()
    api.resume(own, device="cpu", threads=1, listener=listener)
    told = [note for note in listener.notes if "going on from step 8, the newest that is whole" in note]
    assert len(told) == 1 and told[0].startswith("warning: ") and fault in told[0], listener.notes
    assert_same_run(own, whole)


@pytest.mark.parametrize(("text", "step"), [("the newest", 12), ("step_500\n", 12), (None, 12), ("step_8\n", 8)])
def test_the_name_of_the_last_checkpoint_is_damaged(whole: Path, own: Path, text: str | None, step: int) -> None:
    (own / "last").unlink() if text is None else (own / "last").write_text(text)
    listener = Noting()
    api.resume(own, device="cpu", threads=1, listener=listener)
    told = [note for note in listener.notes if f"going on from step {step}, the newest that is whole" in note]
    assert bool(told) == (text != "step_8\n"), listener.notes
    assert_same_run(own, whole)


def test_no_checkpoint_is_whole(own: Path) -> None:
    for step in steps(own):
        cut(own / "checkpoints" / f"step_{step}" / "training" / "random.safetensors")
    with pytest.raises(ModelFolderError, match=r"to go on from: .*step_12.*; .*step_8.*can still predict"):
        api.resume(own)
    api.load(own)
    for step in steps(own):
        flip(own / "checkpoints" / f"step_{step}" / "weights.safetensors")
    with pytest.raises(ModelFolderError, match=r"step_8.*; train anew with --overwrite"):
        api.resume(own)


def test_other_weights_than_were_written_do_not_predict(own: Path) -> None:
    file = own / "checkpoints" / f"step_{named(own, 'best')}" / "weights.safetensors"
    flip(file)
    with pytest.raises(ModelFolderError, match=rf"{file}: damaged: its bytes are not those.*another checkpoint of it"):
        api.load(own)
    (file.parent / "digests.json").unlink()  # as older versions left it, or whoever meant it
    api.load(own)


def test_the_best_is_damaged(own: Path) -> None:
    """What is lost is said when the run goes on, not at its end."""
    (own / "best").write_text("step_8\n")
    state = own / "checkpoints" / "step_12" / "training" / "state.json"
    held = {name: value for name, value in json.loads(state.read_text()).items() if name != "digest"}
    state.write_text(json.dumps({**held, "best_step": 8}))
    flip(own / "checkpoints" / "step_8" / "weights.safetensors")
    listener = Noting()
    api.resume(own, more_steps=4, listener=listener)
    assert any("step_8/weights.safetensors: damaged" in note and "from here on" in note for note in listener.notes)
    assert named(own, "best") == named(own, "last") == 16 and steps(own) == [12, 16]


def test_a_recipe_that_was_edited_is_refused(own: Path) -> None:
    config = own / "config.yaml"
    text = config.read_text()
    assert "dropout: 0.0" in text and "max_steps: 12" in text
    edited = text.replace("dropout: 0.0", "dropout: 0.25", 1).replace("learning_rate: 0.005", "learning_rate: 1")
    config.write_text(edited)
    before = listing(own)
    fault = r"changed after step 12 .*: training.learning_rate \(0.005 -> 1.0\), model.encoder.dropout \(0.0 -> 0.25\)"
    with pytest.raises(ModelFolderError, match=fault):
        api.resume(own)
    assert listing(own) == before
    config.write_text(text.replace("max_steps: 12", "max_steps: 14"))
    api.resume(own, overrides=["training.learning_rate=0.005", "data.generator.max_length=6"])
    assert named(own, "last") == 14
    words = ["training.learning_rate=0.1", "model.encoder.hidden_dim=9", "search.beam_size=2"]
    fault = r"recipe: training.learning_rate \(0.005 -> 0.1\), model.encoder.hidden_dim \(8 -> 9\) cannot change; what"
    with pytest.raises(UsageError, match=fault):
        api.resume(own, overrides=words)


def limited(size: int, *words: str | Path) -> Callable[[], int]:
    """The command line where no file may grow beyond a size."""

    def work() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        return main([str(word) for word in words])

    return work


@pytest.mark.parametrize("size", [0, 2_000, 6_000])
def test_no_room_for_a_checkpoint(own: Path, tmp_path: Path, size: int) -> None:
    errors = tmp_path / "errors"
    before, config = listing(own / "checkpoints"), (own / "config.yaml").read_text()
    code = ended(in_child(limited(size, "train", "--resume", own, "--more-steps", "3", "--device", "cpu"), errors))
    text = errors.read_text() if size else ""  # not even for what it says
    assert code == 1, text
    if size == 6_000:
        assert f"the checkpoint of step 15 could not be written to {own} (" in text and "MB are free)" in text, text
        assert f"anyseq train --resume {own}" in text and "Traceback" not in text
    assert listing(own / "checkpoints") == before and named(own, "last") == 12
    assert [name for name in listing(own) if "draft" in name] == []
    assert size or (own / "config.yaml").read_text() == config
    api.load(own)
    api.resume(own, more_steps=3, device="cpu")
    assert named(own, "last") >= 15


@pytest.mark.parametrize(
    "moment", [pytest.param(call, marks=[] if call % 15 == 0 else [pytest.mark.full]) for call in range(0, 48, 5)]
)
def test_the_disk_is_full_at_any_call(own: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """Of what was whole, all is, and going on from it is as if nothing had been."""
    calls = 0
    (own / "last").write_text("step_8\n")

    def failing(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > moment:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(os.fsync))
        patch.setattr(Path, "replace", failing(Path.replace))
        patch.setattr(Path, "rename", failing(Path.rename))
        try:
            api.resume(own, device="cpu", threads=1)
        except NotSavedError as error:
            assert "the disk is full; it needs" in str(error)
        except OSError as error:
            assert error.errno == errno.ENOSPC
        else:
            assert calls <= moment
    assert [name for name in listing(own) if "draft" in name or "lock" in name] == []
    api.load(own)
    api.resume(own, device="cpu", threads=1)
    assert_same_run(own, whole)


def test_a_data_file_that_was_cut_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    files = {name: tmp_path / f"train.{name}" for name in ("source", "target")}
    for file in files.values():
        file.write_text("".join(f"{n}\n" for n in range(100)))
    train(folder, *(f"data.train.{name}={file}" for name, file in files.items()))
    text = files["target"].read_text()
    files["target"].write_text(text[:-2])
    with pytest.raises(ModelFolderError, match=r"have changed .*: .*train.target had 290 bytes, has 288; train anew"):
        api.resume(folder)
    files["target"].write_text(text.replace("42", "43"))
    with pytest.raises(ModelFolderError, match=r"have changed .*train.target has as many bytes as before, but others"):
        api.resume(folder)
    files["target"].write_text(text)
    api.resume(folder, more_steps=1)
    (folder / "data_files.tsv").write_text("path\tbytes\tdigest\tis_item\nx\n")
    with pytest.raises(ModelFolderError, match=r"data_files.tsv is damaged .* remove it"):
        api.resume(folder)
    (folder / "data_files.tsv").unlink()
    api.resume(folder)


def test_items_that_are_files_are_known_by_what_they_hold(tmp_path: Path) -> None:
    folder, data = tmp_path / "run", tmp_path / "data"
    for label, level in (("dark", 40), ("light", 200)):
        (data / label).mkdir(parents=True)
        for number in range(10):
            Image.new("L", (4, 4), level + number).save(data / label / f"{number}.png")
    words = ["training.max_steps=2", "training.warmup_steps=1", "training.validate_every=2", "data.held_out=4"]
    api.train("classify/linear", folder, overrides=[f"data.train={data}", *words], device="cpu", threads=1)
    picture = data / "dark" / "3.png"
    held = picture.read_bytes()
    Image.new("L", (4, 4), 255).save(picture)
    with pytest.raises(ModelFolderError, match=rf"have changed since it was trained: {picture} ha(d|s as many) "):
        api.resume(folder)
    picture.write_bytes(held)
    moved = data.rename(tmp_path / "moved")
    api.resume(folder, more_steps=1, overrides=[f"data.train={moved}"])
    Image.new("L", (4, 4), 255).save(moved / "dark" / "3.png")
    with pytest.raises(ModelFolderError, match="have changed since it was trained"):
        api.resume(folder)
