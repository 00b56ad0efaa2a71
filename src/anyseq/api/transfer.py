"""Starting from another model: its codecs are taken over, its weights must fit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from anyseq.api.folders import home_and_about
from anyseq.config import plain, read_section, read_tree
from anyseq.config.differences import MOST, differences, told
from anyseq.errors import ConfigError, ModelFolderError, UsageError
from anyseq.tasks.base import Task, TaskConfig
from anyseq.training.checkpoint import WEIGHTS, load_into, read_weights, weights_folder

CODEC = "codec"
"""The section of every task that says what its codecs are."""


def with_codecs_of(folder: Path, config: TaskConfig, trust: Collection[str] = ()) -> tuple[TaskConfig, list[str]]:
    """Give a recipe the codecs of a model.

    Args:
        folder: The model.
        config: The recipe.
        trust: Modules that the model's codecs may come from; those the recipe names itself are trusted.

    Returns:
        The recipe, and a note on what it said of codecs that is not used.

    Raises:
        ConfigError: the model's codecs are not for this task, or come from a module that is not trusted.
    """
    if CODEC not in type(config).model_fields:
        return config, []
    home, _ = home_and_about(folder)
    here = plain(config)
    taken = read_section(home, type(config), CODEC, trust=[*trust, *_modules(here)])
    config = config.model_copy(update={CODEC: taken})
    found = list(differences({CODEC: plain(config)[CODEC]}, {CODEC: here[CODEC]}))
    notes = [f"the codecs of {folder} are taken over, not those of the recipe: {told(found)}"] if found else []
    return config, notes


def _modules(tree: Any) -> Iterator[str]:
    """The modules of parts from outside that a plain configuration names."""
    if isinstance(tree, Mapping):
        kind = tree.get("kind")
        if isinstance(kind, str) and ":" in kind:
            yield kind.partition(":")[0]
        tree = list(tree.values())
    if isinstance(tree, list):
        for each in tree:
            yield from _modules(each)


def build_from(folder: Path, task: Task) -> list[str]:
    """Make the task's model with the weights of another; the task has the codecs of that already.

    Returns:
        A note on settings of the model that differ, though the weights fit.

    Raises:
        ModelFolderError: the other's weights cannot be read.
        UsageError: they are of another shape.
    """
    home, _ = home_and_about(folder)
    origin = weights_folder(folder)
    weights = read_weights(origin / WEIGHTS)
    found = list(differences({"model": read_tree(home).get("model")}, {"model": plain(task.config).get("model")}))
    try:
        task.build_model()
        load_into(task.model, weights, origin)
    except (ConfigError, ModelFolderError) as error:
        if not found:
            raise
        as_there = f"set as there {' '.join(each.override for each in found)}, " if len(found) <= MOST else ""
        raise UsageError(
            f"the weights of {folder} do not fit this recipe: {told(found)}. To start from them, {as_there}"
            f"or take that model's own recipe (anyseq train {home / 'config.yaml'} --from {folder} ...); "
            "to train such a model anew, leave out --from"
        ) from error
    return [f"the weights of {folder} fit, though {told(found)}; the recipe's settings are used"] if found else []
