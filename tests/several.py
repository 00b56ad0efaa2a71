"""Several processes that work together, as torchrun would start them, and torchrun itself.

    python -m several MODULE:FUNCTION [GIVEN]...        is one of them: calls the function with what is given
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS = 1500
"""The longest that ranks may take, in `make full` on a busy machine."""


def environment() -> dict[str, str]:
    """What finds this package and these tests, with one thread."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def start(count: int, work: str, *given: object) -> list[subprocess.Popen[str]]:
    """Start so many ranks that do some work."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    meet = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "several", work, *map(str, given)],
            env={**environment(), **meet, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(count)
    ]  # fmt: skip


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Wait for them: the exit code, stdout and stderr of each."""
    try:
        said = [process.communicate(timeout=SECONDS) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, *each) for process, each in zip(processes, said, strict=True)]


def run(count: int, work: str, *given: object) -> list[str]:
    """What so many ranks print, all of which must end well."""
    found = ended(start(count, work, *given))
    assert [code for code, *_ in found] == [0] * count, "\n".join(err for *_, err in found)
    return [out for _, out, _ in found]


def torchrun(count: int, *words: object, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """The command line in so many ranks."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count), *options]
    return subprocess.Popen(
        [*launcher, "-m", "anyseq", *map(str, words)],
        env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def stop(process: subprocess.Popen[str]) -> None:
    """End torchrun, should it still be there, so that it ends its workers."""
    process.terminate()
    try:
        process.wait(60)
    finally:
        process.kill()


if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(":")
    getattr(import_module(module), function)(*sys.argv[2:])
