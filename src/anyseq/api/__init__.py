"""The verbs as Python functions; the command line is a thin layer over them."""

from anyseq.api.checking import CheckReport, check
from anyseq.api.folders import average, default_folder
from anyseq.api.runs import Trained, resume, train
from anyseq.api.use import Predictor, compare, info, load, pairs
from anyseq.tasks.decoding import Prediction
from anyseq.tasks.evaluation import Evaluation

__all__ = [
    "CheckReport",
    "Evaluation",
    "Prediction",
    "Predictor",
    "Trained",
    "average",
    "check",
    "compare",
    "default_folder",
    "info",
    "load",
    "pairs",
    "resume",
    "train",
]
