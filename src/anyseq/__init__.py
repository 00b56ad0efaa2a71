"""anyseq: any sequence in, any sequence out.

Fold a sequence into memory, unfold it into another until a condition is met. From Python: `anyseq.train`,
`anyseq.load(DIR).predict(lines)`, `anyseq.check`; the parts by hand: `anyseq.Seq2Seq` and what it is made of.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anyseq.api import Predictor, average, check, info, load, resume, train
    from anyseq.core import Batch, Item, Padded
    from anyseq.models.seq2seq import Seq2Seq

# Where each public name lives. Importing anyseq must stay cheap: torch comes with the first name that needs it.
_HOMES = {
    "Batch": "anyseq.core",
    "Item": "anyseq.core",
    "Padded": "anyseq.core",
    "Predictor": "anyseq.api",
    "Seq2Seq": "anyseq.models.seq2seq",
    "average": "anyseq.api",
    "check": "anyseq.api",
    "info": "anyseq.api",
    "load": "anyseq.api",
    "resume": "anyseq.api",
    "train": "anyseq.api",
}

__all__ = [
    "Batch",
    "Item",
    "Padded",
    "Predictor",
    "Seq2Seq",
    "average",
    "check",
    "info",
    "load",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"anyseq has no {name!r}; it has {', '.join(__all__)}")
    return vars(import_module(_HOMES[name]))[name]


def __dir__() -> list[str]:
    return __all__
