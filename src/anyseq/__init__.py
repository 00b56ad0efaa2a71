"""anyseq: any sequence in, any sequence out.

Fold a sequence into memory, unfold it into another until a condition is met. From Python: `anyseq.train`,
`anyseq.load(DIR).predict(lines)`, `anyseq.check`; the parts by hand: `anyseq.Seq2Seq` and what it is made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyseq.lazy import attributes

if TYPE_CHECKING:
    from anyseq.api import Predictor, average, check, info, inspect, load, resume, resume_seeds, train, train_seeds
    from anyseq.core import Batch, Item, Padded
    from anyseq.models.seq2seq import Seq2Seq
else:
    # Importing anyseq must stay cheap: torch comes with the first name that needs it.
    __getattr__ = attributes(
        __name__,
        {
            "anyseq.api": "Predictor average check info inspect load resume resume_seeds train train_seeds",
            "anyseq.core": "Batch Item Padded",
            "anyseq.models.seq2seq": "Seq2Seq",
        },
    )

__all__ = [
    "Batch",
    "Item",
    "Padded",
    "Predictor",
    "Seq2Seq",
    "average",
    "check",
    "info",
    "inspect",
    "load",
    "resume",
    "resume_seeds",
    "train",
    "train_seeds",
]


def __dir__() -> list[str]:
    return __all__
