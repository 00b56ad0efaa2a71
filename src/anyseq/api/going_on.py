"""Going on with a run: what of its recipe may change, and when it ends then."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from anyseq.config import dump, plain
from anyseq.config.differences import MOST, Difference, differences
from anyseq.config.writer import flow
from anyseq.data.corpora import corpora
from anyseq.errors import Interrupted, ModelFolderError, UsageError
from anyseq.tasks.settings import TaskConfig
from anyseq.training.checkpoint import RECIPE, Checkpoints

MAY_CHANGE = (
    *(f"training.{key}" for key in ("max_steps", "max_minutes", "patience", "min_learning_rate", "validate_every")),
    *("training.keep_checkpoints", "training.save_minutes", "training.tensorboard"),
    *("data.generator.workers", "data.generator.wait_minutes", "search.", "data.train", "data.dev", "data.test"),
)
"""What a run may go on with in another way: when it ends, how it is kept, how it is used, where the same data are."""


def refuse_other_changes(there: TaskConfig, here: TaskConfig) -> None:
    """Refuse overrides that make another recipe than the run had.

    Raises:
        UsageError: with every such key, its old and its new value.
    """
    if other := _other(_tree(dump(there)), _tree(dump(here))):
        raise UsageError(
            f"a resumed run keeps its recipe: {other} cannot change; what may: {', '.join(MAY_CHANGE)}* "
            "(to train on with other values: anyseq train RECIPE --from FOLDER)"
        )
    before, now = _weights(there), _weights(here)
    if before and now and before != now:
        raise UsageError(
            f"a resumed run keeps its recipe: the weights of the corpora of data.train ({flow(before)} -> {flow(now)}) "
            "cannot change (to train on with other ones: anyseq train RECIPE --from FOLDER)"
        )


def _weights(config: TaskConfig) -> list[float]:
    """Of the corpora that `data.train` names; none where it names none, or another kind of data."""
    train = plain(config).get("data", {}).get("train")
    return [] if train is None else [corpus.weight for corpus in corpora(train)]


def refuse_edited(checkpoints: Checkpoints, step: int, config: TaskConfig) -> None:
    """Refuse a `config.yaml` that is not what the checkpoint was trained by.

    Raises:
        ModelFolderError: with every such key, its old and its new value.
    """
    file = checkpoints.step_folder(step) / RECIPE
    if not file.exists():  # an older version wrote none
        return
    if other := _other(_tree(file.read_text(encoding="utf-8")), _tree(dump(config))):
        raise ModelFolderError(
            f"{checkpoints.folder / 'config.yaml'} was changed after step {step} was trained by it: {other}; put back "
            "what it was (to train on with other values: anyseq train RECIPE --from FOLDER)"
        )


def _tree(text: str) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load(text)
    return tree


def _other(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The changes that are not allowed; empty: there are none."""
    found = [each for each in differences(there, here) if not each.key.startswith(MAY_CHANGE)]
    more = f" and {len(found) - MOST} more" if len(found) > MOST else ""
    return ", ".join(map(_told, found[:MOST])) + more


def _told(each: Difference) -> str:
    return f"{each.key} ({flow(each.there)} -> {flow(each.here)})"


def judged(folder: Path) -> int | None:
    """The last step of a run when it had ended and was judged; None: it has not come to that."""
    try:
        found: int | None = json.loads((folder / "results.json").read_text(encoding="utf-8"))["step"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found


def ending_at(overrides: Sequence[str] | Mapping[str, Any], step: int) -> Sequence[str] | Mapping[str, Any]:
    """This step alone is the end, whatever else the recipe says of it."""
    others = ("max_minutes", "patience", "min_learning_rate")
    end = {"training.max_steps": step, **{f"training.{key}": None for key in others}}
    if isinstance(overrides, Mapping):
        return {**overrides, **end}
    return [*overrides, *(f"{key}={'null' if value is None else value}" for key, value in end.items())]


@contextmanager
def ended_and_saved(folder: Path) -> Iterator[None]:
    """Training has ended, and all of it is saved: a signal stops at once what comes after it.

    Raises:
        Interrupted: it came.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise Interrupted(
            f"stopped by {signal.Signals(number).name} after the end of training, everything saved; to judge the best "
            f"checkpoint: anyseq train --resume {folder}",
            number,
        )

    before: dict[int, Any] = {}
    try:
        for each in (signal.SIGINT, signal.SIGTERM):
            before[each] = signal.signal(each, stop)
    except ValueError:  # only the main thread may listen
        pass
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
