"""CTranslate2's side: a Transformer of the same shape with random weights, decoded by its own `translate_batch`.

    python -m peers.ct2_side decoding SENTENCES BEAM float32|int8

Its fastest settings: one batch, one replica, all threads inside it, no scores returned.
"""

from __future__ import annotations

import os
import sys
import tempfile

import ctranslate2
import numpy as np
from ctranslate2.specs import TransformerSpec, common_spec

from peers import shapes

SPECIAL = ["<blank>", "<s>", "</s>", "<unk>"]


def save(folder: str) -> None:
    """Write a model with random weights."""
    spec = TransformerSpec.from_config(shapes.LAYERS, shapes.HEADS, pre_norm=True)
    random = np.random.default_rng(0)

    def linear(layer: common_spec.LinearSpec, into: int, out: int) -> None:
        layer.weight = (random.standard_normal((out, into)) * into**-0.5).astype(np.float32)
        layer.bias = np.zeros(out, np.float32)

    def norm(layer: common_spec.LayerNormSpec) -> None:
        layer.gamma, layer.beta = np.ones(shapes.DIM, np.float32), np.zeros(shapes.DIM, np.float32)

    def attend(layer: object, *outs: int) -> None:
        norm(layer.layer_norm)
        for part, out in zip(layer.linear, outs, strict=True):
            linear(part, shapes.DIM, out * shapes.DIM)

    rows = shapes.VOCAB_SIZE + len(SPECIAL)
    table = (random.standard_normal((rows, shapes.DIM)) * shapes.DIM**-0.5).astype(np.float32)
    for side in (spec.encoder, spec.decoder):
        embeddings = side.embeddings if isinstance(side.embeddings, list) else [side.embeddings]
        for each in embeddings:
            each.weight = table
        norm(side.layer_norm)
        for layer in side.layer:
            attend(layer.self_attention, 3, 1)
            norm(layer.ffn.layer_norm)
            linear(layer.ffn.linear_0, shapes.DIM, shapes.FFN_DIM)
            linear(layer.ffn.linear_1, shapes.FFN_DIM, shapes.DIM)
    for layer in spec.decoder.layer:
        attend(layer.attention, 1, 2, 1)
    spec.decoder.projection.weight, spec.decoder.projection.bias = table, np.zeros(rows, np.float32)
    spec.register_source_vocabulary([*SPECIAL, *shapes.WORDS])
    spec.register_target_vocabulary([*SPECIAL, *shapes.WORDS])
    spec.validate()
    spec.optimize()
    spec.save(folder)


def decoding(count: str, beam: str, precision: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save(folder)
        translator = ctranslate2.Translator(
            folder, device="cpu", inter_threads=1, intra_threads=int(os.environ.get("OMP_NUM_THREADS", "1")),
            compute_type=precision,
        )  # fmt: skip
    if not translator.compute_type.startswith(precision):  # int8_float32: products in int8, the rest in float32
        sys.exit(f"CTranslate2 computes in {translator.compute_type} here, not in {precision}")
    lines = [[*words, "</s>"] for words in shapes.sentences(int(count), shapes.FORCED - 1)]

    def run() -> object:
        return translator.translate_batch(
            lines, beam_size=int(beam), min_decoding_length=shapes.FORCED, max_decoding_length=shapes.FORCED
        )

    if {len(each.hypotheses[0]) for each in run()} != {shapes.FORCED}:
        sys.exit(f"the outputs should have {shapes.FORCED} symbols")
    shapes.publish(shapes.rates(len(lines) * shapes.FORCED, run))


if __name__ == "__main__":
    {"decoding": decoding}[sys.argv[1]](*sys.argv[2:])
