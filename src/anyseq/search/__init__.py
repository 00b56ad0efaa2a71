"""Greedy, beam and sampling as one loop; constraints, penalties, scoring."""

from anyseq.search.constraints import All, Constrained, MinLength, Never, NoRepeatNgram
from anyseq.search.forbidden import ForbiddenTexts
from anyseq.search.loop import search
from anyseq.search.penalties import Penalties
from anyseq.search.scoring import score
from anyseq.search.settings import SearchConfig
from anyseq.search.stops import EndSymbol
from anyseq.search.strategies import Beam, Greedy, Sampling, Strategy

__all__ = [
    "All",
    "Beam",
    "Constrained",
    "EndSymbol",
    "ForbiddenTexts",
    "Greedy",
    "MinLength",
    "Never",
    "NoRepeatNgram",
    "Penalties",
    "Sampling",
    "SearchConfig",
    "Strategy",
    "score",
    "search",
]
