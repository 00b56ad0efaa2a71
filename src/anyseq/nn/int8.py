"""Weights of eight bits, for use after training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Int8
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from anyseq.errors import UsageError

SMALLEST = 4096
"""Numbers of a matrix from which eight bits pay; smaller ones stay as they are."""

FEWEST_ROWS = 8
"""With fewer, oneDNN takes up to a hundred times as long for some widths, so that x is padded to as many."""


_MIDDLE = 128
"""0 as an unsigned byte: processors multiply unsigned bytes by signed ones, and those without tiles no others."""


class Int8Weight(Tensor):
    """A matrix of eight-bit integers and one float a row, in the place of a float32 matrix.

    `F.linear` multiplies in integers: each row of x is rounded to 127 steps of its own largest number, so that an
    output does not depend on what else is in the batch. `F.embedding` reads rows. Whatever else wants the matrix gets
    floats, made anew each time.

    Args:
        weight: The float32 matrix. Row i is rounded to multiples of max|row i| / 127.

    Source:
        Rounding by rows of x and W: Bhandare et al. 2019, arXiv:1906.00532; CTranslate2 does the same.
    """

    rows: Int8[Tensor, "row dim"]
    scale: Float[Tensor, " row"]

    @staticmethod
    def __new__(cls, weight: Float[Tensor, "row dim"]) -> Int8Weight:
        """A tensor that says to be `weight`, and holds less."""
        return Tensor._make_wrapper_subclass(cls, weight.shape, dtype=weight.dtype, device=weight.device)

    def __init__(self, weight: Float[Tensor, "row dim"]) -> None:
        self.rows, step = _rounded(weight.detach())
        self.scale = step[:, 0]
        self.zeros = torch.zeros(len(self.scale), dtype=torch.int64)
        self.packed: Tensor | None = None

    def floats(self) -> Float[Tensor, "row dim"]:
        """The matrix that the integers stand for."""
        return self.rows * self.scale[:, None]

    def linear(self, x: Float[Tensor, "*batch dim"], bias: Float[Tensor, " row"] | None) -> Float[Tensor, "*batch row"]:
        """x Wᵀ + b, with x and W in integers."""
        if self.packed is None:
            self.packed = torch.ops.onednn.qlinear_prepack(self.rows, None)
        flat = x.reshape(-1, x.shape[-1])
        lacking = FEWEST_ROWS - len(flat) if len(flat) else 0
        integers, step = _rounded(F.pad(flat, (0, 0, 0, lacking)) if lacking > 0 else flat)
        unsigned = (integers.to(torch.int16) + _MIDDLE).to(torch.uint8)
        y = torch.ops.onednn.qlinear_pointwise(
            unsigned, 1.0, _MIDDLE, self.packed, self.scale, self.zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        y, step = y[: len(flat)], step[: len(flat)]
        y = y.mul_(step) if bias is None else torch.addcmul(bias, y, step, out=y)
        return y.view(*x.shape[:-1], y.shape[-1])

    def embed(self, symbols: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch dim"]:
        """Rows of the matrix."""
        return self.rows[symbols] * self.scale[symbols][..., None]

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Products and reads in integers."""
        kwargs = kwargs or {}
        if func is F.linear and isinstance(args[1], cls) and not isinstance(args[0], cls):
            return args[1].linear(args[0], *(args[2:] or (kwargs.get("bias"),)))
        if func is F.embedding and isinstance(args[1], cls):
            return args[1].embed(args[0])
        return torch._C._disabled_torch_function_impl(func, types, args, kwargs)

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """The rest in floats."""
        args, kwargs = tree_map_only(cls, cls.floats, (args, kwargs or {}))
        return func(*args, **kwargs)


def use_int8(model: nn.Module) -> None:
    """Put eight-bit integers in the place of the model's linear maps and embeddings; tied ones stay tied.

    Recurrent cells keep float32, which their fused kernels want, and so do matrices below `SMALLEST` numbers.

    Raises:
        UsageError: the model is not on the processor, or this build of torch has no kernels for it.
    """
    held: dict[int, Int8Weight] = {}
    for module in model.modules():
        if not isinstance(module, (nn.Linear, nn.Embedding)) or module.weight.numel() < SMALLEST:
            continue
        weight = module._parameters.pop("weight")
        assert weight is not None
        if weight.device.type != "cpu":
            raise UsageError(f"--precision int8: only on the processor, not on {weight.device}; add --device cpu")
        module.weight = held.setdefault(id(weight), Int8Weight(weight))
    if held:
        _refuse_without_kernels(next(iter(held.values())))


def _refuse_without_kernels(weight: Int8Weight) -> None:
    try:
        for rows in (1, 2):
            weight.linear(torch.zeros(rows, weight.shape[1]), None)
    except (RuntimeError, AttributeError) as error:
        raise UsageError(f"--precision int8: this torch has no such kernels here ({error}); use float32") from error


def _rounded(x: Float[Tensor, "row dim"]) -> tuple[Int8[Tensor, "row dim"], Float[Tensor, "row 1"]]:
    """Each row in steps of a 127th of its largest number, and the step."""
    step = x.abs().amax(1, keepdim=True).div_(127).clamp_(min=torch.finfo(x.dtype).tiny)
    return (x * step.reciprocal()).round_().to(torch.int8), step
