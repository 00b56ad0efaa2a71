"""Where to compute, and how precisely."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import nn

from anyseq.core.launch import launch
from anyseq.errors import UsageError
from anyseq.nn.cells import Cell

Precision = Literal["float32", "bf16", "int8"]
"""Of the forward passes; int8 is that of the weights of a trained model in use."""
Autocast = Callable[[], AbstractContextManager[Any]]
"""Gives the context of a forward pass."""


def resolve_device(name: str) -> torch.device:
    """`auto` is a GPU where there is one; of several processes on a machine each has its own.

    Raises:
        UsageError: the device is not there.
    """
    launched = launch()
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    there["mps"] &= not launched.several  # torch has no exchange between such
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if there[kind])
    if name not in there:
        raise UsageError(f"--device {name}: choose one of auto, {', '.join(there)}")
    if not there[name]:
        raise UsageError(f"--device {name}: there is none on this machine; use auto or cpu")
    if name == "cuda" and launched.several:
        return _own_gpu(launched.local_rank)
    return torch.device(name)


def _own_gpu(number: int) -> torch.device:
    """Of one of several processes on a machine."""
    there = torch.cuda.device_count()
    if number >= there:
        raise UsageError(
            f"process {number} (from 0) of this machine has no GPU of its own, there are {there}: torchrun "
            f"--nproc-per-node {there}, or --device cpu"
        )
    return torch.device("cuda", number)


def autocast(precision: Precision, device: torch.device) -> Autocast:
    """The context of the forward pass.

    Raises:
        UsageError: the hardware has no such arithmetic, or it is none to train in.
    """
    if precision == "int8":
        raise UsageError("--precision int8: weights of eight bits are for use, not for training; use float32 or bf16")
    if precision == "float32":
        return nullcontext
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)  # emulated, it is slower than float32
    else:
        able = torch.cpu._is_avx512_bf16_supported()
    if not able:
        raise UsageError("--precision bf16: this processor has no bf16 arithmetic and would be slower; use float32")
    return lambda: torch.autocast(device.type, torch.bfloat16)


def refuse_recurrent(precision: Precision, model: nn.Module) -> None:
    """Refuse lower precision for a model with a recurrence, whose kernels take inputs, state and weights of one type.

    Raises:
        UsageError: so it is.
    """
    if precision == "bf16" and any(isinstance(module, Cell) for module in model.modules()):
        raise UsageError(f"--precision {precision}: recurrent models compute in float32 only; use float32")


def refuse_without_compiler(device: torch.device) -> None:
    """Refuse `training.compile` where what it writes cannot be compiled.

    Raises:
        UsageError: there is no C++ compiler, which a processor's code needs.
    """
    if device.type == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))):
        raise UsageError("training.compile: there is no C++ compiler (g++); install one, or set training.compile=false")


def use_threads(threads: int | None) -> None:
    """Compute with so many processor threads; None leaves it as it is."""
    if threads is not None:
        torch.set_num_threads(threads)
