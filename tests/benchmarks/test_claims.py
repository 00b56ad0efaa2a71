"""The scripts of the claims run, tiny, and leave a small plot and finite figures; the page shows each of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "benchmarks" / "claims"
NAMES = sorted(path.stem for path in SCRIPTS.glob("*.py") if path.stem != "report")
PAGE = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=() if each == "gradients" else pytest.mark.full) for each in NAMES]
)
def test_a_claim_runs_quickly(name: str, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("ANYSEQ_DATA", None)
    command = [sys.executable, SCRIPTS / f"{name}.py", "--quick", "--output", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    if done.stderr.startswith("skipped: "):
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((tmp_path / f"{name}.json").read_text())
    assert json.loads(done.stdout)["run"]["quick"]
    assert 1000 < (tmp_path / f"{name}.png").stat().st_size < 60_000


@pytest.mark.parametrize("name", NAMES)
def test_the_page_names_every_claim_and_its_command(name: str) -> None:
    assert f"benchmarks/claims/{name}.py" in PAGE


def test_the_plots_of_the_page_are_there_small_and_of_whole_runs() -> None:
    shown = re.findall(r"!\[[^\]]*\]\(claims/(\w+)\.png\)", PAGE)
    assert shown
    for name in shown:
        assert (ROOT / "docs" / "claims" / f"{name}.png").stat().st_size < 60_000
        assert not json.loads((ROOT / "docs" / "claims" / f"{name}.json").read_text())["run"]["quick"]


@pytest.mark.parametrize(
    ("name", "data"), [("multi30k", "multi30k"), ("tatoeba", "tatoeba_enes"), ("tanaka", "tanaka_enja")]
)
def test_quality_is_skipped_without_its_data(name: str, data: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ANYSEQ_DATA"}
    script = ROOT / "benchmarks" / "quality" / f"{name}.py"
    command = [sys.executable, script, "translate/transformer", "--output", tmp_path / "run"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, f"skipped: ANYSEQ_DATA names no folder with {data}\n")


def test_make_claims_runs_every_script_and_make_benchmark_none() -> None:
    text = (ROOT / "Makefile").read_text()
    (listed,) = re.findall(r"^CLAIMS := (.*)$", text, re.MULTILINE)
    assert sorted(listed.split()) == NAMES
    (others,) = re.findall(r"^BENCHMARKS := (.*)$", text, re.MULTILINE)
    assert not set(others.split()) & set(NAMES)
