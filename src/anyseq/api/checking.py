"""What is wrong with a recipe's data, and what training will cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from anyseq.api.preparing import Tell, prepare
from anyseq.api.transfer import Start
from anyseq.config import load_recipe
from anyseq.data.check import Finding, Severity, by_severity
from anyseq.errors import UsageError
from anyseq.tasks.devices import Precision, autocast, refuse_recurrent, resolve_device, use_threads
from anyseq.tasks.estimate import Estimate, estimate


@dataclass(frozen=True)
class CheckReport:
    """What `check` found.

    Attributes:
        findings: Faults of the data, and what is odd about the settings, worst first.
        notes: How the splits came to be.
        estimate: What training will cost; None where the data cannot be trained on.
        tolerated: Whether the recipe trains in spite of errors (`data.check`).
    """

    findings: Sequence[Finding]
    notes: Sequence[str]
    estimate: Estimate | None
    tolerated: bool = False

    @property
    def usable(self) -> bool:
        """Whether `train` would train: no finding is an error, or errors are tolerated."""
        errors = [finding for finding in self.findings if finding.severity == "error"]
        return self.estimate is not None and all(self.tolerated and not error.fatal for error in errors)


def check(
    recipe: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    precision: Precision = "float32",
    tell: Tell | None = None,
    overrides: Sequence[str] | Mapping[str, Any] = (),
) -> CheckReport:
    """Read the data as training would, look for faults, and measure a few updates to say what training will cost.

    Nothing is written.

    Args:
        recipe: A name of `anyseq recipes`, or a YAML file.
        device, threads, precision: As for `train`.
        tell: Is told of each finding as soon as it is found (its text, and `error`, `warning` or `note`), and when
            the measuring begins.
        overrides: `key=value` words, or a mapping of dotted keys.

    Raises:
        ConfigError: the recipe or an override is wrong.
        DataError: the data cannot be read.
        UsageError: device or precision cannot be had.
    """
    tell = tell or _silently
    config = load_recipe(recipe, overrides)
    use_threads(threads)
    where = resolve_device(device)
    cast = autocast(precision, where)
    data = prepare(Start(config), tell, "tell")
    task, findings, tolerated = data.task, list(data.findings), data.task.at_faults != "stop"
    if any(finding.fatal for finding in findings):
        return CheckReport(by_severity(findings), data.splits.notes, None, tolerated)
    try:
        task.refuse_search(config.search)
        splits = task.select(data.splits)
    except UsageError as error:
        findings.append(Finding("error", str(error)))
        tell(str(error), "error")
        return CheckReport(by_severity(findings), data.splits.notes, None, tolerated)
    for note in splits.notes[len(data.splits.notes) :]:
        tell(note, "note")
    torch.manual_seed(config.training.seed)
    task.build_model()
    for note in (started := task.initialise()):
        tell(note, "note")
    refuse_recurrent(precision, task.model)
    task.model.to(where)
    tell("measuring a few updates and outputs, to say what training will cost", "note")
    expected = estimate(task, splits, data.test or (), cast)
    for remark in config.training.remarks(expected.seconds_per_update):
        if all(finding.message != remark for finding in findings):
            findings.append(Finding("note", remark))
            tell(remark, "note")
    return CheckReport(by_severity(findings), [*splits.notes, *started], expected, tolerated)


def _silently(text: str, severity: Severity) -> None:
    """Say nothing."""
