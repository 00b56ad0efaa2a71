"""AdamW, and how its state is written and read without pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from anyseq.training.settings import TrainingConfig


def build_optimiser(parameters: Sequence[nn.Parameter], settings: TrainingConfig) -> torch.optim.AdamW:
    """AdamW, fused; weight decay falls on matrices only, not on biases, norms and start vectors.

    Source:
        Loshchilov and Hutter 2019, arXiv:1711.05101.
    """
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=settings.learning_rate,
        betas=settings.adam_betas,
        eps=1e-9,
        fused=True,
    )


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Its state by the number of the parameter and the name of the quantity."""
    state = optimiser.state_dict()["state"]
    return {f"{number}.{name}": tensor for number, part in state.items() for name, tensor in part.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` gave."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
