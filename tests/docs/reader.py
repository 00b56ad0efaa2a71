"""Runs lines of the README, given as JSON on stdin, in one process: torch is imported once."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

from anyseq.cli.main import main

OF_A_SHELL = set("|<>$")


def run(line: str) -> int:
    """The exit code of a line: of `anyseq WORDS`, which something may be piped into, or of anything for a shell."""
    feeding, _, call = line.rpartition(" | ")
    if not call.startswith("anyseq ") or OF_A_SHELL & set(call):
        return subprocess.call(["bash", "-c", f"set -eo pipefail; {line}"])
    if feeding:
        with subprocess.Popen(["bash", "-c", f"set -eo pipefail; {feeding}"], stdout=subprocess.PIPE) as fed:
            assert fed.stdout is not None
            os.dup2(fed.stdout.fileno(), 0)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        if fed.returncode:
            return fed.returncode
    return main(shlex.split(call)[1:])


if __name__ == "__main__":
    for line in json.load(sys.stdin):
        code = run(line)
        if code:
            sys.exit(f"exit code {code}: {line}")
