"""The nouns everything else is said in: fold a sequence into memory, unfold it into another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyseq.lazy import attributes

if TYPE_CHECKING:
    from anyseq.core.batch import Batch, Padded
    from anyseq.core.emission import Choice, Emission
    from anyseq.core.hypotheses import Hypotheses, Stopped
    from anyseq.core.items import Item, content
    from anyseq.core.noise import Noise
    from anyseq.core.parts import PartConfig
    from anyseq.core.roles import Codec, Constraint, Decoder, Encoder, Loss, LossPart, Model, Objective, Stop
    from anyseq.core.spelling import Spelling, Unknown
    from anyseq.core.streams import Factored, Grouped, Pointers, Spelt, Stream, Symbols, TreeSymbols, Vectors
    from anyseq.core.tree import Memory, State, Tree, width
    from anyseq.core.units import Alignment, Units
else:
    # PartConfig, Item, Spelling and Unknown do without torch.
    __getattr__ = attributes(
        __name__,
        {
            "anyseq.core.batch": "Batch Padded",
            "anyseq.core.emission": "Choice Emission",
            "anyseq.core.hypotheses": "Hypotheses Stopped",
            "anyseq.core.items": "Item content",
            "anyseq.core.noise": "Noise",
            "anyseq.core.parts": "PartConfig",
            "anyseq.core.roles": "Codec Constraint Decoder Encoder Loss LossPart Model Objective Stop",
            "anyseq.core.spelling": "Spelling Unknown",
            "anyseq.core.streams": "Factored Grouped Pointers Spelt Stream Symbols TreeSymbols Vectors",
            "anyseq.core.tree": "Memory State Tree width",
            "anyseq.core.units": "Alignment Units",
        },
    )

__all__ = [
    "Alignment",
    "Batch",
    "Choice",
    "Codec",
    "Constraint",
    "Decoder",
    "Emission",
    "Encoder",
    "Factored",
    "Grouped",
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
    "Pointers",
    "Spelling",
    "Spelt",
    "State",
    "Stop",
    "Stopped",
    "Stream",
    "Symbols",
    "Tree",
    "TreeSymbols",
    "Units",
    "Unknown",
    "Vectors",
    "content",
    "width",
]
