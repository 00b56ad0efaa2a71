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
