"""What the time of a training step and of a decoding step is spent on: the operators of PyTorch in groups.

    python benchmarks/time_spent.py [--threads N]

The Transformer of 256, 3+3 layers, random weights and symbols: updates of 256 sentences of 16 symbols; 20 forced steps
of a beam of 5 for 64 sentences, and of greedy search for one. Shares are of the wall time under torch's profiler, by
each operator's own time; what no operator takes is Python's and autograd's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping

import torch
from torch.profiler import ProfilerActivity, profile

from anyseq.search.settings import SearchConfig
from training_speed import SHAPES, Shape, prepare, random_batch

FORCED, TIMES = 20, 4
OTHER = "other operators"
PYTHON = "Python, autograd, the profiler"

# The first group that has a word of the operator's name takes it.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "views": ("view", "expand", "reshape", "transpose", "permute", "slice", "squeeze", "strided", "unbind", "detach"),
    "the optimiser, clipping": ("adamw", "foreach", "linalg_vector_norm"),
    "products of attention": ("bmm",),
    "matrix products": ("mm", "linear", "addmv", "::mv"),
    "softmax, logarithms": ("softmax", "exp", "log"),
    "layer norm": ("norm",),
    "random numbers of dropout": ("random", "bernoulli", "uniform", "rand"),
    "the search's choices": ("topk", "sort", "argmax", "::max", "scatter"),
    "copies, fills, gathers": (
        "copy", "fill", "zero", "cat", "stack", "index", "gather", "empty", "clone", "where", "arange", "embedding",
    ),
    "sums": ("sum", "mean"),
    "activations": ("relu", "gelu", "threshold", "tanh", "sigmoid"),
    "multiplications, divisions": ("mul", "div"),
    "additions": ("add", "sub"),
}  # fmt: skip


def group_of(operator: str) -> str:
    """Which group an operator belongs to."""
    if not operator.startswith("aten::"):
        return PYTHON
    return next((group for group, words in GROUPS.items() if any(word in operator for word in words)), OTHER)


def shares(run: Callable[[], object]) -> dict[str, float]:
    """Run it once unobserved, so that memory is there, and some times observed: the share of each group in the time."""
    run()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        began = time.perf_counter()
        for _ in range(TIMES):
            run()
        microseconds = (time.perf_counter() - began) * 1e6
    found: dict[str, float] = {}
    for event in profiler.key_averages():
        if (group := group_of(event.key)) != PYTHON:
            found[group] = found.get(group, 0.0) + event.self_cpu_time_total / microseconds
    return {**found, PYTHON: max(0.0, 1 - sum(found.values()))}


def decoding(shape: Shape, rows: int, beam: int) -> Callable[[], object]:
    """A search of forced length over random sources."""
    model, _ = prepare(shape)
    batch = random_batch(shape.vocab_size, rows, FORCED)
    forced = SearchConfig(beam_size=beam, min_length=FORCED, max_length=FORCED)
    model.eval()

    def run() -> None:
        with torch.inference_mode():
            forced.run(model.decoder, model.encode(batch), vocab_size=shape.vocab_size)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    torch.set_num_threads(parser.parse_args().threads)
    shape = SHAPES[0]
    columns = {
        "training": shares(prepare(shape)[1]),
        "beam 5, 64 sentences": shares(decoding(shape, 64, 5)),
        "greedy, one sentence": shares(decoding(shape, 1, 1)),
    }
    print(f"{shape.name}, {torch.get_num_threads()} thread(s)\n\n| spent on | {' | '.join(columns)} |")
    print("|---" * (1 + len(columns)) + "|")
    most = {group: max(found.get(group, 0.0) for found in columns.values()) for group in (*GROUPS, OTHER)}
    for group in (*sorted((g for g in most if most[g] >= 0.002), key=most.__getitem__, reverse=True), PYTHON):
        print(f"| {group} | {' | '.join(f'{found.get(group, 0.0):.1%}' for found in columns.values())} |")


if __name__ == "__main__":
    main()
