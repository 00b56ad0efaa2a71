"""Tokens a second of learning from reward, counted as drawn, against those of likelihood, counted in targets.

    python benchmarks/reward_speed.py [--samples 5] [--recipe translate/attention] [--seconds 30]

Of one model (the recipe's, on the embedded phrases, fresh weights) and its objectives in turns, in one run, on one
thread. Fresh weights draw long outputs, so the budget of an output is the mean target's length.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch

from anyseq.config import load_recipe
from anyseq.core import Batch
from anyseq.metrics.surface import BleuConfig
from anyseq.tasks.rewards import TaskRollouts
from anyseq.training.gradients import backward
from anyseq.training.loop import noise_of
from anyseq.training.objectives.cross_entropy import CrossEntropyConfig
from anyseq.training.objectives.minimum_risk import MinimumRiskConfig
from anyseq.training.objectives.reinforce import ReinforceConfig, SelfCriticalConfig
from anyseq.training.rollouts import Drawn


class Counting(TaskRollouts):
    """Counts the tokens it draws."""

    tokens = 0

    def draw(self, *given: Any, **named: Any) -> Drawn:
        drawn = super().draw(*given, **named)
        self.tokens += int(drawn.values.valid.sum())
        return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="translate/attention")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each objective")
    given = parser.parse_args()
    torch.set_num_threads(1)
    task = load_recipe(given.recipe, {"search.max_length": 16}).build()
    splits = task.read()
    task.fit_codecs(splits.train)
    torch.manual_seed(1)
    task.build_model()
    task.model.train()
    rollouts = Counting(task, BleuConfig().build())
    metric = {"reward": BleuConfig(), "likelihood": 0.0, "samples": given.samples}
    objectives = {
        "likelihood": CrossEntropyConfig().build(),
        "reinforce, shared": ReinforceConfig(**metric).build(rollouts),
        "self-critical": SelfCriticalConfig(**metric).build(rollouts),
        "minimum risk": MinimumRiskConfig(**metric).build(rollouts),
    }
    parameters = list(task.model.parameters())
    items = splits.train[:128]
    batch: Batch = task.batch(items, [task.encode(item) for item in items])

    def rate(name: str) -> float:
        objective: Callable[..., Any] = objectives[name]
        tokens, began, step = 0, time.perf_counter(), 0
        rollouts.tokens = 0
        while time.perf_counter() - began < given.seconds / 3:
            backward([objective(task.model, batch, noise_of(batch, 1, step))], parameters, 1)
            task.model.zero_grad()
            step += 1
            tokens += int(batch.target.valid.sum())
        spent = time.perf_counter() - began
        return (rollouts.tokens or tokens) / spent

    rates = {name: [rate(name) for _ in range(3)] for name in objectives}
    base = max(rates["likelihood"])
    for name, found in rates.items():
        print(f"{name:<20}{max(found):>10,.0f} tokens/s  {max(found) / base:.2f} of likelihood")


if __name__ == "__main__":
    main()
