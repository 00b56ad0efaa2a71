"""Prepared data: made by `anyseq prepare`, or by a training whose files are large; and how a training reads them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyseq.api.folders import home_and_about
from anyseq.api.transfer import CODEC, Start
from anyseq.catalogue import kind_of
from anyseq.config import load_recipe, plain
from anyseq.config.differences import differences, told
from anyseq.core import Item
from anyseq.data.check import Finding, Severity
from anyseq.data.store.store import CODECS, INDEX, Index, Store
from anyseq.errors import DataError, OutputExistsError, UsageError
from anyseq.tasks.base import Task
from anyseq.tasks.lines import OfLines
from anyseq.tasks.splits import Splits
from anyseq.tasks.storing import (
    Tell,
    fingerprint,
    grouping_of,
    plan,
    sources_of,
    whole,
    write_store,
)

LARGE = 200_000_000
"""Bytes of files from which on `data.prepare=auto` prepares them: in memory they take some ten times as many."""

Look = Callable[[Iterator[Finding]], None]
"""Takes what is found in data, and refuses them where there are errors."""


@dataclass(frozen=True)
class PreparedData:
    """A folder of prepared data.

    Attributes:
        folder: Where it is.
        count: Items to train on.
        left_out: Items that are empty on a side or too long.
        held_out: Items kept for choosing and stopping.
        total: All that were read.
    """

    folder: Path
    count: int
    left_out: int
    held_out: int
    total: int


def prepare_data(
    recipe: str | Path,
    output: str | Path,
    *,
    overwrite: bool = False,
    workers: int | None = None,
    tell: Tell | None = None,
    overrides: Sequence[str] | Mapping[str, Any] = (),
) -> PreparedData:
    """Encode the training data of a recipe into a folder that `data.train` can name, and that is mapped, not read.

    What an interrupted call had finished is kept: the same call goes on.

    Args:
        recipe: A name of `anyseq recipes`, or a YAML file.
        output: The folder to make.
        overwrite: Replace prepared data that are there.
        workers: Processes; None: one a processor.
        tell: Is told how it goes, and what is odd in the data.
        overrides: `key=value` words, or a mapping of dotted keys; `data.train` among them.

    Raises:
        ConfigError: the recipe or an override is wrong.
        DataError: a file, or a line of it, cannot be used.
        OutputExistsError: the folder is taken.
        UsageError: the task's data cannot be prepared.
    """
    folder, tell, config = Path(output), tell or _silently, load_recipe(recipe, overrides)
    task = config.build()
    if not isinstance(task, OfLines) or not task.preparable:
        raise refuse_to_prepare(kind_of(type(config)))
    if task.config.data.train is None:
        raise DataError("there is nothing to prepare: give data.train, or data.train.source and data.train.target")
    _refuse_taken(folder, overwrite)
    sources = sources_of(task)
    if sources is None:
        raise refuse_python(task)
    store = _write(task, Start(config), sources, folder, tell, _looking(task, tell), workers, overwrite)
    index = store.about
    return PreparedData(folder, len(store), index.left_out, index.held_out, index.total)


def _refuse_taken(folder: Path, overwrite: bool) -> None:
    there = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if there and not (folder / INDEX).is_file():
        raise OutputExistsError(f"{folder} is there already and holds no prepared data; choose another --output")
    if there and not overwrite:
        changed = Index.read(folder).changed()
        raise OutputExistsError(
            f"{folder} already holds prepared data, and {changed[0]} has changed since: --overwrite prepares it anew"
            if changed
            else f"{folder} already holds prepared data: train on them (data.train={folder}), choose another --output, "
            "or --overwrite, where settings have changed"
        )


def _looking(task: OfLines, tell: Tell) -> Look:
    """As `data.check` says."""

    def look(found: Iterator[Finding]) -> None:
        errors = []
        for finding in found if task.at_faults != "off" else ():
            tell(str(finding), finding.severity)
            errors += [finding] if finding.severity == "error" and task.at_faults == "stop" else []
        if errors:
            raise DataError(f"{errors[0]}; what was prepared is kept: mend the data, or allow it with data.check=tell")

    return look


def _write(
    task: OfLines,
    start: Start,
    sources: Sequence[Any],
    folder: Path,
    tell: Tell,
    look: Look,
    workers: int | None,
    overwrite: bool = False,
) -> Store:
    """Prepare, after which the task has codecs."""
    planned = plan(task, sources, settings(task, start))
    given = None if task.config.data.dev is None else task.read_pairs(task.config.data.dev)  # a fault shows at once

    def examine(store: Store) -> None:
        some = store.sample
        if len(some) < len(store):
            tell(f"faults are looked for in {len(some):,} of {len(store):,} items, evenly spaced", "note")
        look(task.examine(Splits(some, store.held_out() if given is None else given), ()))

    count = workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def fit(items: Sequence[Item]) -> None:
        start.make_codecs(task, items)

    return write_store(task, planned, folder, fit, examine, tell, count, overwrite)


def settings(task: OfLines, start: Start) -> dict[str, Any]:
    """What of a recipe prepared data depend on."""
    config = plain(task.config)
    data = {name: config["data"][name] for name in task.config.preparable if name in config["data"]}
    held_out = {"held_out": task.config.data.held_out} if task.config.data.dev is None else {}
    taken = {} if start.folder is None else {"codecs": _digest(home_and_about(start.folder)[0] / CODECS)}
    return {"task": config.get("task", kind_of(type(task.config))), "data": {**data, **held_out},
            CODEC: config[CODEC], **taken, **task.also_encoded}  # fmt: skip


def _digest(folder: Path) -> str:
    """A hash of all files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:32]


def read_stored(start: Start, task: Task, tell: Tell, look: Look) -> Splits | None:
    """The data of a training that reads prepared ones, after which the task has codecs; None: it reads into memory.

    Where `data.train` names prepared data, these; where its files are large (or `data.prepare=always`), prepared data
    of these in the cache, made now if they are not there.

    Raises:
        DataError: prepared data are damaged, or were made of files or settings that are others now.
        UsageError: this task has none.
    """
    if not isinstance(task, OfLines):
        return None
    store = _stored(start, task, tell, look)
    return None if store is None else task.read_stored(store)


def _stored(start: Start, task: OfLines, tell: Tell, look: Look) -> Store | None:
    data = task.config.data
    if isinstance(data.train, str | Path) and _holds_prepared(data.train):
        if not task.preparable:
            raise refuse_to_prepare(kind_of(type(task.config)))
        return _opened(Path(data.train), task, start, tell, look)
    if data.prepare == "never" or data.train is None:
        return None
    if not task.preparable or start.reading is not None or start.extend:
        if data.prepare == "always":
            raise refuse_to_prepare(kind_of(type(task.config)), start.folder if task.preparable else None)
        return None
    sources = sources_of(task)
    if sources is None:
        if data.prepare == "always":
            raise refuse_python(task)
        return None
    size = sum(source.size for source in sources)
    if data.prepare == "auto" and size < LARGE:
        return None
    return _cached(task, start, sources, size, tell, look)


def _holds_prepared(name: str | Path) -> bool:
    try:
        return (Path(name) / INDEX).is_file()
    except (OSError, ValueError):  # no name: a text from Python
        return False


def _cached(
    task: OfLines, start: Start, sources: Sequence[Any], size: int, tell: Tell, look: Look
) -> Store:
    """Prepared data of the files in the cache; made (anew) where there are none, or damaged ones."""
    home, grouping, store = cache() / "prepared", grouping_of(task), None
    wanted = fingerprint(sources, grouping, settings(task, Start(start.config)))
    taken = None if start.folder is None else home_and_about(start.folder)[0] / CODECS
    if taken is None or _digest(taken) == _digest(home / wanted / CODECS):  # a run that goes on made codecs of its own
        store = whole(home / wanted, wanted, tell)
    if store is None and taken is not None:
        wanted = fingerprint(sources, grouping, settings(task, start))
        store = whole(home / wanted, wanted, tell)
    folder = home / wanted
    if store is None:
        tell(f"data.train has {size / 1e6:,.0f} MB: it is prepared once, in {folder} (data.prepare)", "note")
        store = _write(task, start, sources, folder, tell, look, None, overwrite=True)
    task.load_codecs(folder / CODECS)
    tell(f"{len(store):,} items are read from {folder}", "note")
    return store


def cache() -> Path:
    """Where prepared data are kept: $ANYSEQ_CACHE, or ~/.cache/anyseq."""
    given = os.environ.get("ANYSEQ_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "anyseq"


def _opened(folder: Path, task: OfLines, start: Start, tell: Tell, look: Look) -> Store:
    """Prepared data that `data.train` names, if they are what the recipe would make."""
    index = Index.read(folder)
    here = settings(task, Start(start.config))
    theirs = {**index.settings, "data": {**index.settings["data"]}}
    if task.config.data.dev is not None:
        theirs["data"].pop("held_out", None)  # it does not matter what was held out
    found = list(differences(theirs, here))
    if bool(theirs.get("copies")) != bool(here.get("copies")):
        raise DataError("was prepared for a model that copies, or this is one: prepare it anew", str(folder))
    if found:
        raise DataError(
            f"was prepared with other settings: {told(found)}. Train with "
            f"{' '.join(each.override for each in found)}, or prepare it anew (anyseq prepare ... --overwrite)",
            str(folder),
        )
    taken = None if start.folder is None else home_and_about(start.folder)[0] / CODECS
    if start.reading is not None or start.extend or (taken is not None and _digest(taken) != _digest(folder / CODECS)):
        grown = " with what train has and it lacks" if start.extend else ""
        raise UsageError(
            f"{folder} was prepared with other codecs than those of {start.folder}{grown}: give the text files instead "
            "(data.prepare=always prepares them with the codecs of that model)"
        )
    store = Store(folder)
    store.check()
    task.load_codecs(folder / CODECS)
    if changed := store.about.changed():
        message = f"{folder}: {', '.join(changed)} changed since it was prepared of it; prepare it anew"
        look(iter([Finding("error", message)]))
    tell(f"{len(store):,} items are read from {folder}; faults were looked for when it was prepared", "note")
    return store


def _silently(text: str, severity: Severity) -> None:
    """Say nothing."""


def refuse_to_prepare(kind: str, taken_from: Path | None = None) -> UsageError:
    """What to say of a task whose data cannot be prepared, or not with what is taken from another model."""
    if taken_from is not None:
        return UsageError(
            f"data cannot be prepared on disk where only a source's codec is taken from {taken_from}, or where its "
            "vocabulary grows: they are read into memory (data.prepare=never)"
        )
    return UsageError(
        f"the data of task {kind} cannot be prepared on disk (those of translate, transduce, tag, classify, "
        "language_model and autoencode can, where items are texts): they are read into memory (data.prepare=never)"
    )


def refuse_python(task: OfLines) -> DataError:
    """What to say of data that are no files."""
    return DataError(
        "only files can be prepared, no pipes, folders or data from Python: give data.train=FILE, "
        "data.train.source=FILE data.train.target=FILE, or a list of them"
    )
