"""The search: the tree of hypotheses, what was pruned when, the runners-up, and where greedy and beam part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from anyseq.core import Emission, Hypotheses, Model
from anyseq.nn.emissions import Discrete
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
        best: Whether the output that was given goes through it.
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


def tree(steps: Sequence[Any], best: Sequence[int], name: Callable[[int], str]) -> tuple[Node, ...]:
    """The tree of a search of one source.

    Args:
        steps: As `record` gives them.
        best: The symbols of the output that was given, its prefix included, which the tree begins behind.
        name: Shows a symbol.
    """
    nodes: list[Node] = []
    first = int(steps[0][0].rows.steps[0]) if steps else 0
    best = best[first:]
    above: list[int] = []  # the node of each child of the step before
    for number, (live, kept) in enumerate(steps):
        lives = {int(child) for child, alive in zip(kept.heir.tolist(), kept.alive.tolist(), strict=True) if alive}
        log_probs, ended = kept.log_prob.tolist(), kept.ended.tolist()
        here = []
        of_rows = live.node.tolist()
        for child, (value, row) in enumerate(zip(kept.values.tolist(), kept.parent.tolist(), strict=True)):
            parent = above[of_rows[row]] if number else -1
            if log_probs[child] == -float("inf") or not live.alive[row]:
                here.append(-1)
                continue
            fate: Fate = "ended" if ended[child] else "lives" if child in lives else "pruned"
            given = parent < 0 or nodes[parent].best
            chosen = given and number < len(best) and value == best[number] and fate != "pruned"
            here.append(len(nodes))
            nodes.append(Node(parent, first + number + 1, name(value), log_probs[child], fate, chosen))
        above = here
    return tuple(nodes)


@torch.inference_mode()
def choices(emission: Emission, row: int, said: Sequence[int], name: Callable[[int], str]) -> tuple[Choices, ...]:
    """What was likeliest at each place of one row of an unrolled emission; nothing where it has no table."""
    if not isinstance(emission, Discrete):
        return ()
    table = emission.log_probs()
    table = table[row].float()
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
