"""A run that was stopped, however it was, goes on as if it had never stopped."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from anyseq import api
from anyseq.cli.main import main
from anyseq.errors import DataError, ModelFolderError, UsageError
from anyseq.tasks import fitting
from anyseq.training.loop import Trainer, Validation
from anyseq.training.progress import Silent
from anyseq.training.stopping import DOUBLE_SECONDS
from tiny_runs import (
    RECIPE,
    TINY,
    assert_same_run,
    cli_in_child,
    ended,
    events,
    in_child,
    listing,
    named,
    steps,
    train,
    wait_for,
)

# Averaging, dropout, accumulation and a report that is no validation: all that has a state.
SETTINGS = (
    *("training.max_steps=28", "training.validate_every=8", "training.average=0.9", "training.accumulate=2"),
    *("model.encoder.dropout=0.1", "training.keep_checkpoints=2"),
)


@pytest.fixture(scope="module")
def never_stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("whole") / "run"
    trained = train(folder, *SETTINGS)
    return folder, [prediction.output for prediction in trained.dev.predictions]


def die_at(moment: int) -> None:
    """Kill this process at its nth call of what changes files."""
    calls = 0

    def deadly(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    for name in ("fsync", "replace", "rename", "unlink", "mkdir"):
        setattr(os, name, deadly(vars(os)[name]))
    shutil.rmtree = deadly(shutil.rmtree)  # type: ignore
    Path.rename, Path.replace, Path.mkdir = map(deadly, (Path.rename, Path.replace, Path.mkdir))  # type: ignore


@pytest.mark.parametrize("seed", [0, 2, 6, *(pytest.param(seed, marks=pytest.mark.full) for seed in (1, 3, 4, 5, 7))])
def test_killed_at_any_moment(never_stopped: tuple[Path, list[str]], tmp_path: Path, seed: int) -> None:
    folder, errors = tmp_path / "run", tmp_path / "errors"
    moment = Random(seed).randrange(2, 210)

    def work() -> int:
        die_at(moment)
        train(folder, *SETTINGS)
        return 0

    code = ended(in_child(work, errors))
    assert code in (0, -signal.SIGKILL), errors.read_text()
    if not (folder / "config.yaml").exists():
        with pytest.raises(ModelFolderError, match=r"stopped before it had begun|is no model folder|does not exist"):
            api.resume(folder)
        return
    if named(folder, "last"):
        api.load(folder)  # what there is, is whole
    else:
        with pytest.raises(ModelFolderError, match="has learnt nothing yet"):
            api.load(folder)
    trained = api.resume(folder, device="cpu", threads=1)
    assert_same_run(folder, never_stopped[0])
    assert [prediction.output for prediction in trained.dev.predictions] == never_stopped[1]
    assert [name for name in listing(folder) if "draft" in name] == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_says_how_to_go_on(tmp_path: Path, number: int, code: int) -> None:
    words = [*TINY, "training.average=0.9", "training.max_steps=150", "training.validate_every=70"]
    whole, folder, errors = tmp_path / "whole", tmp_path / "run", tmp_path / "errors"
    api.train(RECIPE, whole, device="cpu", threads=1, overrides=words)
    child = cli_in_child(errors, "train", RECIPE, "--output", folder, "--device", "cpu", "--threads", "1", *words)
    wait_for(lambda: (folder / "metrics.jsonl").exists())
    os.kill(child, number)
    assert ended(child) == code
    message = errors.read_text().splitlines()[-1]
    assert f"go on with: anyseq train --resume {folder}" in message and signal.Signals(number).name in message
    assert named(folder, "last") % 70 and named(folder, "last") < 150, "it was not stopped"
    assert ended(cli_in_child(errors, "train", "--resume", folder, "--device", "cpu")) == 0, errors.read_text()
    assert_same_run(folder, whole)


def test_stopped_twice_at_one_step(tmp_path: Path) -> None:
    """Saved on a signal, then ended there: at no moment is there no checkpoint."""
    folder = tmp_path / "run"
    train(folder, "training.max_steps=6", "training.validate_every=100")
    before = listing(folder / "checkpoints")
    removed: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda path, **_: removed.append(path) if Path(path).exists() else None)
        api.resume(folder)
    assert removed == []
    after = listing(folder / "checkpoints")
    assert {name for name in before if before[name] != after[name]} <= {"step_6/training/state.json"}


def test_a_finished_run_goes_on_for_more_steps(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(folder, "training.max_minutes=0.0001", "training.patience=1")
    reached = named(folder, "last")
    assert reached < 12
    trained = api.resume(folder, more_steps=5)
    assert named(folder, "last") == reached + 5 and "max_steps" in trained.ended
    assert [event["step"] for event in events(folder) if event["kind"] == "validation"][-1] == reached + 5
    with pytest.raises(UsageError, match=r"learning_rate \(0.005 -> 1.0\) cannot change"):
        api.resume(folder, overrides=["training.learning_rate=1"])


def test_more_steps_are_counted_from_the_planned_end(tmp_path: Path) -> None:
    """A run that was stopped keeps its plan; going on with one that has ended says so."""
    folder, said = tmp_path / "run", []

    class Listener(Silent):
        def noted(self, note: str, severity: str = "note") -> None:
            said.append(note)

    train(folder)
    (folder / "results.json").unlink()  # as if stopped before it was judged
    api.resume(folder, more_steps=3)
    assert named(folder, "last") == 15
    api.resume(folder, listener=Listener())
    assert "nothing is left to train: 15 updates made (training.max_steps); --more-steps N trains on" in said
    assert named(folder, "last") == 15


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    errors, folder, marks = tmp_path / "errors", tmp_path / "run", [tmp_path / "validating", tmp_path / "noted"]

    def endless(trainer: Trainer) -> None:
        marks[0].touch()
        wait_for(lambda: bool(trainer.signals.signal))
        time.sleep(1.1 * DOUBLE_SECONDS)
        marks[1].touch()
        wait_for(lambda: False)

    def work() -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Trainer, "_validate", endless)
            return main(["train", RECIPE, "--output", str(folder), "--device", "cpu", *TINY])

    child = in_child(work, errors)
    for mark in marks:
        wait_for(mark.exists)
        os.kill(child, signal.SIGINT)
    assert ended(child) == 130
    assert "by a second SIGINT; what came after the last checkpoint is lost" in errors.read_text()


def test_nothing_but_the_end_may_change(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(folder)
    before = listing(folder)
    for words in (["data.max_length=9"], {"training": {"seed": 3}}, {"model": {"encoder": {"dropout": 0.5}}}):
        with pytest.raises(UsageError, match=r"cannot change; what may: training.max_steps"):
            api.resume(folder, overrides=words)
    assert listing(folder) == before


def test_data_from_python_are_asked_for_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    data = [(f"{a}{b}", f"{b}{a}") for a in "abcdefghijkl" for b in "abcdefghijkl"]
    words = dict(word.split("=") for word in TINY if word.startswith("model"))
    settings = {key: int(value) for key, value in words.items()} | {"training.max_steps": 4, "training.warmup_steps": 2}
    api.train(RECIPE, folder, overrides=settings, data={"train": data})
    assert api.load(folder).predict("ab")[0].input == "ab"
    with pytest.raises(ModelFolderError, match=r"data.train of .* Python objects.* anyseq.resume\(folder, overrides"):
        api.resume(folder, more_steps=2)
    with pytest.raises(ModelFolderError, match="have changed"):
        api.resume(folder, more_steps=2, overrides={"data.train": data[1:]})
    api.resume(folder, more_steps=2, overrides={"data": {"train": data}})
    assert named(folder, "last") == 6


def test_changed_or_moved_files(tmp_path: Path) -> None:
    file, folder = tmp_path / "pairs.tsv", tmp_path / "run"
    file.write_text("".join(f"{n}\t{n}\n" for n in range(100)))
    train(folder, f"data.train={file}")
    moved = file.rename(tmp_path / "elsewhere.tsv")
    with pytest.raises(DataError, match=r"pairs.tsv: there is no such file"):
        api.resume(folder)
    api.resume(folder, more_steps=1, overrides=[f"data.train={moved}"])
    moved.write_text(moved.read_text().replace("42\t42", "42\t43"))
    with pytest.raises(ModelFolderError, match="have changed since it was trained"):
        api.resume(folder)


def test_from_another_model(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    train(first)
    before = listing(first)
    data = tmp_path / "other.tsv"
    data.write_text("".join(f"{n}z\t{n}z\n" for n in range(100)))
    train(second, f"data.train={data}", "training.learning_rate=1e-30", "training.average=0", start_from=first)
    assert listing(first / "codecs") == listing(second / "codecs")
    raws = ["abc", "hello", "z"]
    outputs = [[each.output for each in api.load(folder).predict(raws)] for folder in (first, second)]
    assert outputs[0] == outputs[1]
    assert listing(first) == before
    step = first / "checkpoints" / f"step_{named(first, 'best')}"
    assert train(tmp_path / "third", start_from=step).dev.count == 10
    fault = (
        r"first do not fit this recipe: model.encoder.hidden_dim is 8 there, 4 here; model.decoder.hidden_dim is 16 "
        r"there, 8 here. To start from them, set as there model.encoder.hidden_dim=8 model.decoder.hidden_dim=16, or "
        r"take that model's own recipe \(anyseq train .*first/config.yaml --from .*first"
    )
    with pytest.raises(UsageError, match=fault):
        train(tmp_path / "fourth", "model.encoder.hidden_dim=4", "model.decoder.hidden_dim=8", start_from=first)
    fault = r"model.encoder.kind is rnn there, transformer here. .* model.encoder=rnn, or"
    with pytest.raises(UsageError, match=fault):
        train(tmp_path / "fourth", "model.encoder={kind: transformer, model_dim: 8}", start_from=first)
    with pytest.raises(UsageError, match=r"model.share_embeddings is false there, true here. .*_embeddings=false"):
        train(tmp_path / "fourth", "model.share_embeddings=true", "codec.joint=true", start_from=first)
    with pytest.raises(ModelFolderError, match="is no model folder"):
        train(tmp_path / "fifth", start_from=tmp_path)
    assert not (tmp_path / "fourth").exists() and not (tmp_path / "fifth").exists()


def test_codecs_are_taken_over_and_what_the_recipe_said_of_them_is_noted(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert train(first, "codec.target={kind: words, min_count: 1}").notes == []
    trained = train(second, "codec=subwords", "codec.source.case=lower", "model.decoder.dropout=0.5", start_from=first)
    said = [note.replace(str(first), "FIRST") for note in trained.notes]
    assert said == [
        "the codecs of FIRST are taken over, not those of the recipe: codec.source.kind is characters there, subwords "
        "here; codec.target is words there, null here",
        "the weights of FIRST fit, though model.decoder.dropout is 0.0 there, 0.5 here; the recipe's settings are used",
    ]
    assert listing(first / "codecs") == listing(second / "codecs")
    assert api.load(second).predict("abc")[0].output == trained.predictor.predict("abc")[0].output
    trained = api.train(first / "config.yaml", tmp_path / "third", start_from=first)
    assert trained.notes == [], "a model's own recipe differs in nothing"
    step = second / "checkpoints" / f"step_{named(second, 'best')}"
    words = ["codec.target=words", "codec.target.min_count=9", "codec.joint=true"]
    notes = train(tmp_path / "fourth", *words, start_from=step).notes
    assert [note for note in notes if "min_count is 1 there, 9" in note]


def test_codecs_from_outside_are_not_run_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    mine = "from anyseq.data.codecs.characters import CharactersConfig\nclass Mine(CharactersConfig):\n    'Mine.'\n"
    (tmp_path / "foreign_codec.py").write_text(mine)
    first = tmp_path / "first"
    train(first, "codec.source=foreign_codec:Mine")
    with pytest.raises(UsageError, match=r"code from outside anyseq, 'foreign_codec:Mine'.* --trust foreign_codec"):
        train(tmp_path / "second", start_from=first)
    assert not (tmp_path / "second").exists()
    train(tmp_path / "second", start_from=first, trust=["foreign_codec"])
    assert train(tmp_path / "third", "codec=foreign_codec:Mine", start_from=first).notes == []


@pytest.mark.parametrize(("values", "best"), [([3, 1, 2, 5], 13), ([1, 2, 3, 9], 12)], ids=["gone", "there"])
def test_from_an_earlier_checkpoint_than_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: list[int], best: int
) -> None:
    """What was the best then may have been removed when a better one, which is cut now, replaced it."""
    folder = tmp_path / "run"

    def validator(*_: Any) -> Callable[[], Validation]:
        turn = iter(map(float, values))
        return lambda: Validation({}, (next(turn),))

    monkeypatch.setattr(fitting, "validator", validator)
    train(folder, "training.max_steps=16", "training.keep_checkpoints=2")
    assert (steps(folder), named(folder, "best")) == ([12, 16], 16)
    (folder / "last").write_text("step_12\n")
    api.resume(folder, overrides=["training.max_steps=13"])
    assert (named(folder, "last"), named(folder, "best")) == (13, best)
    api.load(folder)
