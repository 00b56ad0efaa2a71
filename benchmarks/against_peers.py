"""anyseq beside its peers in one run: training, decoding and memory, as ratios and as a share of the machine's limit.

    python benchmarks/against_peers.py [training] [decoding] [memory] [--rounds N] [--updates N] [--threads N]

Prints a table for each part in Markdown; what is being measured goes to stderr. Joey NMT, eole and CTranslate2 have an
environment each, made at first use (`peers/environments.py`); a side that cannot be installed or fails is skipped with
the reason, and the others go on.

Held equal (`peers/shapes.py`): random symbols of one corpus, a vocabulary of 8,000 for both sides, number and width of
layers, tied tables, biases, pre-norm, label smoothing, dropout, AdamW with clipped gradients, batches of 4,096 padded
symbols, float32 but where int8 is said, threads, torch; in decoding the sources, the beam and the length of every
output. Not equal is what makes a toolkit fast: its loop, its batching (one length shows the speed without it), its
kernels. All of it is through public interfaces, from lines of text (Joey's search: from symbols) at fresh weights.

The sides take turns, each in a process of its own with the same number of threads; of each the median of the rounds
counts, and the median of the ratios within the rounds. Speeds of training are as each toolkit logs them, target symbols
without padding, the first report left out; of decoding, the best of several runs. The share of the limit counts the
multiplications of the equations by those symbols, against the 2048³ products measured in the same rounds. "By processor
time" is the same ratio as if each side had had the processor to itself, which is what to look at where other work runs
beside (with one thread; the limit and its share know the clock alone).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

# Nothing here imports torch: the peak of memory of a process counts from its parent's.
from peers import shapes
from peers.anyseq_recipe import overrides
from peers.environments import CTRANSLATE2, EOLE, JOEY, Peer, Skipped, last_line
from peers.turns import COMPARED, OURS, Figures, Outcome, compared, table, take_turns

HERE = Path(__file__).resolve().parent
TIMEOUT = 3600  # seconds for a side
TRAINING = (
    ("Transformer, one length", "transformer", "equal", {JOEY: 3.5, EOLE: 1.3}),
    ("Transformer, lengths of captions", "transformer", "captions", {JOEY: 3.5, EOLE: 1.3}),
    ("GRU with attention, one length", "attention", "equal", {JOEY: 3.5}),
    ("GRU with attention, lengths of captions", "attention", "captions", {JOEY: 3.5}),
)
SEARCHES = (("64 sentences, beam 5", 64, 5), ("one sentence, greedy", 1, 1))


class Runner:
    """Runs sides in processes of their own.

    Args:
        threads: Of each.
    """

    def __init__(self, threads: int) -> None:
        settings = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        self.environment = {**os.environ, **settings, "CUDA_VISIBLE_DEVICES": ""}
        self.threads = threads

    def limit(self) -> Figures:
        """The machine's limit."""
        return {"gflops": float(self._output([sys.executable, "limit.py"], self.environment).split()[0])}

    def ours(self, *words: object) -> Figures:
        """anyseq's side."""
        return self._figures(sys.executable, "peers.anyseq_side", words, self.environment)

    def theirs(self, peer: Peer, *words: object) -> Figures:
        """A peer's side."""
        others = {name: value for name, value in self.environment.items() if name != "PYTHONPATH"}
        return self._figures(str(peer.python()), f"peers.{peer.name}_side", words, others)

    def _figures(self, python: str, module: str, words: tuple[object, ...], environment: Mapping[str, str]) -> Figures:
        output = self._output([python, "-m", module, *map(str, words)], environment)
        try:
            figures: Figures = json.loads(output.strip().splitlines()[-1])
        except (IndexError, ValueError) as error:
            raise Skipped(f"no figures came out: {last_line(output)}") from error
        return figures

    def _output(self, command: list[str], environment: Mapping[str, str]) -> str:
        """What a command prints.

        Raises:
            Skipped: it fails, or takes too long.
        """
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, cwd=HERE, env=environment, timeout=TIMEOUT
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Skipped(str(error)) from error
        if done.returncode:
            raise Skipped(last_line(done.stderr or done.stdout))
        return done.stdout

    def peak_mb(self, *words: str) -> float:
        """The peak of memory of a command of anyseq."""
        command = [sys.executable, "-m", "anyseq", *words, "--threads", str(self.threads), "--device", "cpu"]
        figures: Figures = json.loads(self._output([sys.executable, "-m", "peers.peak", *command], self.environment))
        return figures["peak_mb"]


def training(runner: Runner, folder: Path, rounds: int, updates: int) -> None:
    """Target tokens a second while training."""
    rows = []
    for what, shape, lengths, reach in TRAINING:
        print(f"training: {what}", file=sys.stderr, flush=True)
        corpus = written_corpus(folder, lengths, updates)
        sides: dict[str, Callable[[], Figures]] = {
            "limit": runner.limit,
            OURS: partial(runner.ours, "training", shape, corpus, folder / shape, updates),
        }
        for peer in reach:
            sides[peer.title] = partial(runner.theirs, peer, "training", shape, corpus, updates)
        found = take_turns(sides, rounds)
        print(f"limit {limit_of(found)}", file=sys.stderr)
        rows += compared(what, found, {peer.title: times for peer, times in reach.items()})
    print(f"\n### Training\n\n{table(COMPARED, rows)}\n", flush=True)


def decoding(runner: Runner, folder: Path, rounds: int) -> None:
    """Tokens a second at forced lengths."""
    rows = []
    for shape, peer, precisions, beam_reach, greedy_reach in (
        ("transformer", CTRANSLATE2, ("float32", "int8"), 1.4, 0.8),
        ("attention", JOEY, ("float32",), 5.0, 5.0),
    ):
        for precision in precisions:
            for search, count, beam in SEARCHES:
                what = f"{'Transformer' if shape == 'transformer' else 'GRU with attention'}, {precision}, {search}"
                print(f"decoding: {what}", file=sys.stderr, flush=True)
                sides = {
                    OURS: partial(decoded, runner, folder, shape, count, beam, precision),
                    peer.title: partial(runner.theirs, peer, "decoding", count, beam, precision),
                }
                reach = {peer.title: beam_reach if beam > 1 else greedy_reach}
                rows += [row[:6] + row[7:] for row in compared(what, take_turns(sides, rounds), reach)]
    print(f"\n### Decoding, {shapes.FORCED} symbols each\n\n{table((*COMPARED[:6], COMPARED[7]), rows)}\n", flush=True)


def memory(runner: Runner, folder: Path) -> None:
    """Peaks of the commands `train` and `predict`, each in a process of its own."""
    corpus, model = written_corpus(folder, "captions", 4), folder / "memory"
    words = [f"{key}={json.dumps(value)}" for key, value in overrides("transformer", corpus, 4).items()]
    train = ["train", "translate/transformer", "--output", str(model), *words]
    predict = ["predict", str(model), "--input", str(sources(folder)), "--beam-size", "5", "--max-length", "60"]
    rows = []
    for what, reach, command in (
        ("training the Transformer (7.6 M parameters)", 2000, train),
        ("predicting with it, 300 sentences, beam 5", 600, predict),
    ):
        print(f"memory: {what}", file=sys.stderr, flush=True)
        try:
            peak = f"{runner.peak_mb(*command):,.0f} MB"
        except Skipped as reason:
            peak = f"skipped: {reason}"
        rows.append([what, peak, f"under {reach:,} MB"])
    print(f"\n### Memory\n\n{table(('what', 'peak', 'to reach'), rows)}\n", flush=True)


def written_corpus(folder: Path, lengths: str, updates: int) -> Path:
    """A corpus long enough for so many updates."""
    corpus = folder / lengths
    corpus.mkdir(exist_ok=True)
    shapes.write_corpus(corpus, lengths, 400 * updates)
    return corpus


def sources(folder: Path) -> Path:
    """Lines to predict for."""
    file = folder / "sources.txt"
    lines = (" ".join(words) for words in shapes.sentences(300, shapes.LENGTH - 1))
    file.write_text("\n".join(lines) + "\n")
    return file


def decoded(runner: Runner, folder: Path, shape: str, count: int, beam: int, precision: str) -> Figures:
    """anyseq's side of decoding, with a model of that shape, which is made where none is there yet."""
    model = folder / shape
    if not model.exists():
        updates = 2 * shapes.REPORT_EVERY
        runner.ours("training", shape, written_corpus(folder, "equal", updates), model, updates)
    return runner.ours("decoding", model, count, beam, precision)


def limit_of(found: Outcome) -> str:
    limit = found.median("limit", "gflops")
    return "unknown" if limit is None else f"{limit:.0f} GFLOP/s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ["training", "decoding", "memory"]
    parser.add_argument("parts", nargs="*", metavar="training|decoding|memory", help="by default all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=6, help="of each training; the first two are not counted")
    parser.add_argument("--threads", type=int, default=1, help="for each side")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(parts):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: choose among {', '.join(parts)}")
    if given.updates < 2 * shapes.REPORT_EVERY:
        parser.error(f"--updates {given.updates} leaves none to count: give {2 * shapes.REPORT_EVERY} or more")
    runner = Runner(given.threads)
    print(f"{given.threads} thread(s) for each side, {given.rounds} round(s)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not given.parts or "training" in given.parts:
            training(runner, folder, given.rounds, given.updates)
        if not given.parts or "decoding" in given.parts:
            decoding(runner, folder, given.rounds)
        if not given.parts or "memory" in given.parts:
            memory(runner, folder)


if __name__ == "__main__":
    main()
