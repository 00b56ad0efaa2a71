"""Training, from the beginning or from where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from anyseq.api.folders import FORMAT, clear, default_folder, home_and_about, refuse_existing
from anyseq.api.preparing import Tell, prepare
from anyseq.api.transfer import Start
from anyseq.api.transfer import start_from as begin_with
from anyseq.api.use import Predictor
from anyseq.api.weights import load_weights
from anyseq.config import dump, given_from_python, load_recipe, load_resolved
from anyseq.core import Item, content
from anyseq.errors import ModelFolderError, UsageError
from anyseq.tasks.base import AtFaults, Task
from anyseq.tasks.devices import Precision, autocast, refuse_recurrent, resolve_device, use_threads
from anyseq.tasks.evaluation import Evaluation, evaluate
from anyseq.tasks.fitting import trainer
from anyseq.tasks.splits import Splits
from anyseq.training.checkpoint import Checkpoints, write_atomically
from anyseq.training.progress import Listener, Silent

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


def train(
    recipe: str | Path,
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    start_from: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    precision: Precision = "float32",
    listener: Listener | None = None,
    trust: Collection[str] = (),
    overrides: Sequence[str] | Mapping[str, Any] = (),
    **sections: Any,
) -> Trained:
    """Train a recipe.

    Args:
        recipe: A name of `anyseq recipes`, or a YAML file.
        output: The model folder to make; by default `runs/` and the recipe's name.
        overwrite: Remove a run that is already there.
        start_from: A model folder to begin with: of the same task with its codecs and weights, of another one with its
            source's codec and what reads it. How training varies sources stays the recipe's; what differs is noted.
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
    refuse_existing(folder, overwrite)
    if sections and overrides and not isinstance(overrides, Mapping):
        raise UsageError("give overrides as a mapping where sections are given too: overrides={'training.seed': 2}")
    given = overrides if isinstance(overrides, Mapping) else {}
    config = load_recipe(recipe, {**given, **sections} if sections else overrides)
    use_threads(threads)
    where, listener = resolve_device(device), listener or Silent()
    cast = autocast(precision, where)
    start = Start(config) if start_from is None else begin_with(Path(start_from), config, trust)
    run = _prepare(start, listener.noted, "stop")
    refuse_recurrent(precision, run.task.model)
    loop = trainer(run.task, run.splits, folder, listener, cast, where)
    # Nothing was written so far: whatever could be refused has been.
    clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "codecs").mkdir()
    run.task.save_codecs(folder / "codecs")
    if run.splits.left_out:
        lines = (f"{place}\t{reason}\n" for place, reason in run.splits.left_out)
        write_atomically(folder / "left_out.tsv", "".join(lines))
    versions = {"anyseq": version("anyseq"), "torch": str(torch.__version__)}
    about = {"format": FORMAT, **versions, "recipe": _name(recipe), **run.about_data}
    write_atomically(folder / "config.yaml", dump(start.config, about))
    return _finish(run, folder, loop.run(), listener)


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
        overrides: Changes of how long to train, of the search, and of where the (same) data are; anything else is
            refused.
        device, threads, precision, listener: As for `train`.
        trust: Modules that parts from outside anyseq may come from.

    Raises:
        ModelFolderError: there is nothing to go on from, or the data have changed.
    """
    folder = Path(folder)
    _refuse_other_changes(overrides)
    _, about = home_and_about(folder)
    checkpoints = Checkpoints(folder, keep=1)
    step = checkpoints.named("last")
    config = load_resolved(folder, overrides, trust=trust)
    if more_steps is not None:
        made = step or 0
        planned = made if _judged(folder) == made else max(made, config.training.max_steps or 0)
        config = load_resolved(folder, _ending_at(overrides, planned + more_steps), trust=trust)
    if step is None:
        raise ModelFolderError(f"{folder} names no checkpoint to go on from; {checkpoints.how_to_name('last')}")
    if lost := given_from_python(config):
        raise ModelFolderError(
            f"{', '.join(lost)} of {folder} came from Python objects, which no file holds; go on from Python, giving "
            "the same again: anyseq.resume(folder, overrides={'data.train': ...})"
        )
    use_threads(threads)
    where, listener = resolve_device(device), listener or Silent()
    cast = autocast(precision, where)
    run = _prepare(Start(config, folder), listener.noted, "off")  # what there is to say was said when it began
    refuse_recurrent(precision, run.task.model)
    if about.get("data") != _fingerprint(run.splits):
        raise ModelFolderError(f"the data of {folder} have changed since it was trained; train anew, or restore them")
    loop = trainer(run.task, run.splits, folder, listener, cast, where)
    loop.restore(step)
    if more_steps is not None:
        loop.standing = replace(loop.standing, given_up=None)  # whoever asks for more has seen why it stopped
    if reason := loop.ending():
        listener.noted(f"nothing is left to train: {reason}; --more-steps N trains on")
    write_atomically(folder / "config.yaml", dump(config, about))
    return _finish(run, folder, loop.run(), listener)


@dataclass(frozen=True)
class _Run:
    """What a run needs, all of it read before anything is written."""

    task: Task
    splits: Splits
    test: Sequence[Item] | None
    notes: Sequence[str]

    @property
    def about_data(self) -> dict[str, Any]:
        """What a model folder says of its data."""
        test = None if self.test is None else len(self.test)
        counts = {"train": len(self.splits.train), "dev": len(self.splits.dev), "test": test}
        return {"data": _fingerprint(self.splits), "items": counts}


def _prepare(start: Start, tell: Tell, at_faults: AtFaults) -> _Run:
    """Data read, codecs learnt (or taken over), model made (or taken over); the seed settles fresh weights."""
    for note in start.notes:
        tell(note, "note")
    data = prepare(start, tell, at_faults)
    task = data.task
    task.refuse(start.config.search)
    splits = task.select(data.splits)
    torch.manual_seed(start.config.training.seed)
    started = start.make_model(task)
    for note in (*splits.notes[len(data.splits.notes) :], *started):
        tell(note, "note")
    return _Run(task, splits, data.test, [*start.notes, *splits.notes, *started])


def _name(recipe: str | Path) -> str:
    """A recipe's name, as a model folder keeps it: of a file its own, for where it lay says nothing elsewhere."""
    return Path(recipe).name if str(recipe).endswith((".yaml", ".yml")) else str(recipe)


def _fingerprint(splits: Splits) -> str:
    """A hash of what is trained on and chosen by."""
    digest = hashlib.sha256()
    if splits.stored is not None:
        digest.update(splits.stored.digest.encode())
    for item in (*(splits.train if splits.stored is None else ()), *splits.dev):
        raw = sorted((name, content(value)) for name, value in item.raw.items())
        digest.update(repr(raw).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


def _finish(run: _Run, folder: Path, ended: str, listener: Listener) -> Trained:
    """Judge the best checkpoint by the full search, on dev and, where there is one, once on test."""
    task, splits, test = run.task, run.splits, None
    load_weights(task, folder)
    for note in task.settle(splits.dev, folder / "codecs"):
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
    write_atomically(folder / "results.json", json.dumps(about, indent=1, ensure_ascii=False))  # whatever follows
    trivial = _trivial(task, splits.some, splits.dev if run.test is None else run.test)
    if trivial is not None:
        about["trivial"] = {"answer": trivial[0], "metrics": trivial[1]}
        write_atomically(folder / "results.json", json.dumps(about, indent=1, ensure_ascii=False))
    return Trained(folder, ended, run.notes, dev, test, trivial, Predictor(task))


def _trivial(task: Task, train: Sequence[Item], items: Sequence[Item]) -> tuple[str, Mapping[str, float]] | None:
    """Name and metrics of the trivial answer."""
    judged, references = task.judged_by_targets(items)
    found = task.trivial(train, judged)
    if found is None or not found.outputs:
        return None if found is None else (found.name, found.metrics)
    measures = [metric.measure(found.outputs, references) for metric in task.metrics]
    return found.name, {measure.name: measure.value for measure in measures}


def _judged(folder: Path) -> int | None:
    """The last step of a run when it had ended and was judged; None: it has not come to that."""
    try:
        found: int | None = json.loads((folder / "results.json").read_text(encoding="utf-8"))["step"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found


MAY_CHANGE = (
    *(f"training.{key}" for key in ("max_steps", "max_minutes", "patience", "min_learning_rate", "validate_every")),
    *("search.", "data.train", "data.dev", "data.test"),
)


def _refuse_other_changes(overrides: Sequence[str] | Mapping[str, Any]) -> None:
    keys = _keys(overrides) if isinstance(overrides, Mapping) else [word.partition("=")[0] for word in overrides]
    other = [key for key in keys if not key.startswith(MAY_CHANGE)]
    if other:
        raise UsageError(
            f"a resumed run keeps its recipe: {', '.join(other)} cannot change; what may: {', '.join(MAY_CHANGE)}* "
            "(to train on with other values: anyseq train RECIPE --from FOLDER)"
        )


def _keys(overrides: Mapping[str, Any]) -> Iterator[str]:
    """Dotted names of what a nested mapping sets."""
    for name, value in overrides.items():
        if isinstance(value, Mapping):
            yield from (f"{name}.{key}" for key in _keys(value))
        else:
            yield name


def _ending_at(overrides: Sequence[str] | Mapping[str, Any], step: int) -> Sequence[str] | Mapping[str, Any]:
    """This step alone is the end, whatever else the recipe says of it."""
    others = ("max_minutes", "patience", "min_learning_rate")
    end = {"training.max_steps": step, **{f"training.{key}": None for key in others}}
    if isinstance(overrides, Mapping):
        return {**overrides, **end}
    return [*overrides, *(f"{key}={'null' if value is None else value}" for key, value in end.items())]
