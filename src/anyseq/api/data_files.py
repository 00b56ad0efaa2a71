"""The files a run was trained on: their sizes and digests, so that one that has changed is named."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyseq.config import plain
from anyseq.core import Item, content
from anyseq.data.store.store import INDEX
from anyseq.errors import ModelFolderError
from anyseq.tasks.base import Task
from anyseq.tasks.settings import TaskConfig
from anyseq.tasks.splits import Splits
from anyseq.training.checkpoint import write_atomically
from anyseq.training.digests import digest

FILE = "data_files.tsv"
_SPLITS = ("train", "dev", "test")
_SHOWN = 5


@dataclass(frozen=True)
class DataFile:
    """A file as it was.

    Attributes:
        path: As the recipe, or a table of files, names it.
        size: In bytes.
        digest: Of its bytes.
        is_item: It is an item of its own, named by one: a picture, a recording.
    """

    path: str
    size: int
    digest: str
    is_item: bool


def data_files(task: Task, splits: Splits, test: Iterable[Item] | None) -> list[DataFile]:
    """The files that the items came from, in order; none for data that were generated or came from Python.

    Of prepared data it is their index, which knows what their shards hold and what they were made of.
    """
    stored = splits.stored
    items = [*(splits.train if stored is None else ()), *splits.dev, *(test or ())]
    own = {path for item in items for path in _named_by(item)} if task.reads_files else set()
    named = _in_recipe(task.config, _SPLITS if stored is None else _SPLITS[1:])
    of_train = set() if stored is None else {str(stored.folder / INDEX)}
    paths = {*own, *named, *of_train, *(item.file for item in items if item.file is not None)}
    return [_as_it_is(path, path in own) for path in sorted(paths) if Path(path).is_file()]


def _named_by(item: Item) -> Iterator[str]:
    yield from (raw for raw in item.raw.values() if isinstance(raw, str) and raw and _is_file(raw))


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # no name of a file: too long, say
        return False


def _in_recipe(config: TaskConfig, splits: Iterable[str]) -> set[str]:
    data = plain(config).get("data") or {}
    return {text for name in splits for text in _texts(data.get(name)) if _is_file(text)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, Mapping)):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(each)


def _as_it_is(path: str, is_item: bool) -> DataFile:
    return DataFile(path, Path(path).stat().st_size, digest(Path(path)), is_item)


def write_data_files(files: Iterable[DataFile], folder: Path) -> None:
    """Keep them in a model folder."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
    writer.writerow(("path", "bytes", "digest", "is_item"))
    writer.writerows((each.path, each.size, each.digest, int(each.is_item)) for each in files)
    write_atomically(folder / FILE, stream.getvalue())


def read_data_files(folder: Path) -> list[DataFile] | None:
    """Those of a model folder; None where an older version wrote none.

    Raises:
        ModelFolderError: the file is damaged.
    """
    try:
        rows = list(csv.reader((folder / FILE).read_text(encoding="utf-8").splitlines(), delimiter="\t"))[1:]
        return [DataFile(path, int(size), found, bool(int(own))) for path, size, found, own in rows]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, csv.Error) as error:
        raise ModelFolderError(f"{folder / FILE} is damaged ({error}); remove it, it is a record only") from error


def refuse_changed(folder: Path, there: TaskConfig, here: TaskConfig) -> None:
    """Refuse data files that are not as they were, naming them, before they are read.

    Those that are gone, or which a changed `data.*` names, are left to whoever reads them.

    Raises:
        ModelFolderError: so it is.
    """
    known = read_data_files(folder) if plain(there).get("data") == plain(here).get("data") else None
    faults = [fault for each in known or () if Path(each.path).is_file() and (fault := _changed(each))]
    if faults:
        more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise ModelFolderError(
            f"the data of {folder} have changed since it was trained: {'; '.join(faults[:_SHOWN])}{more}; "
            "train anew, or restore them"
        )


def _changed(known: DataFile) -> str | None:
    now = _as_it_is(known.path, known.is_item)
    if now.size != known.size:
        return f"{known.path} had {known.size:,} bytes, has {now.size:,}"
    return f"{known.path} has as many bytes as before, but others" if now.digest != known.digest else None


def fingerprint(splits: Splits, files: Iterable[DataFile]) -> str:
    """A hash of what is trained on and chosen by; of items that are files of what these hold, wherever they lie."""
    held = {each.path: each.digest for each in files if each.is_item}
    found = hashlib.sha256()
    if splits.stored is not None:
        found.update(splits.stored.digest.encode())
    for item in (*(splits.train if splits.stored is None else ()), *splits.dev):
        raw = sorted((name, _content(value, held)) for name, value in item.raw.items())
        found.update(repr(raw).encode("utf-8", "surrogatepass"))
    return found.hexdigest()[:32]


def _content(value: Any, held: Mapping[str, str]) -> Any:
    return held.get(value, value) if isinstance(value, str) else content(value)
