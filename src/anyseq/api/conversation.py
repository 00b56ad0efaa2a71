"""A model one talks with: it is given what was said before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anyseq.api.use import Predictor
from anyseq.core import Item
from anyseq.tasks.decoding import Prediction


class Conversation:
    """Turns of both sides, the last of which are the source of the next reply; for a model of dialogues.

    A model that is none answers each turn by itself.

    Args:
        predictor: The model.
        alignments: Whether to align each reply with its source.
        search: Search settings by name.
    """

    def __init__(self, predictor: Predictor, *, alignments: bool = False, **search: Any) -> None:
        self._source: Callable[[list[str]], str] = predictor.task.source_of
        self._predict = lambda item: next(iter(predictor.predict_items([item], 1, alignments=alignments, **search)))
        self._turns: list[str] = []
        self._said = 0

    def say(self, turn: str) -> Prediction:
        """Say something; the reply is remembered, too. An empty turn begins anew, and has an empty reply."""
        turns = [*self._turns, turn] if turn.strip() else []
        source = self._source(turns) if turns else turn
        found: Prediction = self._predict(Item({"source": source}, self._said))
        self._said += 1
        self._turns = [*turns, found.output] if turns else []
        return found
