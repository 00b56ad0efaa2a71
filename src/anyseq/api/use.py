"""A trained model put to use."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float

from anyseq.api.folders import home_and_about
from anyseq.api.weights import load_weights
from anyseq.config import change, load_resolved
from anyseq.core import Item
from anyseq.errors import UsageError
from anyseq.metrics.bootstrap import Comparison, paired_bootstrap
from anyseq.nn.int8 import use_int8
from anyseq.tasks.alignment import refuse_without_attention
from anyseq.tasks.base import Task
from anyseq.tasks.choosing import DecodingConfig
from anyseq.tasks.decoding import Prediction, Scored, predict, score_pairs
from anyseq.tasks.devices import Autocast, Precision, autocast, refuse_recurrent, resolve_device, use_threads
from anyseq.tasks.embedding import embed
from anyseq.tasks.ensemble import ensemble
from anyseq.tasks.evaluation import Evaluation, evaluate
from anyseq.tasks.reranking import Reranking

if TYPE_CHECKING:
    from anyseq.tasks.spot.listener import Listener


class Predictor:
    """A trained model, or several as one, ready for use.

    Args:
        task: With codecs and weights.
        autocast: Lower precision for the forward passes, or nothing.
        reranking: Other models that help to choose among the hypotheses, or nobody.
    """

    def __init__(self, task: Task, autocast: Autocast = nullcontext, reranking: Reranking | None = None) -> None:
        self.task, self.autocast, self.reranking = task, autocast, reranking

    def settings(self, **search: Any) -> DecodingConfig:
        """The model's search settings with some exchanged, checked together.

        Raises:
            ConfigError: a name or a value is wrong, or two contradict each other; all of it at once.
            UsageError: other models are to choose, and there is nothing to choose from, or something else chooses; or
                the model's codecs cannot follow a setting (a prefix with characters they do not know).
        """
        settings = change(self.task.config.search, "search", search)
        if self.reranking is not None and settings.chooses:
            own = "mbr to null" if settings.mbr is not None else "shortest to false"
            raise UsageError(f"either other models choose among the hypotheses, or this search does: set {own}")
        if self.reranking is not None and settings.width < 2:
            raise UsageError(
                f"other models choose among several hypotheses: set samples or beam_size to 2 or more, "
                f"not {settings.width}"
            )
        if settings.threshold is not None and not self.task.hears:
            raise UsageError("search.threshold is for a model that listens: leave it out")
        self.task.refuse_search(settings)
        return settings

    def several(self, settings: DecodingConfig) -> bool:
        """Whether more than one hypothesis is returned for an item."""
        chosen = self.reranking is not None or settings.chooses
        return (settings.n_best if chosen else settings.returned) > 1

    def predict(self, raws: str | Iterable[Any], *, alignments: bool = False, **search: Any) -> list[Prediction]:
        """The best output for each raw source, in order.

        Args:
            raws: The sources: texts, or what else the model's use reads (arrays, names of files, DataFrames).
            alignments: Whether to align each output with its source (`prediction.alignment`).
            search: Search settings by name: `beam_size=1`, `mbr="chrf"`.
        """
        items = self.task.sources(raws)
        return list(self.predict_items(items, max(1, len(items)), alignments=alignments, **search))

    def predict_items(
        self, items: Iterable[Item], window: int, *, alignments: bool = False, **search: Any
    ) -> Iterable[Prediction]:
        """The same for items that come one by one, a window at a time, so that a stream may be endless."""
        settings, source = self.settings(**search), iter(items)
        while chunk := list(islice(source, window)):
            with self.autocast():
                found = predict(self.task, chunk, settings, chooser=self.reranking, alignments=alignments)
            yield from found

    def listener(self, **search: Any) -> Listener:
        """What hears a stream: `listener.feed(samples)` gives detections, as samples come.

        Raises:
            UsageError: the model does not listen.
        """
        return self.task.listener(self.settings(**search))

    def refuse_without_attention(self) -> None:
        """Refuse alignments that this model cannot give.

        Raises:
            UsageError: its decoder does not attend.
        """
        refuse_without_attention(self.task)

    def evaluate(self, items: Sequence[Item], references: Sequence[Sequence[str]], **search: Any) -> Evaluation:
        """Search an output for each item and compare it with its references."""
        with self.autocast():
            return evaluate(self.task, items, references, self.settings(**search), chooser=self.reranking)

    def embed(self, raws: str | Iterable[Any]) -> Float[np.ndarray, "item dim"]:
        """What the fold makes of each source: one vector (`memory.summary`).

        Args:
            raws: The sources; an empty one is a row of zeros.

        Raises:
            UsageError: the model folds nothing: it has no source.
        """
        with self.autocast():
            return embed(self.task, self.task.sources(raws))

    def score(self, items: Sequence[Item], **search: Any) -> list[Scored]:
        """Log-probability and score of given pairs: the numbers search reports for them."""
        with self.autocast():
            return score_pairs(self.task, items, change(self.task.config.search, "search", search))


def load(
    folder: str | Path | Sequence[str | Path],
    *,
    device: str = "auto",
    threads: int | None = None,
    precision: Precision = "float32",
    trust: Collection[str] = (),
    rerank_with: str | Path | Sequence[str | Path] = (),
    rerank_weight: float = 0.5,
    rerank_backwards: bool = False,
) -> Predictor:
    """Load a model folder, a step's folder in it, or a flat exported folder; or several as an ensemble.

    Args:
        folder: Where it is. Of several the probabilities are averaged at every step; their target symbols must be the
            same, search settings and metrics are the first's.
        device: `cpu`, `cuda`, `mps` or `auto`.
        threads: Processor threads.
        precision: Of the forward passes; `int8` rounds the weights of linear maps and embeddings.
        trust: Modules that parts from outside anyseq may come from.
        rerank_with: Models whose score of each hypothesis counts, too, when one is chosen; their codecs may be others.
        rerank_weight: The share of their mean score, in [0, 1]; the rest is the model's own.
        rerank_backwards: They go from target to source, and score that (a noisy channel).

    Raises:
        ModelFolderError: it is no model folder, is of another format, or is incomplete.
        UsageError: several models cannot work together, or a number is out of its range.
    """
    use_threads(threads)
    where = resolve_device(device)
    cast: Autocast = nullcontext if precision == "int8" else autocast(precision, where)
    members, others = _several(folder), _several(rerank_with)
    if not members:
        raise UsageError("no model is given: name one folder or more")
    tasks = [_load(Path(each), where, precision, trust) for each in (*members, *others)]
    reranking = Reranking(tasks[len(members) :], rerank_weight, rerank_backwards) if others else None
    own = tasks[: len(members)]
    return Predictor(ensemble(own, list(map(str, members))) if len(own) > 1 else own[0], cast, reranking)


def _several(folders: str | Path | Sequence[str | Path]) -> Sequence[str | Path]:
    return [folders] if isinstance(folders, (str, Path)) else list(folders)


def _load(folder: Path, where: torch.device, precision: Precision, trust: Collection[str]) -> Task:
    home, _ = home_and_about(folder)
    task = load_resolved(home, trust=trust, to_train=False).build()
    task.load_codecs(home / "codecs")
    task.load_settled(home / "codecs")
    task.build_model()
    refuse_recurrent(precision, task.model)
    load_weights(task, folder)
    task.model.to(where).eval()
    if precision == "int8":
        use_int8(task.model)
    return task


def compare(base: Evaluation, other: Evaluation, task: Task, seed: int = 0) -> list[Comparison]:
    """Paired bootstrap of two systems on the same items, by every metric of the task."""
    outputs = [[prediction.output for prediction in each.predictions] for each in (base, other)]
    return [paired_bootstrap(metric, outputs[0], outputs[1], base.references, seed=seed) for metric in task.metrics]
