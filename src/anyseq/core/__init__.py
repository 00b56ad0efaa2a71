"""The nouns everything else is said in: fold a sequence into memory, unfold it into another."""

from anyseq.core.batch import Batch, Item, Padded
from anyseq.core.emission import Choice, Emission
from anyseq.core.hypotheses import Hypotheses, Stopped
from anyseq.core.noise import Noise
from anyseq.core.parts import PartConfig
from anyseq.core.roles import Codec, Constraint, Decoder, Encoder, Loss, LossPart, Model, Objective, Stop
from anyseq.core.streams import Stream, Symbols, Vectors
from anyseq.core.tree import Memory, State, Tree, width
from anyseq.core.units import Alignment, Units

__all__ = [
    "Alignment",
    "Batch",
    "Choice",
    "Codec",
    "Constraint",
    "Decoder",
    "Emission",
    "Encoder",
    "Hypotheses",
    "Item",
    "Loss",
    "LossPart",
    "Memory",
    "Model",
    "Noise",
    "Objective",
    "Padded",
    "PartConfig",
    "State",
    "Stop",
    "Stopped",
    "Stream",
    "Symbols",
    "Tree",
    "Units",
    "Vectors",
    "width",
]
