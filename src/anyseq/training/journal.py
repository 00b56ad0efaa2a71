"""`metrics.jsonl`: one line for whatever happened in training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
        """Forget what happened after a step, before training goes on from there."""
        if not self.file.exists():
            return
        lines = self.file.read_text(encoding="utf-8").split("\n")[:-1]
        kept = [line for line in lines if json.loads(line).get("step", 0) <= step]
        write_atomically(self.file, "".join(line + "\n" for line in kept))
