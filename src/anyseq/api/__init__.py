"""The verbs as Python functions; the command line is a thin layer over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyseq.lazy import attributes

if TYPE_CHECKING:
    from anyseq.api.about import info
    from anyseq.api.checking import CheckReport, check
    from anyseq.api.conversation import Conversation
    from anyseq.api.folders import default_folder, home_and_about, refuse_existing
    from anyseq.api.runs import Trained, resume, train
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
            "anyseq.api.folders": "default_folder home_and_about refuse_existing",
            "anyseq.api.runs": "Trained resume train",
            "anyseq.api.storing": "PreparedData prepare_data",
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
    "Trained",
    "average",
    "check",
    "compare",
    "default_folder",
    "home_and_about",
    "info",
    "load",
    "pairs",
    "prepare_data",
    "refuse_existing",
    "resume",
    "train",
]
