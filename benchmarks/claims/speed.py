"""What a recurrence costs: in weights, in steps that must wait for each other, in tokens per second, in memory.

    OMP_NUM_THREADS=1 python benchmarks/claims/speed.py [--quick]

Elman, GRU and LSTM encoder-decoders, gated convolutions (ConvS2S) and a Transformer, all 128 wide with two layers a
side, on random symbols: 2,048 places a batch, cut into sequences of 16 to 1,024. Training: an update. Decoding: greedy,
every output as long as its source. Memory: what an update keeps from forward for backward.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from matplotlib.figure import Figure
from report import options, publish
from torch import Tensor, nn

from anyseq.catalogue import PARTS, resolve
from anyseq.core import Batch, Item, Padded, Symbols
from anyseq.models.seq2seq import Seq2Seq, Seq2SeqConfig
from anyseq.nn.cells import Cell, ElmanCell, GruCell, LstmCell
from anyseq.search.settings import SearchConfig
from anyseq.training.loop import noise_of
from anyseq.training.objectives.cross_entropy import CrossEntropy

WIDTH, LAYERS, VOCAB = 128, 2, 1000
CELLS: dict[str, type[Cell]] = {"elman": ElmanCell, "gru": GruCell, "lstm": LstmCell}
COLOUR = {"elman": "tab:red", "gru": "tab:green", "lstm": "tab:blue", "conv": "tab:orange", "transformer": "black"}


def build(name: str) -> Seq2Seq:
    kind = "rnn" if name in CELLS else name
    sizes: dict[str, Any] = {"num_layers": LAYERS, "dropout": 0.0}
    if name in CELLS:
        sizes |= {"cell": name, "embed_dim": WIDTH, "hidden_dim": WIDTH}
    elif name == "conv":
        sizes |= {"embed_dim": WIDTH, "hidden_dim": WIDTH}
    else:
        sizes |= {"model_dim": WIDTH, "ffn_dim": 4 * WIDTH, "num_heads": 4}
    one_way = {"bidirectional": False} if name in CELLS else {}
    config = Seq2SeqConfig(
        encoder=resolve("encoders", kind)(**sizes, **one_way), decoder=resolve("decoders", kind)(**sizes)
    )
    torch.manual_seed(1)
    return config.build(Symbols(VOCAB), Symbols(VOCAB))


def random_batch(rows: int, length: int) -> Batch:
    torch.manual_seed(2)
    valid = torch.ones(rows, length, dtype=torch.bool)
    fields = {side: Padded(torch.randint(1, VOCAB, (rows, length)), valid) for side in ("source", "target")}
    return Batch(fields, [Item({}, key) for key in range(rows)])


def seconds(run: Callable[[], Any], times: int) -> float:
    """Median, after one run that is not counted."""
    run()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def measure(name: str, length: int, places: int, times: int) -> dict[str, float]:
    model, rows = build(name), max(1, places // length)
    batch, objective = random_batch(rows, length), CrossEntropy(0.0)
    optimiser = torch.optim.AdamW(model.parameters(), fused=True)
    forced = SearchConfig(beam_size=1, min_length=length, max_length=length)

    def update() -> None:
        part = objective(model, batch, noise_of(batch, 0, 0)).parts["cross_entropy"]
        (part.sum / part.count).backward()
        optimiser.step()
        optimiser.zero_grad()

    def decode() -> None:
        forced.run(model.decoder, model.encode(batch), vocab_size=VOCAB)

    model.train()
    kept = kept_for_backward(model, lambda: objective(model, batch, noise_of(batch, 0, 0)))
    training = seconds(update, times)
    model.eval()
    decoding = seconds(decode, 1)
    return {
        "training_tokens_per_second": round(rows * length / training),
        "decoding_tokens_per_second": round(rows * length / decoding),
        "sequential_steps_in_training": (2 * LAYERS * length) if name in CELLS else 2 * LAYERS,
        "sequential_steps_in_decoding": LAYERS * length + (LAYERS * length if name in CELLS else LAYERS),
        "megabytes_kept": round(kept / 1e6, 1),
    }


def kept_for_backward(model: nn.Module, forward: Callable[[], Any]) -> int:
    """Bytes of the tensors autograd holds after `forward`, weights not counted, each storage once."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    storages: dict[int, Any] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage  # held, so that no address comes twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        held = forward()
    size = sum(storage.nbytes() for storage in storages.values())
    del held
    return size


def main(argv: list[str] | None = None) -> None:
    given = options(__doc__ or "", argv)
    names = [name for name in COLOUR if name in CELLS or name in PARTS["encoders"]]
    lengths, places, times = ((4, 8), 16, 1) if given.quick else ((16, 64, 256, 1024), 2048, 3)
    weights = {name: sum(w.numel() for w in cell(WIDTH, WIDTH).parameters()) for name, cell in CELLS.items()}
    found = {name: {length: measure(name, length, places, times) for length in lengths} for name in names}

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, 3)
        for axes, (what, title) in zip(
            panels,
            (
                ("training_tokens_per_second", "training: tokens/s"),
                ("decoding_tokens_per_second", "decoding: tokens/s"),
                ("megabytes_kept", "kept for backward: MB"),
            ),
            strict=True,
        ):
            for name in names:
                values = [each[what] for each in found[name].values()]
                axes.loglog(lengths, values, "o-", color=COLOUR[name], label=name)
            axes.set(title=title, xlabel="length")
            axes.set_xticks(lengths, [str(length) for length in lengths])
            axes.minorticks_off()
        panels[0].legend()

    figures: dict[str, Any] = {"weights_of_a_cell": weights, "by_length": found}
    if "conv" not in names:
        figures["conv"] = {"skipped": "this version has no convolutions"}
    publish("speed", given, figures, draw)


if __name__ == "__main__":
    main()
