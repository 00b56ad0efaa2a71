"""anyseq's recipes with the shapes held equal; standard library alone, for the command line is given them, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peers import shapes

TRANSFORMER = {
    "num_layers": shapes.LAYERS, "num_heads": shapes.HEADS, "model_dim": shapes.DIM, "ffn_dim": shapes.FFN_DIM,
    "dropout": shapes.DROPOUT,
}  # fmt: skip
GRU = {"embed_dim": shapes.GRU_DIM, "hidden_dim": shapes.GRU_DIM, "num_layers": 1, "dropout": shapes.GRU_DROPOUT}
SIDES = {"transformer": TRANSFORMER, "attention": GRU}


def overrides(shape: str, corpus: Path, updates: int) -> dict[str, Any]:
    """What is exchanged in the recipe `translate/SHAPE`."""
    return {
        **{
            f"data.{split}.{side}": str(corpus / f"{split}.{side}")
            for split in ("train", "dev")
            for side in (shapes.SOURCE, shapes.TARGET)
        },
        "data.check": "off",  # random sentences do not belong together
        "codec.source.kind": "words",
        "codec.source.vocabulary": str(corpus / "vocabulary.txt"),
        "codec.joint": True,
        "model.share_embeddings": True,
        **{f"model.{part}.{key}": value for part in ("encoder", "decoder") for key, value in SIDES[shape].items()},
        "objective.label_smoothing": shapes.LABEL_SMOOTHING,
        "training.max_minutes": None,
        "training.max_steps": updates,
        "training.batch_tokens": shapes.BATCH_TOKENS,
        "training.average": 0.0,
        "training.warmup_steps": 1,
        "training.validate_every": shapes.REPORT_EVERY,  # a report comes before each; its time is not counted
        "training.validate_items": 1,
        "search.beam_size": 1,
        "search.max_length": 2,
    }
