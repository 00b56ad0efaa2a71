"""How much faster several processes of one thread each train than one: target tokens per second, in one run.

    python benchmarks/ranks_speed.py [--processes 2] [--updates 60] [--rounds 3] [RECIPE [KEY=VALUE ...]]

The same updates of the same batches, by one process and by several, in turn; the first twenty of each are not counted.
Let nothing else run beside it: it needs a core for each process.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

DEFAULT = ("translate/transformer", "training.batch_tokens=4096")
COUNTED_FROM = 20


def work(updates: int, recipe: str, words: Sequence[str]) -> None:
    """Be one of the processes; the first prints the tokens per second."""
    import torch

    from anyseq.config import load_recipe
    from anyseq.core import ranks
    from anyseq.tasks.fitting import trainer
    from anyseq.training.loop import Validation
    from anyseq.training.progress import Report, Silent

    class Speed(Silent):
        """Keeps what is reported every twenty updates."""

        def __init__(self) -> None:
            self.reports: list[Report] = []

        def reported(self, report: Report) -> None:
            self.reports.append(report)

    torch.set_num_threads(1)
    end = [f"training.max_steps={updates}", f"training.validate_every={2 * updates}", "training.max_minutes=null"]
    task = load_recipe(recipe, [*words, *end]).build()
    splits = task.read()
    task.fit_codecs(splits.train)
    splits = task.select(splits)
    torch.manual_seed(1)
    task.build_model()
    speed = Speed()
    with ranks.together(), TemporaryDirectory() as folder:
        loop = trainer(task, splits, Path(folder), speed, device=torch.device("cpu"))
        loop.validate = lambda: Validation({"loss": 0.0}, (0.0,))
        loop.run()
        if ranks.first():
            print(statistics.mean(each.tokens_per_second for each in speed.reports if each.step > COUNTED_FROM))


def measure(processes: int, words: Sequence[str]) -> float:
    """Target tokens per second of so many processes."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    meet = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, __file__, "--work", *words], stdout=subprocess.PIPE, text=True,
            env={**os.environ, **meet, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(processes)
    ]  # fmt: skip
    said = [each.communicate()[0] for each in started]
    if any(each.returncode for each in started):
        sys.exit("a process has failed")
    return float(said[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--updates", type=int, default=60, help="a multiple of twenty, at least forty")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("recipe", nargs="*", default=list(DEFAULT))
    given = parser.parse_intermixed_args()
    if given.work:
        work(given.updates, given.recipe[0], given.recipe[1:])
        sys.exit()
    words = ["--updates", str(given.updates), *given.recipe]
    pairs = [(measure(1, words), measure(given.processes, words)) for _ in range(given.rounds)]
    for one, several in pairs:
        print(f"1 process {one:8,.0f}  {given.processes} processes {several:8,.0f} tokens/s  {several / one:.2f} times")
    print(f"median {statistics.median(several / one for one, several in pairs):.2f} times ({' '.join(given.recipe)})")
