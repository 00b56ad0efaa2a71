"""`metrics.jsonl`: one line for whatever happened in training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anyseq.errors import ModelFolderError
from anyseq.training.checkpoint import write_atomically


class Journal:
    """Appends lines to a file; a line is there whole or not at all.

    Args:
        file: Made when the first line is written.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def write(self, **fields: Any) -> None:
        """Append one line of JSON."""
        with self.file.open("a", encoding="utf-8") as opened:
            opened.write(json.dumps(fields, ensure_ascii=False) + "\n")

    def cut_after(self, step: int) -> None:
        """Forget what happened after a step, before training goes on from there.

        Raises:
            ModelFolderError: a line is none that was written here.
        """
        if not self.file.exists():
            return
        lines = self.file.read_bytes().split(b"\n")[:-1]
        kept = [line for number, line in enumerate(lines, 1) if self._step(number, line) <= step]
        write_atomically(self.file, b"".join(line + b"\n" for line in kept).decode())

    def _step(self, number: int, line: bytes) -> int:
        try:
            return int(json.loads(line.decode()).get("step", 0))
        except (ValueError, TypeError, AttributeError):
            raise ModelFolderError(
                f"{self.file}:{number}: this line is damaged; remove it (or the file, which is a record only)"
            ) from None


def read_events(file: Path) -> list[dict[str, Any]]:
    """What a file of JSON lines says, for showing: a damaged line is left out, and so is one that is being written.

    No file, no lines.
    """
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError:
        return []
    return [event for event in map(_event, lines) if event is not None]


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("step"), int) else None
