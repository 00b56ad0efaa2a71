"""What training and checking begin with: the data read and looked at, the codecs learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from anyseq.api.storing import read_stored
from anyseq.api.transfer import Start
from anyseq.core import Item
from anyseq.data.check import Finding, Severity, unknown
from anyseq.errors import DataError
from anyseq.tasks.base import Task
from anyseq.tasks.fitting import deciding_metric
from anyseq.tasks.settings import MILDER, AtFaults
from anyseq.tasks.splits import Splits

Tell = Callable[[str, Severity], None]
"""Is told what is found as soon as it is."""


@dataclass(frozen=True)
class Prepared:
    """The data of a run, as they were read.

    Attributes:
        task: With codecs.
        splits: Of which nothing was left out yet.
        test: None where the recipe has none.
        findings: What was found in them, and in the recipe, in the order it was found.
    """

    task: Task
    splits: Splits
    test: Sequence[Item] | None
    findings: Sequence[Finding]


def prepare(start: Start, tell: Tell, at_faults: AtFaults = "stop") -> Prepared:
    """Read the data, look for faults, learn the codecs.

    Args:
        start: The recipe, and where codecs come from.
        tell: Is told of each finding, and of how the splits came to be.
        at_faults: What to do about errors in the data; the recipe may be milder, but cannot allow what is fatal.

    Raises:
        ConfigError: `training.metric` names none.
        DataError: the data cannot be read; or hold errors, all of which it names before codecs are learnt.
    """
    task = start.config.build()
    deciding_metric(task)  # a wrong one is a slip of the recipe, told before anything is read
    refuses, at_faults = at_faults == "stop", max(at_faults, task.at_faults, key=MILDER.index)
    findings: list[Finding] = []

    def look(found: Iterator[Finding]) -> None:
        errors = []
        for finding in found if at_faults != "off" else ():
            findings.append(finding)
            if finding.severity == "error" and (at_faults == "stop" or (finding.fatal and refuses)):
                errors.append(finding)
            else:
                tell(str(finding), finding.severity)
        _refuse(errors)

    stored = read_stored(start, task, tell, look)
    splits, test = stored or task.read(), task.read_test()
    for note in splits.notes:
        tell(note, "note")
    if stored is None:
        look(_in_data(task, splits, test or ()))
        start.make_codecs(task, splits.train)
    look(_in_codecs(task, splits, test or (), start))
    return Prepared(task, splits, test, findings)


def _in_data(task: Task, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
    yield from (Finding("note", remark) for remark in task.config.training.remarks())
    yield from task.examine(splits, test)


def _in_codecs(task: Task, splits: Splits, test: Sequence[Item], start: Start) -> Iterator[Finding]:
    taken_over = start.folder is not None and start.reading is None
    whose = f"of {start.folder}" if taken_over else "learnt from train"
    for side, codec in task.codecs.items() if taken_over and not start.extend else ():
        for each in unknown("train", side, codec, splits.some, whose):
            if each.severity != "note":
                yield replace(each, message=f"{each.message} --extend-vocab adds what is new")
    for name, items in (("dev", splits.dev), ("test", test)):
        for side, codec in task.codecs.items():
            for each in unknown(name, side, codec, items, whose):
                copies = each.severity != "note" and task.copied_length is not None
                yield Finding("note", each.message.rpartition("; ")[0] + "; the model copies") if copies else each
        yield from _unreadable(task, name, items)


def _unreadable(task: Task, name: str, items: Sequence[Item]) -> Iterator[Finding]:
    """What of files the source's codec cannot read: better known before training than at its end."""
    for item in items if task.reads_files else ():
        try:
            task.encode_source(item)
        except DataError as fault:
            yield Finding("error", f"{name}: {fault}", (item.place,), fatal=True)


def _refuse(errors: Sequence[Finding]) -> None:
    if errors:
        head = "" if len(errors) == 1 else f"{len(errors)} errors in the data:\n  "
        listed = "\n  ".join(map(str, errors))
        fatal = any(error.fatal for error in errors)
        allowed = "to train on the data as they are: data.check=tell"
        remedy = "mend what cannot be read, or leave it out" if fatal else allowed
        raise DataError(f"{head}{listed}; {remedy}")
