"""Training, from the beginning or from where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from anyseq.api.data_files import (
    DataFile,
    data_files,
    fingerprint,
    read_data_files,
    refuse_changed,
    write_data_files,
)
from anyseq.api.first_rank import heard, held, watched_by_first
from anyseq.api.folders import (
    FORMAT,
    about_launch,
    begun_before,
    clear,
    default_folder,
    home_and_about,
    refuse_existing,
)
from anyseq.api.going_on import ended_and_saved, ending_at, judged, refuse_edited, refuse_other_changes
from anyseq.api.preparing import Tell, prepare
from anyseq.api.transfer import Start
from anyseq.api.transfer import start_from as begin_with
from anyseq.api.use import Predictor
from anyseq.api.watching import draw_curves, facts_to_watch
from anyseq.api.weights import load_weights
from anyseq.config import dump, given_from_python, load_recipe, load_resolved
from anyseq.core import Item, ranks
from anyseq.errors import ModelFolderError, UsageError
from anyseq.tasks.base import Task
from anyseq.tasks.devices import Precision, autocast, refuse_recurrent, resolve_device, use_threads
from anyseq.tasks.evaluation import Evaluation, evaluate
from anyseq.tasks.fitting import codecs_digest, trainer
from anyseq.tasks.settings import AtFaults, TaskConfig
from anyseq.tasks.splits import Splits
from anyseq.training.checkpoint import Checkpoints, write_atomically
from anyseq.training.distributed import writing_to
from anyseq.training.events import require_tensorboard
from anyseq.training.progress import Listener
from anyseq.training.recovery import newest_whole

_NEXT_TO_NOTHING = 1.0  # BLEU


@dataclass(frozen=True)
class Trained:
    """A finished run.

    Attributes:
        folder: The model folder.
        ended: Why training ended.
        notes: What a person should know about the data, and about the model it started from.
        dev: The best checkpoint on dev, by the full search.
        test: The same on test, where the recipe has one.
        trivial: The trivial answer to the same items (test, or dev where there is none): its name and its metrics.
        predictor: The best model, ready for use.
    """

    folder: Path
    ended: str
    notes: Sequence[str]
    dev: Evaluation
    test: Evaluation | None
    trivial: tuple[str, Mapping[str, float]] | None
    predictor: Predictor


@ranks.together()
def train(
    recipe: str | Path,
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    start_from: str | Path | None = None,
    extend_vocab: bool = False,
    device: str = "auto",
    threads: int | None = None,
    precision: Precision = "float32",
    listener: Listener | None = None,
    trust: Collection[str] = (),
    overrides: Sequence[str] | Mapping[str, Any] = (),
    **sections: Any,
) -> Trained:
    """Train a recipe; processes that torchrun has started do so together.

    Args:
        recipe: A name of `anyseq recipes`, or a YAML file.
        output: The model folder to make; by default `runs/` and the recipe's name.
        overwrite: Remove a run that is already there.
        start_from: A model folder to begin with: of the same task with its codecs and weights, of another one with its
            source's codec and what reads it. How training varies sources stays the recipe's; what differs is noted.
        extend_vocab: With `start_from`: its vocabulary grows by what train has and it lacks; what it had keeps its
            weights.
        device: `cpu`, `cuda`, `mps` or `auto`.
        threads: Processor threads.
        precision: Of the forward pass.
        listener: Is told how it goes.
        trust: Modules that the codecs of `start_from` may come from, where they are from outside anyseq.
        overrides: `key=value` words, or a mapping of dotted keys.
        sections: The same as nested mappings: `training={"max_minutes": 5}`, `data={"train": pairs}`.

    Raises:
        ConfigError: the recipe or an override is wrong; all faults at once.
        UsageError: the weights of `start_from` are of another shape.
        DataError: a file, or a line of it, cannot be used; or the data hold errors, as `check` finds them.
        OutputExistsError: the folder holds a run and `overwrite` is off.
    """
    folder = default_folder(recipe) if output is None else Path(output)
    again = begun_before(folder)
    refuse_existing(folder, overwrite or again)
    config = read_recipe(recipe, overrides, sections)
    how: dict[str, Any] = {"device": device, "threads": threads, "precision": precision, "listener": listener}
    if again and (folder / "last").is_file():
        return resume(folder, overrides=_data_alone(overrides, sections), trust=trust, **how)

    def claim(own: Path) -> None:
        refuse_existing(own, overwrite or again)  # now that no other run can come to it
        clear(own)

    how |= {"start_from": start_from, "extend_vocab": extend_vocab, "trust": trust}
    return train_as(config, recipe_name(recipe), folder, claim=claim, **how)


def read_recipe(
    recipe: str | Path, overrides: Sequence[str] | Mapping[str, Any], sections: Mapping[str, Any]
) -> TaskConfig:
    """Read a recipe with the changes that `train` takes.

    Raises:
        ConfigError: the recipe or an override is wrong; all faults at once.
        UsageError: words and sections are mixed.
    """
    if sections and overrides and not isinstance(overrides, Mapping):
        raise UsageError("give overrides as a mapping where sections are given too: overrides={'training.seed': 2}")
    given = overrides if isinstance(overrides, Mapping) else {}
    return load_recipe(recipe, {**given, **sections} if sections else overrides)


def train_as(
    config: TaskConfig,
    name: str,
    folder: Path,
    *,
    start_from: str | Path | None = None,
    extend_vocab: bool = False,
    device: str = "auto",
    threads: int | None = None,
    precision: Precision = "float32",
    listener: Listener | None = None,
    trust: Collection[str] = (),
    claim: Callable[[Path], None] = clear,
) -> Trained:
    """Train by a configuration that was read.

    Args:
        config: All settings.
        name: The recipe's, as the model folder keeps it.
        folder: The model folder to make.
        start_from, extend_vocab, device, threads, precision, listener, trust: As for `train`.
        claim: Is called with the folder when nothing can be refused any more, before anything is written.
    """
    if extend_vocab and start_from is None:
        raise UsageError("--extend-vocab belongs to --from MODEL: it is that model's vocabulary which grows")
    if config.training.tensorboard:
        require_tensorboard()  # not only when all data have been read
    use_threads(threads)
    where, listener = resolve_device(device), heard(listener)
    cast = autocast(precision, where)
    with ExitStack() as holding:
        if there := folder.exists():
            holding.enter_context(held(folder, listener))
        start = Start(config)
        if start_from is not None:
            start = begin_with(Path(start_from), config, trust, extend=extend_vocab)
        run = _prepare(start, listener.noted, "stop")
        refuse_recurrent(precision, run.task.model)
        about_data = run.about_data
        ranks.refuse_others("the data or what codecs learnt of them", (about_data, codecs_digest(run.task)))
        loop = trainer(run.task, run.splits, folder, watched_by_first(listener, start.config, folder), cast, where)
        config = start.config.model_copy(update={"training": loop.settings})  # with what fits, where that was not known
        loop.checkpoints.recipe = dump(config)
        # Nothing was written so far: whatever could be refused has been.
        if not there:  # made only now, for it may lie in a folder of data
            holding.enter_context(held(folder, listener))
        if ranks.first():
            claim(folder)
            _write_first(run, folder)
        loop.save()  # with the recipe, which comes last, there is a checkpoint to go on from
        if ranks.first():
            versions = {"anyseq": version("anyseq"), "torch": str(torch.__version__)}
            about = {"format": FORMAT, **versions, "recipe": name, **about_data, **about_launch()}
            write_atomically(folder / "config.yaml", dump(config, {**about, **facts_to_watch(run.task)}))
        return _finish(run, folder, loop.run(), listener)


def _data_alone(
    overrides: Sequence[str] | Mapping[str, Any], sections: Mapping[str, Any]
) -> Sequence[str] | Mapping[str, Any]:
    """Of what a run was started with, where its data are: it may have come from Python."""
    if not isinstance(overrides, Mapping):
        return [word for word in overrides if word.startswith("data.")]
    return {key: value for key, value in {**overrides, **sections}.items() if key.startswith("data")}


def _write_first(run: _Run, folder: Path) -> None:
    """Make the folder, with all of it that does not come of training, but for the recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "codecs").mkdir()
    run.task.save_codecs(folder / "codecs")
    if run.splits.left_out:
        lines = (f"{place}\t{reason}\n" for place, reason in run.splits.left_out)
        write_atomically(folder / "left_out.tsv", "".join(lines))
    if run.files:
        write_data_files(run.files, folder)


@ranks.together()
def resume(
    folder: str | Path,
    *,
    more_steps: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    precision: Precision = "float32",
    listener: Listener | None = None,
    overrides: Sequence[str] | Mapping[str, Any] = (),
    trust: Collection[str] = (),
) -> Trained:
    """Go on with a run from its last checkpoint, as if it had never stopped.

    Args:
        folder: The model folder.
        more_steps: Updates to make after those that were planned (`training.max_steps`), or after those that were made
            where time or patience ended the run; they alone end it then.
        overrides: Changes of how long to train, of the search, and of where the (same) data are; anything else that
            is not as it was is refused.
        device, threads, precision, listener: As for `train`.
        trust: Modules that parts from outside anyseq may come from.

    Raises:
        ModelFolderError: there is nothing to go on from, or the data, or the recipe in the folder, have changed.
        UsageError: an override changes what may not change; or the folder cannot be written to.
        FolderInUseError: another run is at work there.
    """
    folder, listener = Path(folder), heard(listener)
    home_and_about(folder)  # before anything is made
    with held(folder, listener):
        return _resume(folder, more_steps, device, threads, precision, listener, overrides, trust)


def _resume(
    folder: Path,
    more_steps: int | None,
    device: str,
    threads: int | None,
    precision: Precision,
    listener: Listener,
    overrides: Sequence[str] | Mapping[str, Any],
    trust: Collection[str],
) -> Trained:
    _, about = home_and_about(folder)
    checkpoints = Checkpoints(folder, keep=1)
    kept, config = load_resolved(folder, trust=trust), load_resolved(folder, overrides, trust=trust)
    refuse_other_changes(kept, config)
    step = newest_whole(checkpoints, lambda note: listener.noted(note, "warning"))
    refuse_edited(checkpoints, step, config)
    if more_steps is not None and not begun_before(folder):  # else they stand in its configuration by now
        planned = step if judged(folder) == step else max(step, config.training.max_steps or 0)
        config = load_resolved(folder, ending_at(overrides, planned + more_steps), trust=trust)
    if lost := given_from_python(config):
        raise ModelFolderError(
            f"{', '.join(lost)} of {folder} came from Python objects, which no file holds; go on from Python, giving "
            "the same again: anyseq.resume(folder, overrides={'data.train': ...})"
        )
    refuse_changed(folder, kept, config)
    use_threads(threads)
    where = resolve_device(device)
    cast = autocast(precision, where)
    start = Start(config, checkpoints.step_folder(step))
    run = _prepare(start, listener.noted, "off")  # what there is to say was said when it began
    refuse_recurrent(precision, run.task.model)
    ranks.refuse_others("the data and the last checkpoint", (step, run.about_data))
    if about.get("data") != fingerprint(run.splits, run.files if read_data_files(folder) is not None else ()):
        raise ModelFolderError(f"the data of {folder} have changed since it was trained; train anew, or restore them")
    loop = trainer(run.task, run.splits, folder, watched_by_first(listener, config, folder, step), cast, where)
    loop.checkpoints.recipe = dump(config)
    loop.restore(step)
    if more_steps is not None:
        loop.standing = replace(loop.standing, given_up=None)  # whoever asks for more has seen why it stopped
    if reason := loop.ending():
        listener.noted(f"nothing is left to train: {reason}; --more-steps N trains on")
    if ranks.first():
        write_atomically(folder / "config.yaml", dump(config, {**about, **about_launch()}))
    return _finish(run, folder, loop.run(), listener)


@dataclass(frozen=True)
class _Run:
    """What a run needs, all of it read before anything is written."""

    task: Task
    splits: Splits
    test: Sequence[Item] | None
    notes: Sequence[str]
    files: Sequence[DataFile]

    @property
    def about_data(self) -> dict[str, Any]:
        """What a model folder says of its data."""
        test = None if self.test is None else len(self.test)
        counts = {"train": len(self.splits.train), "dev": len(self.splits.dev), "test": test}
        return {"data": fingerprint(self.splits, self.files), "items": counts}


def _prepare(start: Start, tell: Tell, at_faults: AtFaults) -> _Run:
    """Data read, codecs learnt (or taken over), model made (or taken over); the seed settles fresh weights."""
    for note in start.notes:
        tell(note, "note")
    data = prepare(start, tell, at_faults)
    task = data.task
    task.refuse_search(start.config.search)
    splits = task.select(data.splits)
    torch.manual_seed(start.config.training.seed)
    started = start.make_model(task)
    for note in (*splits.notes[len(data.splits.notes) :], *started):
        tell(note, "note")
    files = data_files(task, splits, data.test)
    return _Run(task, splits, data.test, [*start.notes, *splits.notes, *started], files)


def recipe_name(recipe: str | Path) -> str:
    """A recipe's name, as a model folder keeps it: of a file its own, for where it lay says nothing elsewhere."""
    return Path(recipe).name if str(recipe).endswith((".yaml", ".yml")) else str(recipe)


def _finish(run: _Run, folder: Path, ended: str, listener: Listener) -> Trained:
    """Judge the best checkpoint by the full search, on dev and, where there is one, once on test."""
    with ended_and_saved(folder):
        return _judge(run, folder, ended, listener)


def _judge(run: _Run, folder: Path, ended: str, listener: Listener) -> Trained:
    task, splits, test = run.task, run.splits, None
    ranks.wait()  # for the last checkpoint
    load_weights(task, folder)
    with writing_to(folder / "codecs") as codecs:
        for note in task.settle(splits.dev, codecs):
            listener.noted(note, "note")
    search = task.config.search
    dev = evaluate(task, *task.judged_by_targets(splits.dev), search)
    if (bleu := dev.metrics.get("bleu", 100.0)) < _NEXT_TO_NOTHING:
        listener.noted(
            f"dev BLEU is {bleu:.2g}: the model has learnt next to nothing yet; train longer (training.max_minutes, "
            "training.max_steps), on more data, or in smaller batches (training.batch_tokens). Near 0 BLEU also "
            "chooses badly among checkpoints: training.metric=loss", "warning"
        )  # fmt: skip
    if run.test is not None:
        test = evaluate(task, *task.judged_by_targets(run.test), search)
    results: dict[str, Any] = {
        name: {"metrics": found.metrics, "signature": found.signature, "count": found.count, "seconds": found.seconds}
        for name, found in (("dev", dev), ("test", test))
        if found is not None
    }
    about = {"ended": ended, "step": Checkpoints(folder, keep=1).named("last"), **results}
    _write_results(folder, about)  # whatever follows
    trivial = _trivial(task, splits.some, splits.dev if run.test is None else run.test)
    if trivial is not None:
        about["trivial"] = {"answer": trivial[0], "metrics": trivial[1]}
        _write_results(folder, about)
    if ranks.first():
        draw_curves(folder, task.config, f"finished: {ended}", listener)
    return Trained(folder, ended, run.notes, dev, test, trivial, Predictor(task))


def _write_results(folder: Path, about: Mapping[str, Any]) -> None:
    if ranks.first():
        write_atomically(folder / "results.json", json.dumps(about, indent=1, ensure_ascii=False))


def _trivial(task: Task, train: Sequence[Item], items: Sequence[Item]) -> tuple[str, Mapping[str, float]] | None:
    """Name and metrics of the trivial answer."""
    judged, references = task.judged_by_targets(items)
    found = task.trivial(train, judged)
    if found is None or not found.outputs:
        return None if found is None else (found.name, found.metrics)
    measures = [metric.measure(found.outputs, references) for metric in task.metrics]
    return found.name, {measure.name: measure.value for measure in measures}
