"""Model folders: what they hold, and which of it is a run's own."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from anyseq.config import load_resolved, read_about
from anyseq.errors import ModelFolderError, OutputExistsError, UsageError
from anyseq.tasks.base import Splits, Task
from anyseq.training.checkpoint import (
    Checkpoints,
    load_into,
    read_weights,
    weights_folder,
    write_weights,
    written_whole,
)

FORMAT = 1
"""Version of the model folder; what a reader does not know it refuses."""
OF_A_RUN = ("config.yaml", "codecs", "left_out.tsv", "metrics.jsonl", "checkpoints", "best", "last", "results.json")


def home_and_about(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The model folder that a folder is, or is a step of, and what it says about itself."""
    home = folder
    if not (folder / "config.yaml").exists() and folder.resolve().parent.name == "checkpoints":
        home = folder.resolve().parent.parent
    if not (home / "config.yaml").is_file():
        load_resolved(home)  # says that it is no model folder
    about = read_about(home)
    if about.get("format") != FORMAT:
        found = "says no format" if "format" not in about else f"is of format {about['format']}"
        raise ModelFolderError(f"{home / 'config.yaml'} {found}; this version of anyseq reads format {FORMAT}")
    return home, about


def load_weights(task: Task, folder: Path) -> None:
    """Put the best weights of a model folder (or those of a step's folder) into a task's model."""
    origin = weights_folder(folder)
    load_into(task.model, read_weights(origin / "weights.safetensors"), origin)


def fingerprint(splits: Splits) -> str:
    """A hash of what is trained on and chosen by."""
    digest = hashlib.sha256()
    for item in (*splits.train, *splits.dev):
        digest.update(repr(sorted(item.raw.items())).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


def default_folder(recipe: str | Path) -> Path:
    """Where a recipe's run goes unless told otherwise: `runs/` and the recipe's name."""
    name = str(recipe)
    return Path("runs") / (Path(name).stem if name.endswith((".yaml", ".yml")) else name)


def refuse_existing(folder: Path, overwrite: bool) -> None:
    """Refuse an output that is taken.

    Raises:
        OutputExistsError: it is a file, or holds a run and `overwrite` is off.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputExistsError(f"{folder} is a file; choose another --output")
    if not overwrite and any((folder / name).exists() for name in OF_A_RUN):
        raise OutputExistsError(
            f"{folder} already holds a run: go on with it (--resume {folder}), choose another --output, or --overwrite"
        )


def clear(folder: Path) -> None:
    """Remove a run, and nothing else that may be in the folder."""
    for name in OF_A_RUN:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def average(folder: str | Path, output: str | Path, last: int, *, trust: Collection[str] = ()) -> list[int]:
    """Write a model whose weights are the mean over the newest checkpoints of a run; returns their steps.

    Args:
        folder: The run.
        output: The model folder to make.
        last: How many of the newest checkpoints.
        trust: Modules that parts from outside anyseq may come from.

    Raises:
        UsageError: there are fewer than two checkpoints.
        OutputExistsError: the output exists.
    """
    folder, output = Path(folder), Path(output)
    home_and_about(folder)
    load_resolved(folder, trust=trust)
    if output.exists():
        raise OutputExistsError(f"{output} exists; choose another --output, or remove it")
    checkpoints = Checkpoints(folder, keep=1)
    steps = checkpoints.steps()[-last:]
    if len(steps) < 2:
        raise UsageError(
            f"{folder} keeps {len(steps)} checkpoint{'s'[len(steps) == 1 :]}, an average needs two or more: "
            "train with training.keep_checkpoints=5"
        )
    mean: dict[str, torch.Tensor] = {}
    for step in steps:
        for name, weight in checkpoints.read(step).items():
            mean[name] = mean.get(name, torch.zeros_like(weight)) + weight / len(steps)
    with written_whole(output) as draft:
        shutil.copy(folder / "config.yaml", draft / "config.yaml")
        shutil.copytree(folder / "codecs", draft / "codecs")
        write_weights(mean, draft / "weights.safetensors")
    return steps
