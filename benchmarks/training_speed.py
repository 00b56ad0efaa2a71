"""How much of the machine's limit training uses: floating-point operations of an update, by its equations, per second.

    python benchmarks/training_speed.py [--updates N]

One shape a line: target tokens per second, GFLOP/s, and their share of the limit measured before and after.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from anyseq.core import Batch, Item, Padded, Symbols
from anyseq.models.decoders.attention import AttentionDecoderConfig
from anyseq.models.decoders.conv import ConvDecoderConfig
from anyseq.models.decoders.transformer import TransformerDecoderConfig
from anyseq.models.encoders.conv import ConvEncoderConfig
from anyseq.models.encoders.rnn import RnnEncoderConfig
from anyseq.models.encoders.transformer import TransformerEncoderConfig
from anyseq.models.seq2seq import Seq2Seq, Seq2SeqConfig
from anyseq.training.gradients import backward
from anyseq.training.loop import noise_of
from anyseq.training.objectives.cross_entropy import CrossEntropy
from anyseq.training.optimiser import build_optimiser
from anyseq.training.settings import TrainingConfig
from limit import limit_gflops


@dataclass(frozen=True)
class Shape:
    """A model with tied output weights, and a batch: `rows` sentences of `time` symbols on both sides.

    `looks` is the width of every attention, summed: a place of both sides costs 4 * time * looks.
    """

    name: str
    config: Seq2SeqConfig
    looks: int
    vocab_size: int
    rows: int
    time: int


def transformer(dim: int, ffn_dim: int, layers: int) -> Seq2SeqConfig:
    sizes = {"model_dim": dim, "ffn_dim": ffn_dim, "num_layers": layers, "num_heads": 4, "dropout": 0.1}
    return Seq2SeqConfig(
        encoder=TransformerEncoderConfig(**sizes), decoder=TransformerDecoderConfig(**sizes), share_embeddings=True
    )


def attention() -> Seq2SeqConfig:
    return Seq2SeqConfig(
        encoder=RnnEncoderConfig(embed_dim=256, hidden_dim=256),
        decoder=AttentionDecoderConfig(embed_dim=256, hidden_dim=512),
    )


def conv(embed_dim: int, hidden_dim: int, layers: int) -> Seq2SeqConfig:
    sizes = {"embed_dim": embed_dim, "hidden_dim": hidden_dim, "num_layers": layers}
    return Seq2SeqConfig(encoder=ConvEncoderConfig(**sizes), decoder=ConvDecoderConfig(**sizes), share_embeddings=True)


# A Transformer's layer pair looks three times; a convolution's once, and all of them once at half the price.
SHAPES = (
    Shape("Transformer 256 wide, 3+3 layers", transformer(256, 1024, 3), 3 * 3 * 256, 8000, 256, 16),
    Shape("Transformer 128 wide, 4+4 layers", transformer(128, 512, 4), 3 * 4 * 128, 8000, 256, 16),
    Shape("GRU with attention, 256/512", attention(), 512, 8000, 256, 16),
    Shape("convolutions 256/192, 4+4 layers", conv(256, 192, 4), 4 * 192 + 256 // 2, 8000, 256, 16),
)


def flop_per_place(model: Seq2Seq, vocab_size: int, time: int, looks: int) -> float:
    """Multiplications and additions of the matrix products for a place of the target and one of the source: forward and
    backward (three times the forward).

    A matrix of n weights costs 2n a position, be it of the encoder or of the decoder; a table that is looked up costs
    nothing, but as output weights. `looks` as in `Shape`.
    """
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    matrices = sum(p.numel() for p in model.parameters() if p.dim() == 2 and id(p) not in tables)
    output = vocab_size * model.encoder.embed.weight.shape[1]
    return 3.0 * (2 * (matrices + output) + 4 * time * looks)


def random_batch(vocab_size: int, rows: int, time: int) -> Batch:
    """So many pairs of random sentences of one length."""
    valid = torch.ones(rows, time, dtype=torch.bool)
    fields = {side: Padded(torch.randint(1, vocab_size, (rows, time)), valid) for side in ("source", "target")}
    return Batch(fields, [Item({}, key) for key in range(rows)])


def prepare(shape: Shape) -> tuple[Seq2Seq, Callable[[], None]]:
    """A model with fresh weights, and an update of it on one random batch."""
    torch.manual_seed(0)
    model = shape.config.build(Symbols(shape.vocab_size), Symbols(shape.vocab_size))
    parameters = list(model.parameters())
    optimiser, objective = build_optimiser(parameters, TrainingConfig(max_steps=1)), CrossEntropy(0.1)
    batch = random_batch(shape.vocab_size, shape.rows, shape.time)

    def update() -> None:
        backward([objective(model, batch, noise_of(batch, 0, 0))], parameters, 1)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        optimiser.step()
        optimiser.zero_grad()

    return model, update


def measure(shape: Shape, updates: int) -> None:
    model, update = prepare(shape)
    seconds = []
    before = limit_gflops()
    for _ in range(updates + 1):
        began = time.perf_counter()
        update()
        seconds.append(time.perf_counter() - began)
    limit = max(before, limit_gflops())
    each = statistics.median(seconds[1:])
    places = shape.rows * shape.time
    gflops = places * flop_per_place(model, shape.vocab_size, shape.time, shape.looks) / each / 1e9
    print(
        f"{shape.name:34s} {sum(p.numel() for p in model.parameters()) / 1e6:5.2f} M  "
        f"{places / each:7,.0f} target tokens/s  "
        f"{gflops:6.1f} GFLOP/s = {gflops / limit:.0%} of {limit:.0f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=8)
    given = parser.parse_args()
    print(f"{torch.get_num_threads()} threads")
    for shape in SHAPES:
        measure(shape, given.updates)
