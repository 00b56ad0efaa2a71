"""Preparing the training data of a task on disk, by several processes, so that it can go on after a kill."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from anyseq.core import Item
from anyseq.data.check import Severity
from anyseq.data.corpora import corpora, files_of
from anyseq.data.lines import STANDARD_INPUT
from anyseq.data.selection import Skipped, refuse_too_many
from anyseq.data.store.shards import write_shard
from anyseq.data.store.sources import Excerpts, Part, Source
from anyseq.data.store.store import CODECS, DEV, FORMAT, INDEX, LEFT_OUT, Index, Store, write_held_out
from anyseq.data.synthetic.base import keyed_fraction
from anyseq.data.synthetic.workers import end_with_parent
from anyseq.errors import DataError, Interrupted, OutputExistsError, RunError
from anyseq.tasks.lines import LinesConfig, OfLines
from anyseq.training.checkpoint import write_atomically, written_whole

_TOLD_EVERY = 15.0  # seconds

Tell = Callable[[str, Severity], None]

Grouping = Sequence[Sequence[Sequence[str]]]
"""Of each corpus, for each of its files: the fields that have one of their own, in order; none where one holds all."""


@dataclass(frozen=True)
class Plan:
    """What is to be prepared.

    Attributes:
        parts: The files, with their lines counted.
        sources: The same as they were found.
        grouping: Which of them belong together.
        weights: Of each corpus.
        settings: What of the recipe the result depends on, as plain mappings.
        held_share: Share of the items that are kept for choosing, by a hash of a field; 0 where dev is given.
        apart: That field.
    """

    parts: Sequence[Part]
    sources: Sequence[Source]
    grouping: Grouping
    weights: Sequence[float]
    settings: Mapping[str, Any]
    held_share: float
    apart: str

    @property
    def total(self) -> int:
        """Items of all parts."""
        return sum(part.items for part in self.parts)

    @property
    def fingerprint(self) -> str:
        """A hash of all that the result depends on."""
        return fingerprint(self.sources, self.grouping, self.settings)

    def holds_out(self, item: Item) -> bool:
        """Whether an item is kept for choosing."""
        return bool(self.held_share) and keyed_fraction(repr(item.raw[self.apart]), 0) < self.held_share


def fingerprint(sources: Sequence[Source], grouping: Grouping, settings: Mapping[str, Any]) -> str:
    """A hash of files, of what belongs together in them, and of settings."""
    files = {"sources": [asdict(each) for each in sources], "grouping": grouping}
    content = {"format": FORMAT, **files, "settings": settings}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:32]


def sources_of(task: OfLines) -> list[Source] | None:
    """The files that `data.train` names, as they are now; None where it is something else (a pipe, too).

    Raises:
        DataError: one is missing.
    """
    found = [files_of(corpus.data, task.columns_of(corpus.data)) for corpus in corpora(task.config.data.train)]
    if any(files is None for files in found):
        return None
    paths = [path for files in found for each in files or () for path in _paths(each)]
    if any(path == STANDARD_INPUT or (Path(path).exists() and not Path(path).is_file()) for path in paths):
        return None
    return [Source.of(str(Path(path).resolve())) for path in paths]


def grouping_of(task: OfLines) -> Grouping:
    """Which of the files that `sources_of` names belong together: the same ones may be one corpus, or two."""
    found = [files_of(corpus.data, task.columns_of(corpus.data)) for corpus in corpora(task.config.data.train)]
    return [[[] if isinstance(each, str) else list(each) for each in files or ()] for files in found]


def _paths(files: str | Mapping[str, str]) -> list[str]:
    return [files] if isinstance(files, str) else list(files.values())


def plan(task: OfLines, sources: Sequence[Source], settings: Mapping[str, Any]) -> Plan:
    """Count the lines of the files.

    Raises:
        DataError: one cannot be read, or those of two sides differ in length.
    """
    data, parts = task.config.data, list[Part]()
    found = corpora(data.train)
    for number, corpus in enumerate(found):
        columns = task.columns_of(corpus.data)
        for files in files_of(corpus.data, columns) or ():
            sentences = isinstance(files, str) and task.in_sentences(files)
            parts.append(Part.of(files, number, columns, sum(part.lines for part in parts), sentences))
    total = sum(part.items for part in parts)
    share = min(data.held_out / total, 0.1) if data.dev is None else 0.0
    weights = [corpus.weight for corpus in found]
    return Plan(parts, sources, grouping_of(task), weights, settings, share, task.apart)


def write_store(
    task: OfLines,
    planned: Plan,
    folder: Path,
    fit: Callable[[Sequence[Item]], None],
    look: Callable[[Store], None],
    tell: Tell,
    workers: int,
    overwrite: bool = False,
) -> Store:
    """Prepare a task's training data, or go on with what another process had prepared when it ended.

    Args:
        task: Its codecs are set.
        planned: What to prepare.
        folder: Takes its name when all is done; until then a hidden folder beside it keeps what is finished, and what
            there is stays.
        fit: Gives the task its codecs, from some items where they are to be learnt.
        look: Looks for faults in the data before they are given out.
        tell: Is told how it goes.
        workers: Processes.
        overwrite: Replace prepared data that are there, unless they are these and whole.

    Raises:
        OutputExistsError: there are others, and it is off.
        DataError: a line cannot be used, or too many would be left out, or what `look` raises.
        RunError: a process ended.
        Interrupted: by Ctrl-C; what is finished is kept.
    """
    work = folder.with_name(f".{folder.name}.preparing")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_name(f".{folder.name}.lock")), _told_how_to_go_on():
        if (store := whole(folder, planned.fingerprint, tell)) is not None:
            task.load_codecs(folder / CODECS)
            return store  # while this process waited, another one made it
        if (folder / INDEX).exists() and not overwrite:
            raise OutputExistsError(f"another process has prepared other data in {folder} now; choose another --output")
        _begin_in(work, planned.fingerprint, tell)
        learnt = _make_codecs(task, planned, work, fit, tell)
        _encode_all(task, planned, work, workers, tell)
        _finish(planned, work, learnt, task.config)
        look(Store(work))
        _put(work, folder)
    return Store(folder)


@contextmanager
def _told_how_to_go_on() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            "stopped while data were being prepared; what is finished is kept: the same command goes on", signal.SIGINT
        ) from None


def whole(folder: Path, wanted: str, tell: Tell) -> Store | None:
    """The prepared data of a folder, if they have this fingerprint and are whole; of damage it tells."""
    if not (folder / INDEX).exists():
        return None
    try:
        store = Store(folder)
        if store.about.fingerprint != wanted:
            return None
        store.check()
    except DataError as fault:
        tell(f"{fault}: they are prepared anew now", "warning")
        return None
    return store


def _put(work: Path, folder: Path) -> None:
    """Give prepared data their name; what had it is removed only then, and so is what going on would have needed."""
    before = folder.with_name(f".{folder.name}.replaced")
    if folder.exists():
        shutil.rmtree(before, ignore_errors=True)
        folder.rename(before)
    work.rename(folder)
    shutil.rmtree(before, ignore_errors=True)
    for record in (*folder.glob("*.json"), *folder.glob("shard_*.dev")):
        if record.name != INDEX:
            record.unlink()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process prepares the same."""
    try:
        import fcntl
    except ImportError:  # no such locks here
        yield
        return
    while True:
        with path.open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            try:
                held = os.path.samestat(path.stat(), os.fstat(stream.fileno()))
            except FileNotFoundError:
                held = False
            if not held:  # whoever had it has removed it
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _begin_in(work: Path, wanted: str, tell: Tell) -> None:
    """Keep what was prepared of the same; remove what was prepared of anything else."""
    name = work / "plan.json"
    with suppress(OSError, ValueError):
        if json.loads(name.read_text(encoding="utf-8")) == wanted:
            done = sum(1 for _ in work.glob("shard_*.json"))
            tell(f"going on where preparing stopped: {done} shards are done", "note")
            return
        tell("files or settings have changed since preparing was interrupted: it begins anew", "note")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    write_atomically(name, json.dumps(wanted))


def _make_codecs(
    task: OfLines, planned: Plan, work: Path, fit: Callable[[Sequence[Item]], None], tell: Tell
) -> int:
    """Learn the codecs and keep them; returns of how many items."""
    folder, count = work / CODECS, work / "learnt.json"
    if folder.is_dir() and count.is_file():
        task.load_codecs(folder)
        return int(json.loads(count.read_text(encoding="utf-8")))
    shutil.rmtree(folder, ignore_errors=True)
    share = min(1.0, task.config.data.learn_from / planned.total)
    items: list[Item] = []
    for part in planned.parts:
        excerpts = part.sample(max(1, round(part.lines * share)))
        items += [item for item in read_excerpts(task, excerpts) if not planned.holds_out(item)]
    if share < 1:
        tell(f"codecs are learnt from {len(items):,} of {planned.total:,} items (data.learn_from)", "note")
    fit(items)
    with written_whole(folder) as draft:
        task.save_codecs(draft)
    write_atomically(count, json.dumps(len(items)))
    return len(items)


def read_excerpts(task: OfLines, excerpts: Excerpts) -> list[Item]:
    """Read items from some lines; their keys are places in all data."""
    items = task.read_pairs(excerpts.files)
    return [Item(item.raw, excerpts.shift + (item.line or 0), item.file, item.line) for item in items]


def _encode_all(task: OfLines, planned: Plan, work: Path, workers: int, tell: Tell) -> None:
    """Encode whatever is not encoded yet, some shards at a time."""
    began = told = time.monotonic()
    done = 0
    for count in _encoded(task, planned, work, workers):
        done += count
        if time.monotonic() - told > _TOLD_EVERY:
            told, rate = time.monotonic(), done / (time.monotonic() - began) * 60
            tell(f"prepared {done:,} of {planned.total:,} items, {rate:,.0f} a minute", "note")


def _encoded(task: OfLines, planned: Plan, work: Path, workers: int) -> Iterator[int]:
    """The items of each shard that was encoded."""
    if workers == 1:
        for each in _unfinished(planned, work):
            yield _encode_shard(task, planned, work, *each)
        return
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    running: set[Future[int]] = set()
    with ProcessPoolExecutor(workers, context, _begin_worker, (task.config, planned, work)) as pool:
        try:
            for each in _unfinished(planned, work):
                running.add(pool.submit(_work, *each))
                while len(running) > workers:
                    finished, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (one.result() for one in finished)
            yield from (one.result() for one in running)
        except BrokenProcessPool:
            raise RunError(
                "a process that prepares data was ended from outside (by want of memory?); what is finished is kept: "
                "run it again, with fewer --workers"
            ) from None
        except BaseException:
            for process in list((pool._processes or {}).values()):
                process.kill()  # what they are at takes a while, and is lost anyhow
            raise


def _unfinished(planned: Plan, work: Path) -> Iterator[tuple[str, int, Excerpts]]:
    number = 0
    for part in planned.parts:
        for excerpts in part.chunks():
            name = f"shard_{number:05d}"
            if not (work / f"{name}.json").is_file():
                yield name, part.corpus, excerpts
            number += 1


class _Worker:
    """What a process that encodes has at hand."""

    task: OfLines
    planned: Plan
    work: Path


def _begin_worker(config: LinesConfig, planned: Plan, work: Path) -> None:
    end_with_parent()
    torch.set_num_threads(1)
    with suppress(OSError):
        os.nice(1)
    _Worker.task, _Worker.planned, _Worker.work = config.build(), planned, work
    _Worker.task.load_codecs(work / CODECS)


def _work(name: str, corpus: int, excerpts: Excerpts) -> int:
    return _encode_shard(_Worker.task, _Worker.planned, _Worker.work, name, corpus, excerpts)


def _encode_shard(task: OfLines, planned: Plan, work: Path, name: str, corpus: int, excerpts: Excerpts) -> int:
    """Encode some lines into a shard, and write what became of them last; returns their number."""
    items = read_excerpts(task, excerpts)
    held_out = [item for item in items if planned.holds_out(item)]
    found = task.sift([item for item in items if not planned.holds_out(item)] if held_out else items)
    content = write_shard(work, name, found.fields, found.items) if found.items else {}
    write_held_out(held_out, work / f"{name}.dev")
    record = {
        "shard": {"name": name, "count": len(found.items), "corpus": corpus, "file": items[0].file, "content": content},
        "total": len(items),
        "longest": found.longest,
        "left_out": list(zip(found.skipped.places, found.skipped.reasons, strict=True)),
    }
    write_atomically(work / f"{name}.json", json.dumps(record))
    return len(items)


def _finish(planned: Plan, work: Path, learnt: int, config: LinesConfig) -> None:
    """Put together what the shards say of themselves."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(work.glob("shard_*.json"))]
    left_out = [tuple(each) for record in records for each in record["left_out"]]
    total = sum(record["total"] for record in records)
    with (work / DEV).open("wb") as stream:
        for path in sorted(work.glob("shard_*.dev")):
            stream.write(path.read_bytes())
    with (work / DEV).open("rb") as stream:
        held_out = sum(1 for _ in stream)
    places, reasons = zip(*left_out, strict=True) if left_out else ((), ())
    skipped = Skipped(places, reasons, total - held_out)
    refuse_too_many(skipped, max(r["longest"] for r in records), config.data.max_length, config.data.max_skipped)
    write_atomically(work / LEFT_OUT, "".join(f"{place}\t{reason}\n" for place, reason in left_out))
    index = Index(
        fingerprint=planned.fingerprint,
        settings=planned.settings,
        sources=[asdict(each) for each in planned.sources],
        shards=[record["shard"] for record in records if record["shard"]["count"]],
        weights=planned.weights,
        total=total,
        left_out=len(left_out),
        held_out=held_out,
        learnt_from=learnt,
    )
    write_atomically(work / INDEX, index.text())
