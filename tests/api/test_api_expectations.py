"""What `check` says training will cost is within a factor of two of what it then costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own, so that its peak of memory is its own.
SCRIPT = """
import json, resource, sys, time
import torch
torch.set_num_threads(1)
from anyseq import api
words = json.loads(sys.argv[2])
before = time.monotonic()
if sys.argv[1] == "check":
    found = api.check("transduce/copy", device="cpu", overrides=words).estimate
    minutes, memory_mb = found.minutes, found.memory_mb
else:
    from anyseq.api import runs
    prepare = runs._prepare
    def timed(*arguments):
        global before
        run = prepare(*arguments)
        before = time.monotonic()
        return run
    runs._prepare = timed
    api.train("transduce/copy", sys.argv[1], device="cpu", overrides=words)
    minutes = (time.monotonic() - before) / 60
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([minutes, memory_mb]))
"""


def measured(what: str, words: list[str]) -> tuple[float, float]:
    command = [sys.executable, "-c", SCRIPT, what, json.dumps(words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    minutes, memory_mb = json.loads(done.stdout)
    return minutes, memory_mb


@pytest.mark.full  # it measures time
@pytest.mark.skipif(sys.platform == "darwin", reason="counts memory in other units")
@pytest.mark.parametrize("validate_every", [20, 200])
def test_minutes_and_memory(tmp_path: Path, validate_every: int) -> None:
    words = ["training.max_steps=60", f"training.validate_every={validate_every}"]
    ratios = []
    for attempt in range(3):  # a busy machine may be half as fast for a while
        expected, reached = measured("check", words), measured(str(tmp_path / str(attempt)), words)
        assert 0.5 < expected[1] / reached[1] < 2, (expected, reached)
        ratios.append(expected[0] / reached[0])
        if 0.5 < ratios[-1] < 2:
            return
    pytest.fail(f"minutes expected / needed: {ratios}")
