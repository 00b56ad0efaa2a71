"""Checkpoints: written whole under a temporary name, then renamed; a kill leaves the previous one whole."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from anyseq.core import Objective, ranks
from anyseq.errors import ModelFolderError
from anyseq.training.digests import changed, sealed, unsealed, write_digests
from anyseq.training.disk import told_if_unsaved

WEIGHTS = "weights.safetensors"
_CARRIED = "carried:"  # what an objective carries stands beside its weights in one file
STATE = Path("training", "state.json")
RECIPE = Path("training", "recipe.yaml")


def named_weights(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and persistent buffers by name; tied ones once, under their first name."""
    names = dict(module.named_parameters())
    kept = module.state_dict(keep_vars=True)
    return names | {name: buffer for name, buffer in module.named_buffers() if name in kept}


def objective_tensors(objective: Objective) -> dict[str, Tensor]:
    """Its weights by name, and what goes from update to update besides: of the rows of all ranks."""
    carried = objective.carried().items()
    return {**named_weights(objective), **{_CARRIED + name: ranks.undealt(each) for name, each in carried}}


def restore_objective(objective: Objective, tensors: Mapping[str, Tensor], origin: Path) -> None:
    """Put back what `objective_tensors` gave.

    Raises:
        ModelFolderError: the weights are those of another objective.
    """
    load_into(objective, {name: each for name, each in tensors.items() if not name.startswith(_CARRIED)}, origin)
    carried = {name.removeprefix(_CARRIED): each for name, each in tensors.items() if name.startswith(_CARRIED)}
    objective.carry_on({name: ranks.dealt(each) for name, each in carried.items()})


def write_weights(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Write named tensors."""
    save_file({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, file)


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read named tensors.

    Raises:
        ModelFolderError: the file is absent or damaged.
    """
    tensors, fault = _read(file, file.parent)
    if fault is None:
        return tensors
    others = [str(each.parent) for each in file.parent.parent.glob(f"step_*/{file.name}") if each != file]
    instead = f", or use another checkpoint of it: {', '.join(sorted(others))}" if others else ""
    raise ModelFolderError(f"{file}: {fault}; copy the model folder again, whole{instead}")


def fault_of(file: Path, folder: Path) -> str | None:
    """What is wrong with a file of a checkpoint, as far as can be told without reading tensors; None: nothing."""
    return _read(file, folder, names_only=True)[1]


def _read(file: Path, folder: Path, names_only: bool = False) -> tuple[dict[str, Tensor], str | None]:
    """Named tensors, or what is wrong with the file, also by the digests of the checkpoint it belongs to."""
    try:
        if fault := changed(file, folder):
            return {}, fault
        if names_only and file.suffix != ".safetensors":
            return {}, None
        with safe_open(file, framework="pt") as opened:
            if names_only:
                return {}, None
            return {name: opened.get_tensor(name) for name in opened.keys()}, None  # noqa: SIM118  it is no dict
    except FileNotFoundError:
        return {}, "no such file, the model folder is incomplete"
    except SafetensorError as error:
        return {}, f"damaged ({error})"
    except OSError as error:
        return {}, f"cannot be read ({error})"


def read_mapping(file: Path) -> tuple[dict[str, Any], str | None]:
    """A file of JSON that holds a mapping, or what is wrong with it."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, "no such file"
    except (OSError, ValueError) as error:
        return {}, str(error)
    return (found, None) if isinstance(found, dict) else ({}, f"a mapping is expected, not {found!r:.40}")


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], origin: Path) -> None:
    """Copy named tensors into a module built from the same configuration.

    Raises:
        ModelFolderError: a name is missing or unknown, or a shape differs.
    """
    own = named_weights(module)
    faults = [f"{name} is missing" for name in own.keys() - tensors.keys()]
    faults += [f"{name} is unknown" for name in tensors.keys() - own.keys()]
    faults += [
        f"{name} is {list(tensors[name].shape)}, not {list(weight.shape)}"
        for name, weight in own.items()
        if name in tensors and tensors[name].shape != weight.shape
    ]
    if faults:
        shown = "; ".join(sorted(faults)[:5]) + ("" if len(faults) <= 5 else f" and {len(faults) - 5} more")
        raise ModelFolderError(
            f"the weights in {origin} are not those of the model this recipe describes: {shown}; "
            "copy the model folder again, whole, with its config.yaml and codecs"
        )
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(tensors[name])


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """A folder to write into; it takes its name, which must be free, only when complete and on the disk."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        for file in sorted(draft.rglob("*"), reverse=True):
            _sync(file)
        _sync(draft)
        draft.rename(folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_atomically(file: Path, text: str) -> None:
    """Replace a file at once: a reader sees the old text or the new."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.draft")
    try:
        draft.write_text(text, encoding="utf-8")
        _sync(draft)
        draft.replace(file)
        _sync(file.parent)
    finally:
        draft.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Checkpoints:
    """The checkpoints of one model folder, and which is best and last.

    Args:
        folder: The model folder.
        keep: Of the newest so many are kept; the best is, too.

    Attributes:
        recipe: What each of them says it was trained by; empty: nothing.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep, self.recipe = folder, keep, ""

    def step_folder(self, step: int) -> Path:
        """Where the checkpoint of a step stands."""
        return self.folder / "checkpoints" / f"step_{step}"

    def save(
        self,
        step: int,
        weights: Mapping[str, Tensor],
        training: Mapping[str, Mapping[str, Tensor]],
        state: Mapping[str, Any],
    ) -> None:
        """Write a checkpoint and make it the last.

        The tensors of a step never change, so where its checkpoint is there already (written on a signal, say) only its
        `state` is written anew: at no moment is there none.

        Args:
            step: Updates so far.
            weights: What predicts.
            training: What training needs to go on, by file name.
            state: The rest of it, as JSON.

        Raises:
            NotSavedError: it could not be written; those before it are as they were.
        """
        size = sum(tensor.nbytes for tensors in (weights, *training.values()) for tensor in tensors.values())
        with told_if_unsaved(self.folder, f"the checkpoint of step {step}", size):
            self._save(self.step_folder(step), weights, training, json.dumps(sealed(state), indent=1))
            self.mark_last(step)

    def _save(
        self, folder: Path, weights: Mapping[str, Tensor], training: Mapping[str, Mapping[str, Tensor]], state: str
    ) -> None:
        if folder.exists():
            write_atomically(folder / STATE, state)
            return
        with written_whole(folder) as draft:
            (draft / "training").mkdir()
            (draft / STATE).write_text(state, encoding="utf-8")
            if self.recipe:
                (draft / RECIPE).write_text(self.recipe, encoding="utf-8")
            write_weights(weights, draft / WEIGHTS)
            for name, tensors in training.items():
                write_weights(tensors, draft / "training" / f"{name}.safetensors")
            write_digests(draft, but=frozenset({STATE}))

    def mark_last(self, step: int) -> None:
        """Name the checkpoint that training goes on from."""
        write_atomically(self.folder / "last", f"step_{step}\n")

    def mark_best(self, step: int) -> None:
        """Name the checkpoint that `predict` uses."""
        write_atomically(self.folder / "best", f"step_{step}\n")

    def forget_best(self) -> None:
        """Name none: `predict` uses the last."""
        (self.folder / "best").unlink(missing_ok=True)

    def prune(self, beginning: bool = False) -> None:
        """Remove all but the best, the newest that were judged, and the last.

        Args:
            beginning: Keep that of step 0, too, as it is kept while none was judged.
        """
        judged = self.judged()
        kept = {*judged[-self.keep :], self.named("best"), self.named("last")}
        kept |= {0} if beginning or not judged else set()
        for step in self.steps():
            if step not in kept:
                shutil.rmtree(self.step_folder(step))

    def cut_after(self, step: int) -> None:
        """Remove what a killed run left behind: checkpoints that never became the last, and drafts."""
        for later in self.steps():
            if later > step:
                shutil.rmtree(self.step_folder(later))
        for draft in (self.folder / "checkpoints").glob(".step_*.draft"):
            shutil.rmtree(draft)
        for draft in self.folder.glob(".*.draft"):
            draft.unlink()

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in order."""
        names = (path.name.removeprefix("step_") for path in (self.folder / "checkpoints").glob("step_*"))
        return sorted(int(name) for name in names if name.isdecimal())

    def judged(self) -> list[int]:
        """Those of them that a validation saw: not what was saved on the way, on a signal or at the beginning."""
        return [step for step in self.steps() if step and not self._on_the_way(step)]

    def _on_the_way(self, step: int) -> bool:
        state, _ = read_mapping(self.step_folder(step) / STATE)
        return state.get("validated", step) != step

    def named(self, name: str) -> int | None:
        """The step that `best` or `last` names, None where there is none.

        Raises:
            ModelFolderError: the file names none.
        """
        file = self.folder / name
        if not file.is_file():
            return None
        named = re.fullmatch(rb"step_([0-9]{1,18})\s*", file.read_bytes())
        if named is None:
            raise ModelFolderError(f"{file}: damaged; {self.how_to_name(name)}")
        return int(named[1])

    def how_to_name(self, name: str) -> str:
        """What a person can do where `best` or `last` names no checkpoint."""
        there = ", ".join(f"step_{step}" for step in self.steps())
        if not there:
            return "there is no checkpoint: train it anew with --overwrite, or copy the model folder again, whole"
        return f"write the name of a checkpoint into {self.folder / name} (there are: {there})"

    def read(self, step: int) -> dict[str, Tensor]:
        """The weights of a step."""
        return read_weights(self.step_folder(step) / WEIGHTS)

    def read_state(self, step: int) -> dict[str, Any]:
        """The `state` that `save` wrote.

        Raises:
            ModelFolderError: it is missing or damaged.
        """
        file = self.step_folder(step) / STATE
        state, fault = read_mapping(file)
        if fault is None:
            state, fault = unsealed(state)
        if fault is not None:
            raise self._cannot_go_on(step, file, fault)
        return state

    def read_training(self, step: int, names: Iterable[str]) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
        """What `save` wrote under `training/`.

        Args:
            step: Of the checkpoint.
            names: Of the files with tensors.

        Raises:
            ModelFolderError: it is incomplete or damaged.
        """
        training = {}
        for name in names:
            file = (self.step_folder(step) / STATE).with_name(f"{name}.safetensors")
            training[name], fault = _read(file, self.step_folder(step))
            if fault is not None:
                raise self._cannot_go_on(step, file, fault)
        return training, self.read_state(step)

    def _cannot_go_on(self, step: int, file: Path, fault: str) -> ModelFolderError:
        earlier = [f"step_{each}" for each in self.steps() if each < step]
        remedy = f"; to go on from an earlier one, write its name into {self.folder / 'last'} ({', '.join(earlier)})"
        return ModelFolderError(
            f"{file}: cannot go on from it ({fault}); the weights beside it can still predict, and train another run "
            f"(--from {self.folder}){remedy if earlier else ''}"
        )


def weights_folder(folder: Path) -> Path:
    """The folder that holds the weights: of a model folder its best checkpoint, else the last; or the folder itself.

    Raises:
        ModelFolderError: there are none.
    """
    checkpoints = Checkpoints(folder, keep=1)
    for name in ("best", "last"):
        step = checkpoints.named(name)
        if step == 0:
            raise ModelFolderError(
                f"{folder} has learnt nothing yet: its weights are those it began with; wait for the first validation, "
                f"or go on with: anyseq train --resume {folder}"
            )
        if step is not None:
            return checkpoints.step_folder(step)
    if (folder / WEIGHTS).exists():
        return folder
    remedy = checkpoints.how_to_name("best")
    raise ModelFolderError(f"{folder} does not say which weights are the best or the last; {remedy}")
