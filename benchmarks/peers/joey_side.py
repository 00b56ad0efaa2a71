"""Joey NMT's side: trained by its own command, target tokens a second as it logs them; decoded by its own search.

    python -m peers.joey_side training SHAPE CORPUS UPDATES
    python -m peers.joey_side decoding SENTENCES BEAM float32    the GRU with attention, fresh weights

Its fastest settings: log-softmax over tied tables, no input feeding (as ours), no workers beside the one thread.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from peers import shapes

SPECIAL = {"unk": "<unk>", "pad": "<pad>", "bos": "<s>", "eos": "</s>"}
SYMBOLS = {f"{name}_id": number for number, name in enumerate(SPECIAL)} | {
    f"{name}_token": token for name, token in SPECIAL.items()
}
TRANSFORMER = {
    "type": "transformer", "num_layers": shapes.LAYERS, "num_heads": shapes.HEADS, "hidden_size": shapes.DIM,
    "ff_size": shapes.FFN_DIM, "dropout": shapes.DROPOUT, "layer_norm": "pre",
    "embeddings": {"embedding_dim": shapes.DIM, "scale": True, "dropout": shapes.DROPOUT},
}  # fmt: skip
GRU = {
    "type": "recurrent", "rnn_type": "gru", "hidden_size": shapes.GRU_DIM, "num_layers": 1,
    "dropout": shapes.GRU_DROPOUT, "embeddings": {"embedding_dim": shapes.GRU_DIM},
}  # fmt: skip
SIDES = {
    "transformer": (TRANSFORMER, TRANSFORMER),
    "attention": (
        {**GRU, "bidirectional": True},
        {**GRU, "hidden_dropout": shapes.GRU_DROPOUT, "input_feeding": False, "attention": "luong",
         "init_hidden": "bridge"},
    ),
}  # fmt: skip


def model(shape: str) -> dict[str, object]:
    encoder, decoder = SIDES[shape]
    ties = {"tied_embeddings": True, "tied_softmax": True}
    start = {"initializer": "xavier_uniform", "embed_initializer": "xavier_uniform"}
    return {**ties, **(start if shape == "transformer" else {}), "encoder": encoder, "decoder": decoder}


def config(shape: str, corpus: Path, updates: int, run: str) -> dict[str, object]:
    vocabulary = Path(run) / "vocabulary.txt"
    vocabulary.write_text("\n".join([*SPECIAL.values(), *shapes.WORDS]) + "\n")
    side = {"level": "word", "voc_file": str(vocabulary), "max_length": 256, "tokenizer_type": "none"}
    return {
        "name": "speed", "model_dir": f"{run}/model", "use_cuda": False, "fp16": False, "random_seed": 1,
        "data": {
            "train": str(corpus / "train"), "dev": str(corpus / "dev"), "dataset_type": "plain",
            "src": {"lang": shapes.SOURCE, **side}, "trg": {"lang": shapes.TARGET, **side},
            "special_symbols": SYMBOLS,
        },
        "testing": {"beam_size": 1},
        "training": {
            "optimizer": "adamw", "learning_rate": 0.0003, "learning_rate_min": 0.0, "scheduling": "noam",
            "loss": "crossentropy", "label_smoothing": shapes.LABEL_SMOOTHING, "batch_size": shapes.BATCH_TOKENS,
            "batch_type": "token", "normalization": "tokens", "clip_grad_norm": 1.0, "epochs": 1, "updates": updates,
            "logging_freq": shapes.REPORT_EVERY, "validation_freq": 100_000, "overwrite": True,
        },
        "model": model(shape),
    }  # fmt: skip


def training(shape: str, corpus: str, updates: str) -> None:
    with tempfile.TemporaryDirectory() as run:
        file = Path(run) / "config.yaml"
        file.write_text(json.dumps(config(shape, Path(corpus), int(updates), run)))  # JSON is YAML
        command = [sys.executable, "-m", "joeynmt", "train", str(file), "--skip-test"]
        rates = shapes.logged_rates(command, r"Tokens per Sec:\s*([0-9.]+)")
    shapes.publish(rates, resource.RUSAGE_CHILDREN)


def decoding(count: str, beam: str, precision: str) -> None:
    import torch
    from joeynmt.batch import Batch
    from joeynmt.model import build_model
    from joeynmt.search import search
    from joeynmt.vocabulary import Vocabulary

    if precision != "float32":
        sys.exit(f"Joey NMT cannot decode in {precision}")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    vocabulary = Vocabulary(list(shapes.WORDS), SimpleNamespace(**SYMBOLS, sep_token=None, sep_id=None, lang_tags=[]))
    network = build_model(model("attention"), vocabulary, vocabulary).eval()
    lines = shapes.sentences(int(count), shapes.FORCED - 1)
    source = torch.tensor([[*map(vocabulary.lookup, words), vocabulary.eos_index] for words in lines])
    batch = Batch(
        src=source, src_length=torch.full((len(lines),), shapes.FORCED), src_prompt_mask=None, trg=None,
        trg_prompt_mask=None, indices=torch.arange(len(lines)), device=torch.device("cpu"),
        pad_index=vocabulary.pad_index, eos_index=vocabulary.eos_index, is_train=False,
    )  # fmt: skip

    def run() -> object:
        with torch.inference_mode():
            return search(
                model=network, batch=batch, beam_size=int(beam), beam_alpha=-1,
                min_output_length=shapes.FORCED, max_output_length=shapes.FORCED,
            )[0]  # fmt: skip

    if run().shape[1] != shapes.FORCED:
        sys.exit(f"the outputs should have {shapes.FORCED} symbols")
    shapes.publish(shapes.rates(len(lines) * shapes.FORCED, run))


if __name__ == "__main__":
    {"training": training, "decoding": decoding}[sys.argv[1]](*sys.argv[2:])
