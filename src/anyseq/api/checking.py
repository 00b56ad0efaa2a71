"""What is wrong with a recipe's data, and what training will cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from anyseq.config import load_recipe
from anyseq.data.check import Finding, by_severity, examine, unknown
from anyseq.errors import UsageError
from anyseq.tasks.devices import resolve_device, use_threads
from anyseq.tasks.estimate import Estimate, estimate


@dataclass(frozen=True)
class CheckReport:
    """What `check` found.

    Attributes:
        findings: Faults of the data, worst first.
        notes: How the splits came to be.
        estimate: What training will cost; None where the data cannot be trained on.
    """

    findings: Sequence[Finding]
    notes: Sequence[str]
    estimate: Estimate | None

    @property
    def usable(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)


def check(
    recipe: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    overrides: Sequence[str] | Mapping[str, Any] = (),
) -> CheckReport:
    """Read the data as training would, look for faults, and measure a few updates to say what training will cost.

    Nothing is written.
    """
    config = load_recipe(recipe, overrides)
    use_threads(threads)
    where = resolve_device(device)
    task = config.build()
    splits, test = task.read(), task.read_test() or []
    findings = examine(splits.train, splits.dev, test)
    task.fit_codecs(splits.train)
    for name, items in (("dev", splits.dev), ("test", test)):
        for side, codec in task.codecs.items():
            findings += unknown(name, side, codec, items)
    try:
        task.refuse(config.search)
        splits = task.select(splits)
    except UsageError as error:
        return CheckReport(by_severity([*findings, Finding("error", str(error))]), splits.notes, None)
    torch.manual_seed(config.training.seed)
    task.build_model()
    notes = [*splits.notes, *task.initialise()]
    task.model.to(where)
    return CheckReport(by_severity(findings), notes, estimate(task, splits, test))
