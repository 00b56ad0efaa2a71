"""A trained model put to use."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from anyseq.api.folders import home_and_about
from anyseq.api.weights import load_weights
from anyseq.config import load_resolved
from anyseq.core import Item
from anyseq.errors import ConfigError, Fault
from anyseq.metrics.bootstrap import Comparison, paired_bootstrap
from anyseq.search.settings import SearchConfig
from anyseq.tasks.base import Task
from anyseq.tasks.decoding import Prediction, Scored, predict, score_pairs
from anyseq.tasks.devices import Autocast, Precision, autocast, refuse_recurrent, resolve_device, use_threads
from anyseq.tasks.evaluation import Evaluation, evaluate


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
        """
        try:
            return SearchConfig(**{**dict(self.task.config.search), **search})
        except ValidationError as wrong:
            faults = [
                Fault(".".join(map(str, ("search", *each["loc"]))), each["msg"].removeprefix("Value error, "))
                for each in wrong.errors()
            ]
            raise ConfigError(faults) from None

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
    folder: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    precision: Precision = "float32",
    trust: Collection[str] = (),
) -> Predictor:
    """Load a model folder, a step's folder in it, or a flat exported folder.

    Args:
        folder: Where it is.
        device: `cpu`, `cuda`, `mps` or `auto`.
        threads: Processor threads.
        precision: Of the forward passes.
        trust: Modules that parts from outside anyseq may come from.

    Raises:
        ModelFolderError: it is no model folder, is of another format, or is incomplete.
    """
    use_threads(threads)
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


def compare(base: Evaluation, other: Evaluation, task: Task, seed: int = 0) -> list[Comparison]:
    """Paired bootstrap of two systems on the same items, by every metric of the task."""
    outputs = [[prediction.output for prediction in each.predictions] for each in (base, other)]
    return [paired_bootstrap(metric, outputs[0], outputs[1], base.references, seed=seed) for metric in task.metrics]
