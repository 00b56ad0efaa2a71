"""Processes that draw: what happens when they die, hang, or lose the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anyseq.data.synthetic import points
from anyseq.data.synthetic.points import PointsConfig
from anyseq.data.synthetic.workers import Workers
from anyseq.errors import RunError
from tiny_runs import wait_for

CONFIG = PointsConfig(problem="hull", train=20, dev=5, test=5, workers=1)


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (signal.SIGKILL, r"a process that draws .* has died: .* go on with anyseq train --resume DIR"),
        (signal.SIGSTOP, r"have given nothing for 0.02 minutes .* and were ended; .* --resume DIR"),
    ],
)
def test_a_process_that_draws_dies_or_hangs(number: int, fault: str) -> None:
    epochs = CONFIG.model_copy(update={"wait_minutes": 0.02 if number == signal.SIGSTOP else 5.0}).epochs()
    assert epochs is not None
    patient, epochs.config = epochs.config, CONFIG  # type: ignore[attr-defined]  the start may take its time
    epochs.items("train", 0)
    epochs._workers.wait_minutes = patient.wait_minutes  # type: ignore[attr-defined]
    own = [each for each in multiprocessing.active_children() if "Spawn" in type(each).__name__]
    assert own
    for each in own:
        os.kill(each.pid or 0, number)
    with pytest.raises(RunError, match=fault):
        for epoch in range(7, 11):  # what was begun before may be done
            epochs.items("train", epoch)
    wait_for(lambda: not any(each.is_alive() for each in own))


SCRIPT = """
import os, sys, time
from multiprocessing import active_children
from pathlib import Path
from anyseq.data.synthetic.points import PointsConfig
if __name__ == "__main__":
    PointsConfig(problem="hull", train=20, dev=5, test=5, workers=1).epochs().items()
    Path(sys.argv[1]).write_text(" ".join(str(each.pid) for each in active_children()))
    time.sleep(600)
"""


def test_they_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    script, pids = tmp_path / "script.py", tmp_path / "pids"
    script.write_text(SCRIPT)
    parent = subprocess.Popen([sys.executable, script, pids])
    wait_for(lambda: pids.exists() and bool(pids.read_text()), 120)
    parent.kill()
    parent.wait()
    for pid in map(int, pids.read_text().split()):
        wait_for(lambda pid=pid: not alive(pid), 20)  # type: ignore[misc]


AHEAD = """
import time
from anyseq.data.synthetic.workers import Workers
if __name__ == "__main__":
    kept = Workers(1, 1.0)
    begun = kept.begin(time.sleep, [(0,), *[(120,)] * 3])
    next(iter(kept.results(begun)))
    time.sleep(0.2)
"""


def test_nobody_waits_for_what_was_begun_for_later(tmp_path: Path) -> None:
    """Neither the end of the process that began it nor what follows the last use of the processes."""
    script = tmp_path / "script.py"
    script.write_text(AHEAD)
    subprocess.run([sys.executable, script], check=True, timeout=100)
    workers: Workers[None] = Workers(1, 1.0)
    begun = workers.begin(time.sleep, [(0,), (120,), (120,)])
    next(iter(workers.results(begun)))
    own = [each for each in multiprocessing.active_children() if "Spawn" in type(each).__name__]
    del workers
    wait_for(lambda: not any(each.is_alive() for each in own))


def test_processes_are_started_once_and_draw_each_epoch_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, begun = [], []

    class Noted(Workers[Any]):
        def __init__(self, count: int, wait_minutes: float) -> None:
            made.append(count)

        def begin(self, work: Any, parts: Any) -> list[Future[Any]]:
            begun.append(next(seed for seed, _ in parts)[1:3])
            return [Future()]

        def results(self, begun: Any) -> Any:
            return iter([[(np.zeros((3, 2)), "1 2 3 1")]])

    monkeypatch.setattr(points, "Workers", Noted)
    for split in ("train", "dev", "test"):
        CONFIG.generate(split)
    assert not made, "a single part is drawn here"
    epochs = CONFIG.epochs()
    assert epochs is not None and begun == [(0, 2)], "while the model trains on the first"
    epochs.items("train", 1)
    epochs.items("train", 2)
    assert made == [1] and begun == [(0, 2), (0, 3), (0, 4)]


def alive(pid: int) -> bool:
    """Whether it runs: one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        time.sleep(0)
        return False
