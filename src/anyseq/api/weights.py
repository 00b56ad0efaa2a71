"""The weights of model folders: read, and averaged."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

import torch

from anyseq.api.folders import home_and_about
from anyseq.config import dump, load_resolved
from anyseq.errors import OutputExistsError, UsageError
from anyseq.tasks.base import Task
from anyseq.tasks.devices import use_threads
from anyseq.training.checkpoint import (
    WEIGHTS,
    Checkpoints,
    load_into,
    read_weights,
    weights_folder,
    write_weights,
    written_whole,
)


def load_weights(task: Task, folder: Path) -> None:
    """Put the best weights of a model folder (or those of a step's folder) into a task's model."""
    origin = weights_folder(folder)
    load_into(task.model, read_weights(origin / WEIGHTS), origin)


def average(
    folder: str | Path, output: str | Path, last: int, *, threads: int | None = None, trust: Collection[str] = ()
) -> list[int]:
    """Write a model whose weights are the mean over the newest checkpoints of a run; returns their steps.

    Args:
        folder: The run.
        output: The model folder to make.
        last: How many of the newest checkpoints, 2 or more.
        threads: Processor threads.
        trust: Modules that parts from outside anyseq may come from.

    Raises:
        UsageError: there are fewer than two checkpoints, or fewer are asked for.
        OutputExistsError: the output exists.
    """
    if last < 2:
        raise UsageError(f"an average over last={last} checkpoints is none: 2 or more are needed")
    use_threads(threads)
    folder, output = Path(folder), Path(output)
    home, about = home_and_about(folder)
    if home != folder:
        raise UsageError(f"{folder} is one checkpoint; an average is made of several: give its run, {home}")
    config = load_resolved(folder, trust=trust)
    config.build().load_codecs(folder / "codecs")  # what would be copied is whole
    if output.exists():
        raise OutputExistsError(f"{output} exists; choose another --output, or remove it")
    checkpoints = Checkpoints(folder, keep=1)
    steps = checkpoints.judged()[-last:]
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
        (draft / "config.yaml").write_text(dump(config, {**about, "averaged_steps": steps}), encoding="utf-8")
        shutil.copytree(folder / "codecs", draft / "codecs")
        write_weights(mean, draft / WEIGHTS)
    return steps
