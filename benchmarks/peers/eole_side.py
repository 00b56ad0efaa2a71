"""eole's side: trained by its own command, target tokens a second as it logs them.

    python -m peers.eole_side training transformer CORPUS UPDATES

Its fastest settings on a processor: no worker beside the one thread, PyTorch's attention, attention entropy not logged.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from pathlib import Path

from peers import shapes


def config(corpus: Path, updates: int, run: str) -> dict[str, object]:
    vocabulary = Path(run) / "vocabulary.txt"
    vocabulary.write_text("\n".join(["<unk>", "<blank>", "<s>", "</s>", *shapes.WORDS]) + "\n")
    return {
        "src_vocab": str(vocabulary), "tgt_vocab": str(vocabulary), "share_vocab": True,
        "src_vocab_size": shapes.VOCAB_SIZE + 4, "tgt_vocab_size": shapes.VOCAB_SIZE + 4,
        "save_data": f"{run}/data", "overwrite": True, "seed": 1, "report_every": shapes.REPORT_EVERY,
        "data": {"corpus": {"path_src": str(corpus / "train.source"), "path_tgt": str(corpus / "train.target")}},
        "training": {
            "world_size": 0, "gpu_ranks": [], "num_workers": 0, "compute_dtype": "fp32", "model_path": f"{run}/model",
            # It counts the start symbol too.
            "batch_type": "tokens", "batch_size": shapes.BATCH_TOKENS * (shapes.LENGTH + 1) // shapes.LENGTH,
            "normalization": "tokens", "train_steps": updates, "valid_steps": 100_000,
            "save_checkpoint_steps": 100_000, "optim": "adamw", "learning_rate": 0.0003, "max_grad_norm": 1.0,
            "dropout": [shapes.DROPOUT], "attention_dropout": [shapes.DROPOUT], "dropout_steps": [0],
            "label_smoothing": shapes.LABEL_SMOOTHING, "log_attention_entropy": False,
        },
        "model": {
            "architecture": "transformer", "layers": shapes.LAYERS, "heads": shapes.HEADS, "hidden_size": shapes.DIM,
            "transformer_ff": shapes.FFN_DIM, "add_qkvbias": True, "add_ffnbias": True, "share_embeddings": True,
            "share_decoder_embeddings": True,
            "embeddings": {"word_vec_size": shapes.DIM, "position_encoding_type": "SinusoidalInterleaved"},
        },
    }  # fmt: skip


def training(shape: str, corpus: str, updates: str) -> None:
    if shape != "transformer":
        sys.exit(f"eole has no {shape} here")
    with tempfile.TemporaryDirectory() as run:
        file = Path(run) / "config.yaml"
        file.write_text(json.dumps(config(Path(corpus), int(updates), run)))  # JSON is YAML
        command = [str(Path(sys.executable).parent / "eole"), "train", "-config", str(file)]
        rates = shapes.logged_rates(command, r"/\s*([0-9.]+) tok/s")
    shapes.publish(rates, resource.RUSAGE_CHILDREN)


if __name__ == "__main__":
    {"training": training}[sys.argv[1]](*sys.argv[2:])
