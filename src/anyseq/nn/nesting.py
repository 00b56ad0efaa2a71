"""Where the writer of a tree stands: which brackets are open, and how much of the source is taken."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from anyseq.core import Padded, Symbols, TreeSymbols


@dataclass(frozen=True)
class Moves:
    """What each symbol of a stream does.

    Attributes:
        closed_by: Of a symbol that opens a bracket the one that closes it; 0 of others.
        opens: Whether it opens a bracket.
        closes: Whether it closes one.
        takes: Whether it takes the source's next element.
    """

    closed_by: Int[Tensor, " symbol"]
    opens: Bool[Tensor, " symbol"]
    closes: Bool[Tensor, " symbol"]
    takes: Bool[Tensor, " symbol"]

    @classmethod
    def of(cls, stream: Symbols) -> Moves:
        """Those of a stream of trees; of any other every symbol but the end takes the next element."""
        if isinstance(stream, TreeSymbols):
            closed_by, takes = torch.tensor(stream.closed_by), torch.tensor(stream.takes)
        else:
            closed_by = torch.zeros(stream.vocab_size, dtype=torch.int64)
            takes = torch.arange(stream.vocab_size) != stream.end
        closes = torch.zeros_like(takes).index_fill(0, closed_by[closed_by > 0], True)
        return cls(closed_by, closed_by > 0, closes, takes)

    def to(self, device: torch.device) -> Moves:
        """The same on a device."""
        return Moves(*(table.to(device) for table in vars(self).values()))


@dataclass(frozen=True)
class Nest:
    """What is open and what is taken, a row each. A leaf of a State.

    What is no tree does no harm: what closes nothing leaves all as it is.

    Attributes:
        taken: Elements of the source.
        opened: Brackets, those that are closed again included.
        depth: Brackets that are open.
        bare: The last move opened a bracket: there is nothing in it yet.
        labels: The opening symbols of the open brackets, outermost first, then whatever.
        places: What was taken when each was opened.
    """

    taken: Int[Tensor, " row"]
    opened: Int[Tensor, " row"]
    depth: Int[Tensor, " row"]
    bare: Bool[Tensor, " row"]
    labels: Int[Tensor, "row level"]
    places: Int[Tensor, "row level"]

    @classmethod
    def start(cls, like: Int[Tensor, " row"]) -> Nest:
        """Nothing open, nothing taken."""
        nothing, none = torch.zeros_like(like), like.new_zeros(like.shape[0], 0)
        return cls(nothing, nothing, nothing, nothing.bool(), none, none)

    def advance(self, moves: Moves, symbols: Int[Tensor, " row"]) -> Nest:
        """One symbol a row; the end does nothing."""
        opens, closes, takes = moves.opens[symbols], moves.closes[symbols] & (self.depth > 0), moves.takes[symbols]
        labels, places = self.labels, self.places
        if bool(opens.any()):
            wider = (0, int((self.depth + opens).max()) - labels.shape[1])
            labels, places = (F.pad(labels, wider), F.pad(places, wider)) if wider[1] > 0 else (labels, places)
            here = opens[:, None] & (torch.arange(labels.shape[1], device=symbols.device) == self.depth[:, None])
            labels = torch.where(here, symbols[:, None], labels)
            places = torch.where(here, self.taken[:, None], places)
        return Nest(
            self.taken + takes, self.opened + opens, self.depth + opens.long() - closes.long(),
            opens | (self.bare & ~(closes | takes)), labels, places,
        )  # fmt: skip

    def innermost(self, level: int) -> tuple[Int[Tensor, " row"], Int[Tensor, " row"]]:
        """Label and place of the open bracket so many levels out from the innermost; 0 and 0 where there is none."""
        place = self.depth - 1 - level
        if not self.labels.shape[1]:
            return torch.zeros_like(self.depth), torch.zeros_like(self.depth)
        at, there = place.clamp(min=0)[:, None], place >= 0
        return self.labels.gather(1, at)[:, 0] * there, self.places.gather(1, at)[:, 0] * there

    def select(self, rows: Int[Tensor, " new"]) -> Nest:
        """The given rows."""
        return Nest(*(leaf.index_select(0, rows) for leaf in vars(self).values()))

    def where(self, rows: Bool[Tensor, " row"], old: Nest) -> Nest:
        """This in `rows`, the old elsewhere."""
        width = max(self.labels.shape[1], old.labels.shape[1])

        def both(new: Tensor, before: Tensor) -> Tensor:
            if new.dim() == 1:
                return torch.where(rows, new, before)
            new, before = F.pad(new, (0, width - new.shape[1])), F.pad(before, (0, width - before.shape[1]))
            return torch.where(rows[:, None], new, before)

        return Nest(*(both(new, before) for new, before in zip(vars(self).values(), vars(old).values(), strict=True)))

    def to(self, device: torch.device) -> Nest:
        """The same on a device."""
        return Nest(*(leaf.to(device) for leaf in vars(self).values()))


@dataclass(frozen=True)
class Track:
    """Where each row stands at several places, and what brackets are open there, the innermost first.

    Attributes:
        taken, opened, depth, bare: As of `Nest`.
        labels, places: Of the brackets so many levels out from the innermost; 0 where there is none.
    """

    taken: Int[Tensor, "row time"]
    opened: Int[Tensor, "row time"]
    depth: Int[Tensor, "row time"]
    bare: Bool[Tensor, "row time"]
    labels: Int[Tensor, "row time level"]
    places: Int[Tensor, "row time level"]

    @classmethod
    def of(cls, nest: Nest, levels: int) -> Track:
        """One place: here."""
        found = [nest.innermost(level) for level in range(levels)]
        labels, places = (torch.stack(each, 1)[:, None] for each in zip(*found, strict=True))
        taken, opened, depth, bare = (each[:, None] for each in (nest.taken, nest.opened, nest.depth, nest.bare))
        return cls(taken, opened, depth, bare, labels, places)

    def behind(self, first: Track) -> Track:
        """Where each row stood one place before, the first time in `first`."""
        pairs = zip(vars(first).values(), vars(self).values(), strict=True)
        return Track(*(torch.cat([one, all_but[:, :-1]], 1) for one, all_but in pairs))


def along(nest: Nest, moves: Moves, inputs: Padded, levels: int) -> tuple[Track, Nest]:
    """Where each row stands after each of its inputs (at least one), all at once, and after the last; what is not valid
    does nothing.

    The bracket that is open at a depth is the last one that reached it.
    """
    symbols = inputs.values.masked_fill(~inputs.valid, 0)
    opens, takes = moves.opens[symbols], moves.takes[symbols]
    height = nest.depth[:, None] + (opens.long() - moves.closes[symbols].long()).cumsum(1)
    depth = height - height.cummin(1).values.clamp(max=0)  # what closes nothing leaves all as it is
    closes = moves.closes[symbols] & (torch.cat([nest.depth[:, None], depth[:, :-1]], 1) > 0)
    taken, opened = nest.taken[:, None] + takes.cumsum(1), nest.opened[:, None] + opens.cumsum(1)
    time = torch.arange(symbols.shape[1], device=symbols.device)
    moved = torch.where(opens | closes | takes, time, -1).cummax(1).values
    bare = torch.where(moved >= 0, opens.gather(1, moved.clamp(min=0)), nest.bare[:, None])
    depths = torch.arange(1, max(1, int(depth.max())) + 1, device=symbols.device)
    reached = opens[:, :, None] & (depth[:, :, None] == depths)
    last = torch.where(reached, time[:, None], -1).cummax(1).values

    def stacked(found: Tensor, before: Tensor) -> Tensor:
        """At each place of each depth what was found where its bracket opened, or stood there before."""
        old = F.pad(before, (0, len(depths) - before.shape[1]))[:, None]
        return torch.where(last >= 0, found.gather(1, last.clamp(min=0).flatten(1)).view_as(last), old)

    labels, places = stacked(symbols, nest.labels), stacked(taken, nest.places)
    at = depth[:, :, None] - 1 - torch.arange(levels, device=symbols.device)
    inner_labels, inner_places = (each.gather(2, at.clamp(min=0)) * (at >= 0) for each in (labels, places))
    end = Nest(*(each[:, -1] for each in (taken, opened, depth, bare, labels, places)))
    return Track(taken, opened, depth, bare, inner_labels, inner_places), end
