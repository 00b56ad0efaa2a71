"""The verbs as Python functions; the command line is a thin layer over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyseq.lazy import attributes

if TYPE_CHECKING:
    from anyseq.api.about import info
    from anyseq.api.checking import CheckReport, check
    from anyseq.api.comparing import RunStatus, compare_runs, status
    from anyseq.api.conversation import Conversation
    from anyseq.api.folders import begun_before, default_folder, holds_seeds, home_and_about, refuse_existing
    from anyseq.api.inspecting import inspect, inspect_items
    from anyseq.api.runs import Trained, resume, train
    from anyseq.api.seeds import SeedRuns, Spread, read_seeds, resume_seeds, train_seeds
    from anyseq.api.storing import PreparedData, prepare_data
    from anyseq.api.use import Predictor, compare, load
    from anyseq.api.weights import average
    from anyseq.data.pairs import pairs
    from anyseq.tasks.decoding import Prediction
    from anyseq.tasks.evaluation import Evaluation
else:
    # Folders and input files are looked at before torch is imported.
    __getattr__ = attributes(
        __name__,
        {
            "anyseq.api.about": "info",
            "anyseq.api.weights": "average",
            "anyseq.api.checking": "CheckReport check",
            "anyseq.api.conversation": "Conversation",
            "anyseq.api.folders": "begun_before default_folder holds_seeds home_and_about refuse_existing",
            "anyseq.api.inspecting": "inspect inspect_items",
            "anyseq.api.runs": "Trained resume train",
            "anyseq.api.storing": "PreparedData prepare_data",
            "anyseq.api.seeds": "SeedRuns Spread read_seeds resume_seeds train_seeds",
            "anyseq.api.comparing": "RunStatus compare_runs status",
            "anyseq.api.use": "Predictor compare load",
            "anyseq.data.pairs": "pairs",
            "anyseq.tasks.decoding": "Prediction",
            "anyseq.tasks.evaluation": "Evaluation",
        },
    )

__all__ = [
    "CheckReport",
    "Conversation",
    "Evaluation",
    "Prediction",
    "Predictor",
    "PreparedData",
    "RunStatus",
    "SeedRuns",
    "Spread",
    "Trained",
    "average",
    "begun_before",
    "check",
    "compare",
    "compare_runs",
    "default_folder",
    "holds_seeds",
    "home_and_about",
    "info",
    "inspect",
    "inspect_items",
    "load",
    "pairs",
    "prepare_data",
    "read_seeds",
    "refuse_existing",
    "resume",
    "resume_seeds",
    "status",
    "train",
    "train_seeds",
]
