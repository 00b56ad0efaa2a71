"""The roles: codec, encoder, decoder, model, constraint, stop, objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor, nn

from anyseq.core.batch import Batch, Padded
from anyseq.core.emission import Emission
from anyseq.core.items import Item
from anyseq.core.noise import Noise
from anyseq.core.spelling import Spelling, Unknown
from anyseq.core.streams import Pointers, Stream, Symbols, Vectors
from anyseq.core.tree import Memory, State, width
from anyseq.core.units import Units


class Codec(ABC):
    """Turns what a person has into tensors, and back.

    Law: decode(encode(x)) is the canonical form of x, and encoding that again changes nothing.
    """

    stream: Stream

    @abstractmethod
    def encode(self, raw: Any) -> Shaped[Tensor, "time *value"]:
        """Encode one raw value; a stream of `Symbols` ends with the end symbol, so at least one element results."""

    @abstractmethod
    def decode(self, values: Shaped[Tensor, "time *value"], item: Item | None = None) -> Any:
        """Turn values back, up to the end symbol. `item` is the source of the same line, for those who need it."""

    def augment(self, raw: Any, seed: int) -> Shaped[Tensor, "time *value"]:
        """Encode for training, where a codec may vary its output (subword sampling); the same seed gives the same."""
        return self.encode(raw)

    @property
    def augments(self) -> bool:
        """Whether `augment` differs from `encode`."""
        return False

    def units(self, values: Shaped[Tensor, "time *value"]) -> Units:
        """What a person sees of encoded values as one thing: here every element up to the end; in a text its words."""
        elements = len(values)
        if isinstance(self.stream, Symbols | Pointers) and (ends := (values == self.stream.end).nonzero()).numel():
            elements = int(ends[0])
        shown = [str(self.decode(values[place : place + 1])) for place in range(elements)]
        of = [range(place, place + 1) if place < elements else range(0) for place in range(len(values))]
        return Units(shown, of)

    @property
    def spelling(self) -> Spelling | None:
        """How the symbols spell a text; None where they spell none. Made anew at each call: keep it."""
        return None

    def unknown(self, raw: Any) -> Unknown:
        """What of a raw value has no symbol; nothing, for a codec that knows everything."""
        return Unknown()

    def grown(self, other: Codec) -> tuple[Codec, Sequence[str]] | None:
        """This with what another of its kind has symbols for and this has not, behind its own; and what that is.

        Old symbols keep their numbers. Without a vocabulary it is itself. None: it cannot grow.
        """
        return (self, ()) if isinstance(self.stream, Vectors | Pointers) else None

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write everything needed into an existing, empty folder."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""


class Encoder(nn.Module, ABC):
    """The fold: a source in, a Memory out.

    Attributes:
        output_dim: Width of `memory.vectors`.
        summary_dim: Width of `memory.summary`.
        state_dims: Of `memory.states`, layer by layer: width of each field by name; empty where there are none.
        embed: The input layer, which a decoder may share.

    Class attributes:
        placed: `memory.vectors` has a place for each of the source's.
    """

    placed: ClassVar[bool] = True

    output_dim: int
    summary_dim: int
    state_dims: Sequence[Mapping[str, int]] = ()
    embed: nn.Module

    @abstractmethod
    def forward(self, source: Padded, carry: Any = None) -> Memory:
        """Fold a source. A causal encoder folds in pieces: `memory.carry` goes into the next call."""


class Decoder(nn.Module, ABC):
    """The unfold: a State and the previous output in, an Emission and the next State out.

    Rows: row r belongs to source r // width with width = rows of the State (or target) / rows of the Memory, the same
    for all sources, in `step` and in `unroll`. Beams and samples of one source share its memory.

    Class attributes (what cannot be done is refused when the configuration is read):
        discrete: Its values are symbols: beam search, constraints and a table of log_probs exist. (A decoder that can
            emit either says so of itself.)
        whole: It feeds nothing back: one emission is the whole output.
        restricts: Its emission can be restricted by a constraint of the model.
        attends: Its emission offers `attention`.
        independent: It feeds nothing back, and yet says one place after the other: all may be asked for at once,
            whatever stands in `target`.
        aligned: Symbol t is said of the source's place t.
        constrained: What has come before may make a symbol impossible.

    Attributes:
        output_dim: Width of the vectors in its emissions, a lazy softmax over symbols; 0: its emissions are others.
    """

    output_dim: int = 0

    discrete: bool = True
    whole: ClassVar[bool] = False
    restricts: ClassVar[bool] = True
    attends: ClassVar[bool] = False
    independent: bool = False
    aligned: bool = False
    constrained: ClassVar[bool] = False

    def prepare(self, memory: Memory) -> Memory:
        """Add, once per source, what no hypothesis changes (projected keys and values)."""
        return memory

    @abstractmethod
    def start(self, memory: Memory) -> State:
        """The State before anything was emitted, one row per source. `memory` is prepared."""

    @abstractmethod
    def step(self, memory: Memory, state: State, previous: Shaped[Tensor, "row *value"]) -> tuple[Emission, State]:
        """Take in the previous output and say what comes next.

        May use up the State it is given; must not fail on rows already done. Rows with `state.steps` 0 get the
        start vector, whatever `previous` says.
        """

    def unroll(
        self,
        memory: Memory,
        target: Padded,
        state: State | None = None,
        previous: Shaped[Tensor, "row *value"] | None = None,
    ) -> tuple[Emission, State]:
        """Score a whole known target at once, as parallel as the architecture allows (here: the chain of steps).

        Args:
            memory: Prepared. Rows of `target` are a multiple of its sources.
            target: Without start symbol, with its end, at least one place wide here; the shift by one is inside.
            state: Where to go on from; None is the start, repeated for the width of `target`.
            previous: What `step` would get at target's first position; may be None at the start.

        Returns:
            The emission, [row, time], and the State that has consumed `previous` and all of a row's target but its
            last symbol, which the caller hands on as `previous`. A row of length 0 leaves its State unchanged.
        """
        state, previous = self.begin(memory, target, state, previous)
        emissions = []
        for time in range(target.values.shape[1]):
            emission, after = self.step(memory, state, previous)
            emissions.append(emission)
            state = after.where(target.valid[:, time], state)
            previous = target.values[:, time]
        return type(emissions[0]).stack(emissions, target.valid), state

    def begin(
        self, memory: Memory, target: Padded, state: State | None, previous: Tensor | None
    ) -> tuple[State, Tensor]:
        """Fill in what a caller of `unroll` may leave out: the start State at the target's width, any `previous`."""
        if state is None:
            sources = torch.arange(memory.rows, device=memory.item.device)
            state = self.start(memory).select(sources.repeat_interleave(width(memory, target.rows)))
        if previous is None:
            previous = target.values.new_zeros(target.rows, *target.values.shape[2:])
        return state, previous


class Model(nn.Module, ABC):
    """At most one Encoder and one or more named Decoders over the same Memory."""

    @abstractmethod
    def encode(self, batch: Batch) -> Memory:
        """Fold the batch's source. Adds the batch's other source-side fields by name. Not yet prepared."""

    @property
    @abstractmethod
    def decoder(self) -> Decoder:
        """The (main) decoder."""


class Constraint(ABC):
    """What may come next, given what has come so far."""

    @abstractmethod
    def start(self, memory: Memory) -> State:
        """The State before anything was chosen, one row per source."""

    @abstractmethod
    def allowed(self, memory: Memory, state: State) -> Bool[Tensor, "row symbol"]:
        """True where a symbol may come next. A row may be left with none: it is then blocked."""

    @abstractmethod
    def advance(self, memory: Memory, state: State, chosen: Int[Tensor, " row"]) -> State:
        """Take in what was chosen."""

    def unroll(
        self, memory: Memory, state: State, target: Padded
    ) -> tuple[Bool[Tensor, "row time symbol"], State]:
        """What was allowed at each place of a known target, and the State after it (by default the loop)."""
        tables = []
        for time in range(target.values.shape[1]):
            tables.append(self.allowed(memory, state))
            state = self.advance(memory, state, target.values[:, time]).where(target.valid[:, time], state)
        return torch.stack(tables, 1), state


class Stop(ABC):
    """When an output is complete, and when it is cut."""

    @abstractmethod
    def done(
        self, memory: Memory, state: State, length: Int[Tensor, " row"], last: Shaped[Tensor, "row k *value"]
    ) -> Bool[Tensor, "row k"]:
        """Whether each proposed child completes its row. `state` is the parent's; `length` counts the child."""

    @abstractmethod
    def budget(self, memory: Memory) -> Int[Tensor, " source"]:
        """The longest output allowed, end symbol and prefix counted, from that source alone; at least 1."""


@dataclass(frozen=True)
class LossPart:
    """One named part of a loss.

    Attributes:
        sum: Summed over this batch, differentiable.
        count: What it is divided by, summed over micro-batches and ranks (symbols, items).
        weight: Its share in the total.
    """

    sum: Tensor
    count: Tensor
    weight: float = 1.0


@dataclass(frozen=True)
class Loss:
    """The parts of a loss by name; the total is the sum of weight * sum / count."""

    parts: Mapping[str, LossPart]


class Objective(nn.Module, ABC):
    """What training minimises. May own modules and buffers (a baseline, a critic): they are checkpointed."""

    @abstractmethod
    def forward(self, model: Model, batch: Batch, noise: Noise) -> Loss:
        """The loss of a batch."""

    def watch(self, figures: Mapping[str, float]) -> str | None:
        """Why training should stop, seeing what a validation found; None: it goes on."""
        return None

    def agree(self) -> None:
        """An update was made, of whose batches each rank saw a share: bring to all ranks what all must know alike, such
        as a sum in a buffer (`core.ranks.total`).
        """

    def carried(self) -> Mapping[str, Tensor]:
        """What goes from update to update besides parameters and buffers, by name, with a row of the batch on axis 0;
        checkpointed with them.
        """
        return {}

    def carry_on(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `carried` gave; there may be nothing."""
