"""What a model folder holds, for people and programs."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anyseq.api.folders import home_and_about
from anyseq.api.use import load
from anyseq.training.checkpoint import Checkpoints, named_weights


def info(folder: str | Path, *, trust: Collection[str] = ()) -> dict[str, Any]:
    """What a model folder (or a step's folder in it) holds: recipe, size, where training stands, figures."""
    predictor = load(folder, device="cpu", trust=trust)
    folder, about = home_and_about(Path(folder))
    weights = named_weights(predictor.task.model)
    last = Checkpoints(folder, keep=1).named("last")
    facts: dict[str, Any] = {
        "description": predictor.task.config.description,
        **about,
        "parameters": sum(weight.numel() for weight in weights.values()),
        "vocabulary": {name: asdict(codec.stream) for name, codec in predictor.task.codecs.items()},
        "best_step": Checkpoints(folder, keep=1).named("best"),
        "last_step": last,
    }
    if last is not None:
        facts["training"] = Checkpoints(folder, keep=1).read_training(last)[1]
    if (folder / "results.json").exists():
        facts["results"] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return facts
