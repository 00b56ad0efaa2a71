"""Gates and cells of recurrent layers over time, and single cells that follow a property of the text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from anyseq.inspection.labelled import Told
from anyseq.inspection.moments import Moment, moments
from anyseq.inspection.properties import PROPERTIES, areas, correlations, ranks
from anyseq.inspection.reading import Reading

SHUT, OPEN = 0.1, 0.9
"""Below and above which a gate counts as saturated."""
LEAST_SCORE = 0.6  # of the area under the curve, below which nothing was found
_MOST_PLACES = 4000  # that cells are searched over
_BEST = 3  # cells told for a property
LEAST_PLACES = 20  # in each half of the items; of fewer some cell follows anything by chance


@dataclass(frozen=True)
class Trace:
    """One recurrent cell over one item.

    Attributes:
        path: Its place in the model.
        over: What it reads: the `source`, or the `output`, one place behind.
        places: What it has read last.
        gates: By name (`input`, `forget`, `output`; `reset`, `update`), in [0, 1].
        states: By name (`h`, `c`).
        cells: Which of its cells (channels) are here.
    """

    path: str
    over: str
    places: tuple[str, ...]
    gates: Mapping[str, Float[np.ndarray, "place gated"]]
    states: Mapping[str, Float[np.ndarray, "place cell"]]
    cells: Int[np.ndarray, " cell"]

    def only(self, cells: Sequence[int]) -> Trace:
        """Some of the cells; of the gates the mean over all cells, as if it were one."""
        chosen = np.array(sorted(cells), np.int64)
        means = {name: values.mean(1, keepdims=True) for name, values in self.gates.items()}
        return replace(self, gates=means, states={n: v[:, chosen] for n, v in self.states.items()}, cells=chosen)

    def part(self, places: slice) -> Trace:
        """Some of the places."""
        gates, states = ({name: each[places] for name, each in kind.items()} for kind in (self.gates, self.states))
        return replace(self, places=self.places[places], gates=gates, states=states)


@dataclass(frozen=True)
class Saturation:
    """How often each cell's gate was shut (below 0.1) and open (above 0.9): shares of all places."""

    path: str
    gate: str
    shut: Float[np.ndarray, " cell"]
    open: Float[np.ndarray, " cell"]


@dataclass(frozen=True)
class FoundCell:
    """A cell that follows a property, found on one half of the items (of a single one, of its places).

    Attributes:
        property: Which.
        measure: `auc` of what is so or not, `correlation` (Spearman's) of a number.
        path, state, cell: Where: `c` of cell 17 of a layer.
        score: On the other half: `auc` in [0, 1], by chance 0.5; `correlation` in [-1, 1], by chance 0.
        places: How many were looked at for the score.
    """

    property: str
    measure: Literal["auc", "correlation"]
    path: str
    state: str
    cell: int
    score: float
    places: int


@dataclass(frozen=True)
class Gates:
    """What recurrent layers did.

    Attributes:
        items: For each item that is shown, the traces of all cells.
        saturation: Over all items, of every layer and gate.
        found: Cells that follow a property, the closest first within each.
        moments: Of the cell that follows a told property best: its gates where that changes, and at other told moments.
    """

    items: Sequence[tuple[Trace, ...]]
    saturation: tuple[Saturation, ...]
    found: tuple[FoundCell, ...]
    moments: tuple[Moment, ...] = ()

    def lean(self, varied: int = 6) -> Gates:
        """The same with few cells of each layer: those that were found, and those that vary most."""
        chosen: dict[str, set[int]] = defaultdict(set)
        for each in self.found:
            chosen[each.path].add(each.cell)
        for path in {trace.path for item in self.items for trace in item}:
            traces = [trace for item in self.items for trace in item if trace.path == path]
            name = "c" if "c" in traces[0].states else "h"
            spread = np.concatenate([trace.states[name] for trace in traces]).std(0)
            chosen[path] |= set(spread.argsort()[::-1][:varied].tolist())
        items = [tuple(trace.only(sorted(chosen[trace.path])) for trace in item) for item in self.items]
        return replace(self, items=items)


@dataclass(frozen=True)
class _Searched:
    """A recurrent cell over one item, and what is so at the places that it reads: told, and by the text itself."""

    trace: Trace
    told: Told
    seen: Told

    def part(self, places: slice) -> _Searched:
        """Some of the places."""
        told, seen = ({name: each[places] for name, each in kind.items()} for kind in (self.told, self.seen))
        return _Searched(self.trace.part(places), told, seen)


def gates(readings: Iterable[Reading], items: int, told: Sequence[Told] = ()) -> Gates | None:
    """Look at the recurrent layers of a model.

    Args:
        readings: Of batches that were listened to for `gates`, `state` and `turned`.
        items: How many, from the first on, are kept place by place.
        told: Of each item, in the order of the readings, what is told of each symbol that is read.

    Returns:
        None where nothing recurs.

    Source:
        Cells that follow a property, saturation: Karpathy et al. 2015, arXiv:1506.02078, sections 4.2 and 4.3. There
        cells were found by eye; here by search, chosen on every other item and scored on the rest (of a single item,
        on the halves of its places).
    """
    kept: list[tuple[Trace, ...]] = []
    counts: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    searched: dict[str, list[_Searched]] = defaultdict(list)
    places: dict[str, int] = defaultdict(int)
    number = 0
    for reading in readings:
        for traces in _traces(reading):
            own, number = told[number] if told else {}, number + 1
            if len(kept) < items:
                kept.append(traces)
            for trace in traces:
                for gate, values in trace.gates.items():
                    counts[trace.path, gate].append(_saturated(values))
                if places[trace.path] < _MOST_PLACES:
                    known = _at_places(own, trace, "source" not in reading.batch)
                    seen = {name: np.array(of(trace.places)) for name, of in PROPERTIES.items()}
                    searched[trace.path].append(_Searched(trace if known else replace(trace, gates={}), known, seen))
                    places[trace.path] += len(trace.places)
    if not searched:
        return None
    shares = {key: np.sum(each, 0) for key, each in counts.items()}
    saturation = tuple(
        Saturation(path, gate, share[0] / share[2], share[1] / share[2]) for (path, gate), share in shares.items()
    )
    found = tuple(_search(searched))
    return Gates(kept, saturation, found, tuple(_moments(searched, found)))


def _traces(reading: Reading) -> list[tuple[Trace, ...]]:
    """Of each item, cell by cell."""
    names: dict[str, dict[str, list[str]]] = defaultdict(lambda: {"gates": [], "state": []})
    for kind in ("gates", "state"):
        for path, name in reading.named(kind):
            names[path][kind].append(name)
    values = {
        (path, kind, name): reading.in_time(path, f"{kind}.{name}")
        for path, kinds in names.items()
        for kind, found in kinds.items()
        for name in found
    }
    items = []
    for row in range(len(reading.shown)):
        traces = []
        for path, kinds in names.items():
            steps = next(each for (part, _, _), each in values.items() if part == path).shape[1]
            read = reading.places(path, row)
            if steps < len(read):  # it goes fewer steps than there are places: of a forecast all at once, one
                read = tuple(str(step) for step in range(1, steps + 1))
            own = {
                kind: {name: values[path, kind, name][row, : len(read)] for name in found}
                for kind, found in kinds.items()
            }
            width = next(iter(own["state"].values())).shape[1]
            traces.append(Trace(path, reading.over(path), read, own["gates"], own["state"], np.arange(width)))
        items.append(tuple(traces))
    return items


def _saturated(gate: Float[np.ndarray, "place cell"]) -> Float[np.ndarray, "three cell"]:
    """Places at which each cell is shut, at which it is open, and all."""
    return np.stack([(gate < SHUT).sum(0), (gate > OPEN).sum(0), np.full(gate.shape[1], len(gate))]).astype(float)


def _at_places(told: Told, trace: Trace, prompted: bool) -> Told:
    """What is told of symbols, at the places of a cell that reads them; nothing where it reads others."""
    if trace.over != "source" and not prompted:
        return {}
    before = np.full(int(trace.over == "output"), np.nan)  # the start, which is no symbol
    count = len(trace.places)
    padded = {name: np.concatenate([before, values, np.full(count, np.nan)]) for name, values in told.items()}
    return {name: values[:count] for name, values in padded.items()}


def _search(searched: Mapping[str, Sequence[_Searched]]) -> list[FoundCell]:
    """For each property the cells of all layers that follow it most closely."""
    best: dict[str, list[FoundCell]] = defaultdict(list)
    for path, items in searched.items():
        halves = _halves(items)
        properties = _told_apart(halves)
        for state in items[0].trace.states:
            values = [np.concatenate([each.trace.states[state] for each in half]) for half in halves]
            ranked = [ranks(each) for each in values]
            for name, wanted in properties.items():
                told = [~np.isnan(each) for each in wanted]
                if min(each.sum() for each in told) < LEAST_PLACES:
                    continue
                known = [each[at] for each, at in zip(wanted, told, strict=True)]
                rows = [r if at.all() else ranks(v[at]) for r, v, at in zip(ranked, values, told, strict=True)]
                best[name] += _closest(name, path, state, rows, known)
    return [each for found in best.values() for each in sorted(found, key=_closeness)[:_BEST]]


def _closest(
    name: str, path: str, state: str, ranked: Sequence[np.ndarray], wanted: Sequence[np.ndarray]
) -> Iterator[FoundCell]:
    """Those that follow a property most closely on the first half, with their score on the other."""
    truth = set(np.unique(np.concatenate(wanted))) <= {0.0, 1.0}
    measure = areas if truth else correlations  # of both halves, even where one holds 0 and 1 alone
    scores = [measure(r, w) for r, w in zip(ranked, wanted, strict=True)]
    away = np.nan_to_num(np.abs(scores[0] - 0.5) * 2 if truth else np.abs(scores[0]))
    for cell in away.argsort(kind="stable")[::-1][:_BEST].tolist():
        score = float(scores[1][cell])
        if np.isnan(score) or abs(2 * score - 1 if truth else score) < 2 * LEAST_SCORE - 1:
            continue
        yield FoundCell(name, "auc" if truth else "correlation", path, state, cell, score, len(wanted[1]))


def _halves(items: Sequence[_Searched]) -> tuple[Sequence[_Searched], Sequence[_Searched]]:
    """Every other item, and the rest; of a single one the first half of its places, and the other."""
    if len(items) > 1:
        return items[::2], items[1::2]
    middle = len(items[0].trace.places) // 2
    return [items[0].part(slice(middle))], [items[0].part(slice(middle, None))]


def _told_apart(halves: Sequence[Sequence[_Searched]]) -> dict[str, list[np.ndarray]]:
    """The properties at the places of each half, without those that are here the same as one before."""
    found: dict[str, list[np.ndarray]] = {
        name: [np.concatenate([each.told[name] for each in half]) for half in halves] for name in halves[0][0].told
    }
    for name in halves[0][0].seen:
        wanted = [np.concatenate([each.seen[name] for each in half]) for half in halves]
        if not any(all(map(np.array_equal, wanted, other)) for other in found.values()):
            found[name] = wanted
    return found


def _moments(searched: Mapping[str, Sequence[_Searched]], found: Sequence[FoundCell]) -> Iterator[Moment]:
    """Of each told property the gates of the cell that follows it best, in a layer whose gates are its cells' own."""
    seen = set()
    for each in found:
        half = _halves(searched[each.path])[1]
        if each.property in seen or each.property not in half[0].told:
            continue
        seen.add(each.property)
        gates = [item.trace.gates for item in half]
        own = [name for name, values in gates[0].items() if values.shape[1] > each.cell]
        chosen = [{name: values[name] for name in own} for values in gates]
        yield from moments(each.property, each.path, each.cell, chosen, [item.told for item in half])


def _closeness(found: FoundCell) -> float:
    """The closer a cell follows, the lower."""
    return -abs(2 * found.score - 1 if found.measure == "auc" else found.score)
