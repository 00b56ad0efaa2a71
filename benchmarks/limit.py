"""The machine's limit: the best of five 2048³ float32 products, all threads, in GFLOP/s."""

from __future__ import annotations

import time

import torch

NORM_GFLOPS = 150.0  # a normalised minute is a wall minute at this limit


def limit_gflops() -> float:
    """Measure it now."""
    left, right = torch.randn(2048, 2048), torch.randn(2048, 2048)
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - began)
    return 2 * 2048**3 / best / 1e9


if __name__ == "__main__":
    print(f"{limit_gflops():.1f} GFLOP/s, {torch.get_num_threads()} threads")
