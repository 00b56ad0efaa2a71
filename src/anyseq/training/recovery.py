"""From which checkpoint training goes on when not all of them are whole."""

from __future__ import annotations

from collections.abc import Callable

from anyseq.errors import ModelFolderError
from anyseq.training.checkpoint import STATE, WEIGHTS, Checkpoints, fault_of
from anyseq.training.digests import read_digests


def newest_whole(checkpoints: Checkpoints, tell: Callable[[str], None]) -> int:
    """The step to go on from: the last one, or the newest before it that is whole.

    Args:
        checkpoints: Of a run.
        tell: Is told what was passed over, and why.

    Raises:
        ModelFolderError: none is whole; with what is wrong with each.
    """
    faults, steps = [], checkpoints.steps()[::-1]
    try:
        last = checkpoints.named("last")
        if last is None:
            faults.append(f"{checkpoints.folder / 'last'}: no such file")
        else:
            steps = [last, *(step for step in steps if step < last)]
    except ModelFolderError as error:
        faults.append(str(error).partition(";")[0])
    for step in steps:
        fault = _fault(checkpoints, step)
        if fault is None:
            if faults:
                tell(f"{'; '.join(faults)}: going on from step {step}, the newest that is whole")
            return step
        faults.append(fault)
    remedy = "train anew with --overwrite, or copy the model folder again, whole"
    homes = [home for home in map(checkpoints.step_folder, steps) if fault_of(home / WEIGHTS, home) is None]
    if homes:
        remedy = f"the weights beside it can still predict, and train another run (--from {homes[0]}); else {remedy}"
    raise ModelFolderError(
        f"{checkpoints.folder} holds no checkpoint to go on from: {'; '.join(faults) or 'there is none'}; {remedy}"
    )


def _fault(checkpoints: Checkpoints, step: int) -> str | None:
    """What is not whole about a checkpoint: the first of it."""
    folder = checkpoints.step_folder(step)
    if not folder.is_dir():
        return f"{folder}: no such folder"
    known, fault = read_digests(folder)
    if fault is not None:
        return f"{folder}: {fault}"
    names = {WEIGHTS, *known, *(str(each.relative_to(folder)) for each in folder.rglob("*.safetensors"))}
    for name in sorted(names):
        if fault := fault_of(folder / name, folder):
            return f"{folder / name}: cannot go on from it ({fault})"
    try:
        checkpoints.read_state(step)
    except ModelFolderError as error:
        return str(error).partition("; the weights")[0]
    return None if (folder / STATE).exists() else f"{folder / STATE}: no such file"
