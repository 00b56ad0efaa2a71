"""Digests: whether a file still holds the bytes that were written into it, which its own format cannot tell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

DIGESTS = "digests.json"
_SEAL = "digest"  # of a mapping, kept in it
_new = partial(hashlib.blake2b, digest_size=16)


def digest(file: Path) -> str:
    """Of a file's bytes; about a second for a gigabyte.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, _new).hexdigest()


def write_digests(folder: Path, but: frozenset[Path] = frozenset()) -> None:
    """Write down what the files of a folder hold.

    Args:
        folder: Complete.
        but: Files in it (names as seen from there) that may change, and keep a digest of their own.
    """
    names = sorted(each.relative_to(folder) for each in folder.rglob("*") if each.is_file())
    found = {name.as_posix(): digest(folder / name) for name in names if name not in but and name.name != DIGESTS}
    (folder / DIGESTS).write_text(json.dumps(found, indent=1), encoding="utf-8")


def read_digests(folder: Path) -> tuple[dict[str, str], str | None]:
    """Digests by name (none in a folder that has none, as older versions wrote them), or what is wrong with them."""
    try:
        found = json.loads((folder / DIGESTS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, None
    except (OSError, ValueError) as error:
        return {}, f"{DIGESTS} beside it is damaged ({error})"
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        return {}, f"{DIGESTS} beside it is damaged"
    return found, None


def changed(file: Path, folder: Path) -> str | None:
    """What is wrong with a file's bytes by the digests of the folder it is in; None: nothing, or there are none of it.

    Raises:
        OSError: the file cannot be read.
    """
    known, fault = read_digests(folder)
    wanted = known.get(file.relative_to(folder).as_posix())
    if fault is not None or wanted is None or digest(file) == wanted:
        return fault
    return f"damaged: its bytes are not those that were written (by {folder / DIGESTS})"


def sealed(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping of JSON with a digest of itself in it."""
    return {**mapping, _SEAL: _seal(mapping)}


def unsealed(mapping: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The mapping without its digest (older versions wrote none), and what is wrong with it."""
    rest = {name: value for name, value in mapping.items() if name != _SEAL}
    whole = _SEAL not in mapping or mapping[_SEAL] == _seal(rest)
    return rest, None if whole else "damaged: what it says is not what was written"


def _seal(mapping: Mapping[str, Any]) -> str:
    return _new(json.dumps(mapping, sort_keys=True).encode()).hexdigest()
