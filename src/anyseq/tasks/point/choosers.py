"""Which of several outputs that point is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from anyseq.core import Item
from anyseq.core.pointed import elements_of, pointers_of
from anyseq.core.polygons import tour_lengths
from anyseq.search.settings import SearchConfig
from anyseq.tasks.choosing import Alternative, Chooser


class OfLines(Chooser):
    """As another chooser, whose metric takes outputs for references and so needs the points, too.

    Args:
        chooser: The other.
        line: Makes a source and an output one line.
    """

    def __init__(self, chooser: Chooser, line: Callable[[Item, str], str]) -> None:
        self.chooser, self.line = chooser, line

    def values(
        self, items: Sequence[Item], found: Sequence[Sequence[Alternative]], settings: SearchConfig
    ) -> list[list[float]]:
        """The other's, of whole lines."""
        pairs = zip(items, found, strict=True)
        lines = [[replace(each, output=self.line(item, each.output)) for each in own] for item, own in pairs]
        return self.chooser.values(items, lines, settings)


class Shortest(Chooser):
    """The shortest round trip.

    Args:
        columns: Numbers of a city.
    """

    def __init__(self, columns: int) -> None:
        self.columns = columns

    def values(
        self, items: Sequence[Item], found: Sequence[Sequence[Alternative]], settings: SearchConfig
    ) -> list[list[float]]:
        """Less each tour's length; what leaves out a city, or has one twice, is worth less than all that do not."""
        return [self._values(item, alternatives) for item, alternatives in zip(items, found, strict=True)]

    def _values(self, item: Item, alternatives: Sequence[Alternative]) -> list[float]:
        points = elements_of(item.raw["source"], self.columns)
        tours = [pointers_of(each.output)[:-1] for each in alternatives]
        valid = [sorted(tour) == list(range(1, len(points) + 1)) for tour in tours]
        values = [-float("inf")] * len(tours)
        if whole := [place for place, each in enumerate(valid) if each]:
            lengths = tour_lengths(points[None].repeat(len(whole), 0), torch.tensor([tours[i] for i in whole]).numpy())
            for place, length in zip(whole, lengths.tolist(), strict=True):
                values[place] = -length
        return values
