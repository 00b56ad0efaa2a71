"""The verbs as Python functions; the command line is a thin layer over them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError

from anyseq.config import dump, load_recipe, load_resolved, read_about
from anyseq.core import Item
from anyseq.data.check import Finding, examine
from anyseq.data.files import read_lines, read_references
from anyseq.errors import ConfigError, DataError, Fault, ModelFolderError, OutputExistsError, UsageError
from anyseq.metrics.bootstrap import Comparison, paired_bootstrap
from anyseq.search.settings import SearchConfig
from anyseq.tasks.base import Splits, Task, TaskConfig
from anyseq.tasks.decoding import Prediction, Scored, predict, score_pairs
from anyseq.tasks.estimate import Estimate, estimate
from anyseq.tasks.evaluation import Evaluation, evaluate
from anyseq.tasks.fitting import trainer
from anyseq.training.checkpoint import (
    Checkpoints,
    load_into,
    named_weights,
    read_weights,
    weights_folder,
    write_atomically,
    write_weights,
    written_whole,
)
from anyseq.training.progress import Listener, Silent

FORMAT = 1
"""Version of the model folder; what a reader does not know it refuses."""
Precision = Literal["float32", "bf16"]
OF_A_RUN = ("config.yaml", "codecs", "metrics.jsonl", "checkpoints", "best", "last", "results.json")


def resolve_device(name: str) -> torch.device:
    """`auto` is a GPU where there is one.

    Raises:
        UsageError: the device is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if there[kind]))
    if name not in there:
        raise UsageError(f"--device {name}: choose one of auto, {', '.join(there)}")
    if not there[name]:
        raise UsageError(f"--device {name}: there is none on this machine; use auto or cpu")
    return torch.device(name)


def autocast(precision: Precision, device: torch.device) -> Callable[[], AbstractContextManager[Any]]:
    """The context of the forward pass.

    Raises:
        UsageError: the hardware has no such arithmetic.
    """
    if precision == "float32":
        return nullcontext
    able = torch.cuda.is_bf16_supported() if device.type == "cuda" else torch.cpu._is_avx512_bf16_supported()
    if not able:
        raise UsageError("--precision bf16: this processor has no bf16 arithmetic and would be slower; use float32")
    return lambda: torch.autocast(device.type, torch.bfloat16)


@dataclass(frozen=True)
class Trained:
    """A finished run.

    Attributes:
        folder: The model folder.
        ended: Why training ended.
        notes: What a person should know about the data.
        dev: The best checkpoint on dev, by the full search.
        test: The same on test, where the recipe has one.
        predictor: The best model, ready for use.
    """

    folder: Path
    ended: str
    notes: Sequence[str]
    dev: Evaluation
    test: Evaluation | None
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
    overrides: Sequence[str] | Mapping[str, Any] = (),
    **sections: Any,
) -> Trained:
    """Train a recipe.

    Args:
        recipe: A name of `anyseq recipes`, or a YAML file.
        output: The model folder to make; by default `runs/` and the recipe's name.
        overwrite: Remove a run that is already there.
        start_from: A model folder whose weights and codecs to begin with.
        device: `cpu`, `cuda`, `mps` or `auto`.
        threads: Processor threads.
        precision: Of the forward pass.
        listener: Is told how it goes.
        overrides: `key=value` words, or a mapping of dotted keys.
        sections: The same as nested mappings: `training={"max_minutes": 5}`, `data={"train": pairs}`.

    Raises:
        ConfigError: the recipe or an override is wrong; all faults at once.
        DataError: a file, or a line of it, cannot be used.
        OutputExistsError: the folder holds a run and `overwrite` is off.
    """
    folder = Path("runs") / str(recipe).removesuffix(".yaml") if output is None else Path(output)
    _refuse_existing(folder, overwrite)
    config = load_recipe(recipe, {**dict(_pairs(overrides)), **sections} if sections else overrides)
    _use_threads(threads)
    where, cast = resolve_device(device), autocast(precision, resolve_device(device))
    task, splits = _prepare(config, start_from)
    _clear(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "codecs").mkdir()
    task.save_codecs(folder / "codecs")
    versions = {"anyseq": version("anyseq"), "torch": str(torch.__version__)}
    about = {"format": FORMAT, **versions, "data": fingerprint(splits)}
    write_atomically(folder / "config.yaml", dump(config, about))
    task.model.to(where)
    loop = trainer(task, splits, folder, listener or Silent(), cast)
    return _finish(task, splits, folder, loop.run())


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
        more_steps: Updates to make from there on, whatever the recipe's end was.
        overrides: Changes of how long to train; anything else is refused.
        device, threads, precision, listener: As for `train`.
        trust: Modules that parts from outside anyseq may come from.

    Raises:
        ModelFolderError: there is nothing to go on from, or the data have changed.
    """
    folder = Path(folder)
    step = Checkpoints(folder, keep=1).named("last")
    words = list(overrides) if not isinstance(overrides, Mapping) else [f"{k}={v}" for k, v in overrides.items()]
    if more_steps is not None:
        words.append(f"training.max_steps={(step or 0) + more_steps}")
    _refuse_other_changes(words)
    config = load_resolved(folder, words, trust=trust)
    if step is None:
        raise ModelFolderError(f"{folder} holds no checkpoint to go on from: train it anew with --overwrite")
    _use_threads(threads)
    where, cast = resolve_device(device), autocast(precision, resolve_device(device))
    task, splits = _prepare(config, folder)
    known = read_about(folder).get("data")
    if known != fingerprint(splits):
        raise ModelFolderError(f"the data of {folder} have changed since it was trained; train anew, or restore them")
    task.model.to(where)
    loop = trainer(task, splits, folder, listener or Silent(), cast)
    loop.restore(step)
    write_atomically(folder / "config.yaml", dump(config, read_about(folder)))
    return _finish(task, splits, folder, loop.run())


def _prepare(config: TaskConfig, start_from: str | Path | None) -> tuple[Task, Splits]:
    """Data read, codecs learnt (or taken over), model made; the seed settles the weights."""
    task = config.build()
    splits = task.read()
    if start_from is None:
        task.fit_codecs(splits.train)
    else:
        task.load_codecs(Path(start_from) / "codecs")
    splits = task.select(splits)
    torch.manual_seed(config.training.seed)
    task.build_model()
    if start_from is not None and _has_weights(Path(start_from)):
        origin = weights_folder(Path(start_from))
        load_into(task.model, read_weights(origin / "weights.safetensors"), origin)
    return task, splits


def _finish(task: Task, splits: Splits, folder: Path, ended: str) -> Trained:
    """Judge the best checkpoint by the full search, on dev and, where there is one, once on test."""
    origin = weights_folder(folder)
    load_into(task.model, read_weights(origin / "weights.safetensors"), origin)
    search = task.config.search
    dev = evaluate(task, splits.dev, [[task.reference(item)] for item in splits.dev], search)
    test_items = task.read_test()
    test = None
    if test_items is not None:
        test = evaluate(task, test_items, [[task.reference(item)] for item in test_items], search)
    results = {
        name: {"metrics": found.metrics, "signature": found.signature, "count": found.count, "seconds": found.seconds}
        for name, found in (("dev", dev), ("test", test))
        if found is not None
    }
    write_atomically(folder / "results.json", json.dumps({"ended": ended, **results}, indent=1, ensure_ascii=False))
    return Trained(folder, ended, splits.notes, dev, test, Predictor(task))


class Predictor:
    """A trained model, ready for use.

    Args:
        task: With codecs and weights.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def settings(self, **search: Any) -> SearchConfig:
        """The model's search settings with some exchanged, checked together.

        Raises:
            ConfigError: a name or a value is wrong, or two contradict each other; all of it at once.
        """
        try:
            return SearchConfig(**{**dict(self.task.config.search), **search})
        except ValidationError as wrong:
            faults = [Fault(".".join(map(str, each["loc"])), each["msg"]) for each in wrong.errors()]
            raise ConfigError(faults) from None

    def predict(self, raws: str | Iterable[str], **search: Any) -> list[Prediction]:
        """The best output for each raw source, in order; keyword arguments are search settings (`beam_size=1`)."""
        raws = [raws] if isinstance(raws, str) else raws
        items = [Item({"source": raw}, key) for key, raw in enumerate(raws)]
        return predict(self.task, items, self.settings(**search))

    def predict_items(self, items: Iterable[Item], window: int, **search: Any) -> Iterable[Prediction]:
        """The same for items that come one by one, a window at a time, so that a stream may be endless."""
        settings, source = self.settings(**search), iter(items)
        while chunk := list(islice(source, window)):
            yield from predict(self.task, chunk, settings)

    def evaluate(self, items: Sequence[Item], references: Sequence[Sequence[str]], **search: Any) -> Evaluation:
        """Search an output for each item and compare it with its references."""
        return evaluate(self.task, items, references, self.settings(**search))

    def score(self, items: Sequence[Item], **search: Any) -> list[Scored]:
        """Log-probability and score of given pairs: the numbers search reports for them."""
        return score_pairs(self.task, items, self.settings(**search))


def load(folder: str | Path, *, device: str = "auto", trust: Collection[str] = ()) -> Predictor:
    """Load a model folder, a step's folder in it, or a flat exported folder.

    Args:
        folder: Where it is.
        device: `cpu`, `cuda`, `mps` or `auto`.
        trust: Modules that parts from outside anyseq may come from.

    Raises:
        ModelFolderError: it is no model folder, is of another format, or is incomplete.
    """
    given = Path(folder)
    home = given if (given / "config.yaml").exists() or given.parent.name != "checkpoints" else given.parent.parent
    config = load_resolved(home, trust=trust)
    found = read_about(home).get("format")
    if found != FORMAT:
        raise ModelFolderError(f"{home} is of format {found}; this version reads format {FORMAT}")
    task = config.build()
    task.load_codecs(home / "codecs")
    task.build_model()
    origin = weights_folder(given)
    load_into(task.model, read_weights(origin / "weights.safetensors"), origin)
    task.model.to(resolve_device(device)).eval()
    return Predictor(task)


def pairs(source: Any, target: Any) -> tuple[list[Item], list[list[str]]]:
    """Items and their references for `evaluate`; of several target files each holds one reference a line."""
    targets = [target] if isinstance(target, (str, Path)) else list(target)
    items = list(read_lines(source))
    references = [list(each) for each in read_references(targets)]
    if len(items) != len(references):
        raise DataError(f"{source} has {len(items)} lines, its references have {len(references)}: they must be pairs")
    return [
        Item({**item.raw, "target": each[0]}, item.key, item.file, item.line)
        for item, each in zip(items, references, strict=True)
    ], references


def compare(base: Evaluation, other: Evaluation, task: Task, seed: int = 0) -> list[Comparison]:
    """Paired bootstrap of two systems on the same items, by every metric of the task."""
    outputs = [[prediction.output for prediction in each.predictions] for each in (base, other)]
    return [paired_bootstrap(metric, outputs[0], outputs[1], base.references, seed=seed) for metric in task.metrics]


@dataclass(frozen=True)
class CheckReport:
    """What `check` found.

    Attributes:
        findings: Faults of the data, worst first.
        notes: How the splits came to be.
        estimate: What training will cost.
    """

    findings: Sequence[Finding]
    notes: Sequence[str]
    estimate: Estimate


def check(
    recipe: str | Path, *, threads: int | None = None, overrides: Sequence[str] | Mapping[str, Any] = ()
) -> CheckReport:
    """Read the data as training would, look for faults, and measure a few updates to say what training will cost."""
    config = load_recipe(recipe, overrides)
    _use_threads(threads)
    task = config.build()
    splits = task.read()
    findings = examine(splits.train, splits.dev, task.read_test() or [])
    task.fit_codecs(splits.train)
    splits = task.select(splits)
    torch.manual_seed(config.training.seed)
    task.build_model()
    return CheckReport(findings, splits.notes, estimate(task, splits))


def average(folder: str | Path, output: str | Path, last: int) -> list[int]:
    """Write a model whose weights are the mean over the newest checkpoints of a run; returns their steps.

    Raises:
        UsageError: there are fewer than two checkpoints.
        OutputExistsError: the output exists.
    """
    folder, output = Path(folder), Path(output)
    load_resolved(folder)
    if output.exists():
        raise OutputExistsError(f"{output} exists; choose another --output, or remove it")
    steps = sorted(int(path.name[5:]) for path in (folder / "checkpoints").glob("step_*"))[-last:]
    if len(steps) < 2:
        raise UsageError(f"{folder} keeps {len(steps)} checkpoint; train with training.keep_checkpoints=5 to average")
    checkpoints = Checkpoints(folder, keep=1)
    mean: dict[str, torch.Tensor] = {}
    for step in steps:
        for name, weight in checkpoints.read(step).items():
            mean[name] = mean.get(name, torch.zeros_like(weight)) + weight / len(steps)
    with written_whole(output) as draft:
        shutil.copy(folder / "config.yaml", draft / "config.yaml")
        shutil.copytree(folder / "codecs", draft / "codecs")
        write_weights(mean, draft / "weights.safetensors")
    return steps


def info(folder: str | Path) -> dict[str, Any]:
    """What a model folder holds: recipe, size, where training stands, figures."""
    folder = Path(folder)
    predictor = load(folder, device="cpu")
    weights = named_weights(predictor.task.model)
    last = Checkpoints(folder, keep=1).named("last")
    facts: dict[str, Any] = {
        "description": predictor.task.config.description,
        **{key: value for key, value in read_about(folder).items() if key != "data"},
        "parameters": sum(weight.numel() for weight in weights.values()),
        "vocabulary": {name: asdict(codec.stream) for name, codec in predictor.task.codecs.items()},
        "best_step": Checkpoints(folder, keep=1).named("best"),
        "last_step": last,
    }
    if last is not None:
        facts["training"] = Checkpoints(folder, keep=1).read_training(last)[1]
    if (folder / "results.json").exists():
        facts["results"] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return facts


def fingerprint(splits: Splits) -> str:
    """A hash of what is trained on and chosen by."""
    digest = hashlib.sha256()
    for item in (*splits.train, *splits.dev):
        digest.update(repr(sorted(item.raw.items())).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


def _pairs(overrides: Sequence[str] | Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    if isinstance(overrides, Mapping):
        return overrides.items()
    return [tuple(word.split("=", 1)) for word in overrides]  # type: ignore[misc]


def _refuse_existing(folder: Path, overwrite: bool) -> None:
    if not overwrite and any((folder / name).exists() for name in OF_A_RUN):
        raise OutputExistsError(
            f"{folder} already holds a run: go on with it (--resume {folder}), choose another --output, or --overwrite"
        )


def _clear(folder: Path) -> None:
    """Remove a run, and nothing else that may be in the folder."""
    for name in OF_A_RUN:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


MAY_CHANGE = ("training.max_steps", "training.max_minutes", "training.patience", "training.validate_every", "search.")


def _refuse_other_changes(words: Sequence[str]) -> None:
    other = [word for word in words if not word.startswith(MAY_CHANGE)]
    if other:
        raise UsageError(
            f"a resumed run keeps its recipe: {', '.join(other)} cannot change; what may: {', '.join(MAY_CHANGE)}* "
            "(to train on with other values: anyseq train RECIPE --from FOLDER)"
        )


def _has_weights(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("best", "last", "weights.safetensors"))


def _use_threads(threads: int | None) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
