"""What an output may be: whether some pointers are such a one, and one that needs no learning."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from anyseq.core.pointed import as_pointers
from anyseq.data.synthetic.geometry import nearest_neighbour_tour

Answer = Literal["order", "tour", "outline", "triangles", "any"]


def wrong(pointers: Sequence[int], elements: int, answer: Answer) -> str:
    """Why some pointers are no such answer; empty: they are one."""
    opened = list(pointers[:-1] if len(pointers) > 1 and pointers[0] == pointers[-1] else pointers)
    if answer in ("order", "tour"):
        named = opened if answer == "tour" else list(pointers)
        if sorted(named) != list(range(1, elements + 1)):
            return f"every one of {elements} elements once is wanted, here is {as_pointers(pointers)!r:.40}"
    elif answer == "outline":
        enough = len(opened) >= min(3, elements) and len(opened) < len(pointers)
        if not enough or len(set(opened)) < len(opened):
            return (
                "at least three elements, none twice, and the first again at the end are wanted, here is "
                f"{as_pointers(pointers)!r:.40}"
            )
    elif answer == "triangles":
        triples = [pointers[at : at + 3] for at in range(0, len(pointers), 3)]
        if not all(len(each) == 3 and all(a < b for a, b in pairwise(each)) for each in triples) or (
            not pointers and elements >= 3
        ):
            return f"triples of increasing numbers are wanted, here is {as_pointers(pointers)!r:.40}"
    return ""


def easy(points: np.ndarray, answer: Answer) -> list[int]:
    """The trivial answer for some points."""
    everything = list(range(1, len(points) + 1))
    if answer == "tour":
        tour = nearest_neighbour_tour(points)
        return [*tour, *tour[:1]]
    if answer == "outline" and points.shape[1] == 2:
        x, y = (points - points.mean(0)).T
        around = (np.arctan2(y, x).argsort() + 1).tolist()
        return [*around, *around[:1]]
    if answer == "triangles":
        return [number for last in everything[2:] for number in (1, last - 1, last)]
    return everything
