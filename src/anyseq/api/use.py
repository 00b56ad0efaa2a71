"""A trained model put to use."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from anyseq.api.folders import home_and_about, load_weights
from anyseq.config import load_resolved
from anyseq.core import Item
from anyseq.data.files import read_lines, read_references
from anyseq.errors import ConfigError, DataError, Fault
from anyseq.metrics.bootstrap import Comparison, paired_bootstrap
from anyseq.search.settings import SearchConfig
from anyseq.tasks.base import Task
from anyseq.tasks.decoding import Prediction, Scored, predict, score_pairs
from anyseq.tasks.devices import Autocast, Precision, autocast, refuse_recurrent, resolve_device
from anyseq.tasks.evaluation import Evaluation, evaluate
from anyseq.training.checkpoint import Checkpoints, named_weights


class Predictor:
    """A trained model, ready for use.

    Args:
        task: With codecs and weights.
        autocast: Lower precision for the forward passes, or nothing.
    """

    def __init__(self, task: Task, autocast: Autocast = nullcontext) -> None:
        self.task, self.autocast = task, autocast

    def settings(self, **search: Any) -> SearchConfig:
        """The model's search settings with some exchanged, checked together.

        Raises:
            ConfigError: a name or a value is wrong, or two contradict each other; all of it at once.
            UsageError: the model's codecs cannot follow one (a prefix with characters they do not know).
        """
        try:
            settings = SearchConfig(**{**dict(self.task.config.search), **search})
        except ValidationError as wrong:
            faults = [
                Fault(".".join(map(str, ("search", *each["loc"]))), each["msg"].removeprefix("Value error, "))
                for each in wrong.errors()
            ]
            raise ConfigError(faults) from None
        self.task.refuse(settings)
        return settings

    def predict(self, raws: str | Iterable[str], **search: Any) -> list[Prediction]:
        """The best output for each raw source, in order; keyword arguments are search settings (`beam_size=1`)."""
        raws = [raws] if isinstance(raws, str) else raws
        items = [Item({"source": raw}, key) for key, raw in enumerate(raws)]
        with self.autocast():
            return predict(self.task, items, self.settings(**search))

    def predict_items(self, items: Iterable[Item], window: int, **search: Any) -> Iterable[Prediction]:
        """The same for items that come one by one, a window at a time, so that a stream may be endless."""
        settings, source = self.settings(**search), iter(items)
        while chunk := list(islice(source, window)):
            with self.autocast():
                found = predict(self.task, chunk, settings)
            yield from found

    def evaluate(self, items: Sequence[Item], references: Sequence[Sequence[str]], **search: Any) -> Evaluation:
        """Search an output for each item and compare it with its references."""
        with self.autocast():
            return evaluate(self.task, items, references, self.settings(**search))

    def score(self, items: Sequence[Item], **search: Any) -> list[Scored]:
        """Log-probability and score of given pairs: the numbers search reports for them."""
        with self.autocast():
            return score_pairs(self.task, items, self.settings(**search))


def load(
    folder: str | Path, *, device: str = "auto", precision: Precision = "float32", trust: Collection[str] = ()
) -> Predictor:
    """Load a model folder, a step's folder in it, or a flat exported folder.

    Args:
        folder: Where it is.
        device: `cpu`, `cuda`, `mps` or `auto`.
        precision: Of the forward passes.
        trust: Modules that parts from outside anyseq may come from.

    Raises:
        ModelFolderError: it is no model folder, is of another format, or is incomplete.
    """
    where = resolve_device(device)
    cast = autocast(precision, where)
    home, _ = home_and_about(Path(folder))
    task = load_resolved(home, trust=trust).build()
    task.load_codecs(home / "codecs")
    task.build_model()
    refuse_recurrent(precision, task.model)
    load_weights(task, Path(folder))
    task.model.to(where).eval()
    return Predictor(task, cast)


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


def info(folder: str | Path, *, trust: Collection[str] = ()) -> dict[str, Any]:
    """What a model folder (or a step's folder in it) holds: recipe, size, where training stands, figures."""
    predictor = load(folder, device="cpu", trust=trust)
    folder, about = home_and_about(Path(folder))
    weights = named_weights(predictor.task.model)
    last = Checkpoints(folder, keep=1).named("last")
    facts: dict[str, Any] = {
        "description": predictor.task.config.description,
        **about,
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
