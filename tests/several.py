"""Several processes that work together, as torchrun would start them, and torchrun itself.

    python -m several        starts them whenever it is asked to, as copies of itself: torch is imported once
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
SECONDS = 1500
"""The longest that ranks may take, in `make full` on a busy machine."""
Ended = tuple[int, str, str]
"""The exit code, stdout and stderr."""


def environment() -> dict[str, str]:
    """What finds this package and these tests, with one thread."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


def together(count: int, work: str, *given: object) -> list[Ended]:
    """Let so many ranks do some work: how each ended.

    Args:
        count: How many.
        work: `MODULE:FUNCTION`, which is called with what is given, as text.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    meet = {**environment(), "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with TemporaryDirectory() as folder:
        asked = {"folder": folder, "count": count, "work": work, "given": [*map(str, given)], "environment": meet}
        codes = _answer(asked)
        files = [[(Path(folder) / f"{name}{rank}").read_text() for name in ("out", "err")] for rank in range(count)]
    return [(code, out, err) for code, (out, err) in zip(codes, files, strict=True)]


def run(count: int, work: str, *given: object) -> list[str]:
    """What so many ranks print, all of which must end well."""
    found = together(count, work, *given)
    assert [code for code, *_ in found] == [0] * count, "\n".join(err for *_, err in found)
    return [out for _, out, _ in found]


def _answer(asked: dict[str, object]) -> list[int]:
    """The exit codes of the ranks that are asked for."""
    server = _server()
    assert server.stdin is not None and server.stdout is not None
    server.stdin.write(json.dumps(asked) + "\n")
    server.stdin.flush()
    answers, _, _ = select.select([server.stdout], [], [], SECONDS)
    answer = server.stdout.readline() if answers else ""
    if not answer:
        _server.cache_clear()
        os.killpg(server.pid, signal.SIGKILL)
        raise AssertionError(f"{asked['work']} has not ended within {SECONDS} seconds")
    found: list[int] = json.loads(answer)
    return found


@functools.cache
def _server() -> subprocess.Popen[str]:
    """The process that starts ranks; it ends with this one."""
    server = subprocess.Popen(
        [sys.executable, "-m", "several"],
        env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    atexit.register(_close, server)
    return server


def _close(server: subprocess.Popen[str]) -> None:
    server.communicate()


def serve() -> None:
    """Start ranks for each line on stdin; print their exit codes when all have ended."""
    for module in ("torch._dynamo", "anyseq.api", "anyseq.cli.main"):  # what training imports, too
        import_module(module)
    for line in sys.stdin:
        asked = json.loads(line)
        import_module(asked["work"].partition(":")[0])
        ranks = [_forked(rank, **asked) for rank in range(asked["count"])]
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(rank, 0)[1]) for rank in ranks]), flush=True)


def _forked(
    rank: int, folder: str, count: int, work: str, given: Sequence[str], environment: dict[str, str]
) -> int:
    """One rank; gives its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        for number, name in enumerate(("out", "err"), start=1):
            os.dup2(os.open(Path(folder) / f"{name}{rank}", os.O_WRONLY | os.O_CREAT), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.clear()
        os.environ.update(environment, RANK=str(rank), LOCAL_RANK=str(rank))
        module, _, function = work.partition(":")
        getattr(import_module(module), function)(*given)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


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
    serve()
