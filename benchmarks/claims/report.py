"""What the scripts of this folder share: their two options, the clock, and how figures and plot are written."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import torch

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
from limit import NORM_GFLOPS, limit_gflops  # noqa: E402

COLOURS = {"elman": "tab:red", "lstm": "tab:blue", "gru": "tab:green", "attention": "tab:purple"}


def options(about: str, argv: list[str] | None = None) -> argparse.Namespace:
    """`--quick` and `--output`; one thread, unless OMP_NUM_THREADS says otherwise."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test: everything tiny, the figures mean nothing")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "claims", help="folder of plot and figures")
    given = parser.parse_args(argv)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    given.began, given.limit = time.monotonic(), limit_gflops()
    return given


def multi30k() -> Path | None:
    """The folder of that name in the one ANYSEQ_DATA names."""
    folder = Path(os.environ.get("ANYSEQ_DATA", "")) / "multi30k"
    return folder if "ANYSEQ_DATA" in os.environ and folder.is_dir() else None


def publish(name: str, given: argparse.Namespace, figures: dict[str, Any], draw: Callable[[Figure], None]) -> None:
    """Print the figures as JSON and write them beside the plot: NAME.json, NAME.png (under 60 kB)."""
    minutes = (time.monotonic() - given.began) / 60
    limit = max(given.limit, limit_gflops())
    run = {
        "quick": given.quick,
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
        "limit_gflops": round(limit, 1),
        "wall_minutes": round(minutes, 2),
        "processor_minutes": round(time.process_time() / 60, 2),
        "normalised_minutes": round(minutes * limit / NORM_GFLOPS, 2),
    }
    text = json.dumps({"run": run, **figures}, indent=1, default=str)
    print(text)
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / f"{name}.json").write_text(text + "\n")
    figure = plt.figure(figsize=(9, 3.2), layout="constrained")
    draw(figure)
    figure.savefig(given.output / f"{name}.png", dpi=75, metadata={"Software": None})
    plt.close(figure)
