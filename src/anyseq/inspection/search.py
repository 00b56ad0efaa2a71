"""The search: the tree of hypotheses, what was pruned when, the runners-up, and where greedy and beam part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from anyseq.core import Hypotheses, Model
from anyseq.nn.taps import Listener

Fate = Literal["lives", "ended", "pruned"]
RUNNERS_UP = 5


@dataclass(frozen=True)
class Node:
    """A hypothesis that the search looked at.

    Attributes:
        parent: Its parent's place among all nodes; -1: it is the first symbol.
        step: Symbols it holds.
        symbol: Its last one, as shown.
        log_prob: Of all it holds, in nats.
        fate: It `lives` on, has `ended`, or was `pruned` at its step.
        best: Whether what this search says goes through it.
    """

    parent: int
    step: int
    symbol: str
    log_prob: float
    fate: Fate
    best: bool


@dataclass(frozen=True)
class Choices:
    """What the model held likeliest at one place of an output, best first.

    Attributes:
        said: The symbol that was said.
        probability: Its probability there.
        symbols, probabilities: The likeliest.
    """

    said: str
    probability: float
    symbols: tuple[str, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class SearchTree:
    """How the output of one item was found.

    Attributes:
        beam_size: Of the search that is shown.
        nodes: Parents before children.
        choices: At each place of the output.
        greedy, beam: What each search says, symbol by symbol, and its log-probability.
        parted: The first place at which they differ; None: they say the same.
    """

    beam_size: int
    nodes: tuple[Node, ...]
    choices: tuple[Choices, ...]
    greedy: tuple[str, ...]
    greedy_log_prob: float
    beam: tuple[str, ...]
    beam_log_prob: float
    parted: int | None


def record(model: Model, search: Callable[[], Hypotheses]) -> tuple[Hypotheses, list[Any]]:
    """Run a search of a model and listen to it: of each step what lived before, and what it kept."""
    with Listener(model, ("search",)) as listener:
        found = search()
    return found, list(listener.heard.get("decoder.search", ()))


def trees(
    steps: Sequence[Any], best: Sequence[Sequence[int]], names: Sequence[Callable[[int], str]]
) -> list[tuple[Node, ...]]:
    """The tree of each source of a search.

    Args:
        steps: As `record` gives them.
        best: Of each source the symbols that the search says, its prefix included, which the tree begins behind.
        names: Of each source, what shows a symbol.
    """
    nodes: list[list[Node]] = [[] for _ in best]
    first = [0] * len(best)
    places: dict[int, int] = {}  # of each child of the step before, its place among its source's nodes
    for number, (live, kept) in enumerate(steps):
        if not number:
            width = len(live.alive) // len(live.source)
            for source, consumed in zip(live.source.tolist(), live.rows.steps[::width].tolist(), strict=True):
                first[source] = consumed
        before, places = places, {}
        heirs = zip(kept.heir.tolist(), kept.alive.tolist(), strict=True)
        lives = {child for child, alive in heirs if alive}
        values, parents, log_probs, ended, rows, alive = (
            each.tolist() for each in (kept.values, kept.parent, kept.log_prob, kept.ended, live.node, live.alive)
        )
        sources = live.source.tolist()
        for child, (value, row) in enumerate(zip(values, parents, strict=True)):
            source = sources[child * len(sources) // len(values)]
            if log_probs[child] == -float("inf") or not alive[row]:
                continue
            own, said = nodes[source], best[source]
            parent = before.get(rows[row], -1) if number else -1
            fate: Fate = "ended" if ended[child] else "lives" if child in lives else "pruned"
            step = first[source] + number
            given = (own[parent].best if parent >= 0 else not number) and said[step : step + 1] == [value]
            places[child] = len(own)
            own.append(Node(parent, step + 1, names[source](value), log_probs[child], fate, given and fate != "pruned"))
    return [tuple(own) for own in nodes]


@torch.inference_mode()
def choices(table: Tensor, said: Sequence[int], name: Callable[[int], str]) -> tuple[Choices, ...]:
    """What was likeliest at each place of an output.

    Args:
        table: Log-probabilities (places, symbols), of an emission unrolled over what was said.
        said: The symbol at each place, or at fewer.
        name: Shows a symbol.
    """
    table = table.float()
    best = table.topk(min(RUNNERS_UP, table.shape[-1]), -1)
    found = []
    for place, symbol in enumerate(said[: table.shape[0]]):
        pairs = list(zip(best.indices[place].tolist(), best.values[place].exp().tolist(), strict=True))
        pairs = [(name(each), probability) for each, probability in pairs if probability > 0]
        symbols, probabilities = zip(*pairs, strict=True) if pairs else ((), ())
        found.append(Choices(name(symbol), float(table[place, symbol].exp()), symbols, probabilities))
    return tuple(found)


def parted(one: Sequence[object], other: Sequence[object]) -> int | None:
    """The first place at which two outputs differ; None: nowhere."""
    for place in range(max(len(one), len(other))):
        if one[place : place + 1] != other[place : place + 1]:
            return place
    return None
