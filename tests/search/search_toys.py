"""Decoders small enough to enumerate, and the searches a reader would write without a thought for speed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from anyseq.core import Decoder, Memory, Padded, State, Stop, width
from anyseq.nn.emissions import Table


class Recurrent(Decoder):
    """A seeded random recurrence: logits depend on the source and on the whole history."""

    def __init__(self, vocab_size: int, seed: int = 0, sharpness: float = 2.0, end: float = 0.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int) -> torch.nn.Parameter:
            return torch.nn.Parameter(torch.randn(*shape, generator=generator, dtype=torch.float64))

        self.embed, self.recur, self.out, self.first = draw(vocab_size, 6), draw(6, 6), draw(6, vocab_size), draw(6)
        self.bias = torch.nn.Parameter(torch.zeros(vocab_size, dtype=torch.float64))
        self.bias.data[0] = end
        self.sharpness, self.vocab_size = sharpness, vocab_size
        self.seen_rows: list[int] = []

    def start(self, memory: Memory) -> State:
        return State(steps=torch.zeros_like(memory.item), hidden=memory.summary)

    def step(self, memory: Memory, state: State, previous: Tensor) -> tuple[Table, State]:
        self.seen_rows.append(state.rows)
        x = torch.where(state.steps[:, None] == 0, self.first, self.embed[previous])
        hidden = torch.tanh(x + state.hidden @ self.recur)
        return Table(hidden @ self.out * self.sharpness + self.bias), State(steps=state.steps + 1, hidden=hidden)


class Attending(Recurrent):
    """The same, which looks at the source."""

    attends: ClassVar[bool] = True

    def step(self, memory: Memory, state: State, previous: Tensor) -> tuple[Table, State]:
        emission, state = super().step(memory, state, previous)
        rows = width(memory, state.rows)
        logits = torch.einsum("sld,std->slt", state.hidden.unflatten(0, (-1, rows)), memory.vectors)
        weights = (0.5 * logits).masked_fill(~memory.valid[:, None], -torch.inf).softmax(-1).flatten(0, 1)
        context = torch.einsum("slt,std->sld", weights.unflatten(0, (-1, rows)), memory.vectors).flatten(0, 1)
        return Table(emission.table + context @ self.out, attention=lambda: weights), state


class Fixed(Decoder):
    """The same logits at every step."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits, dtype=torch.float64)

    def start(self, memory: Memory) -> State:
        return State(steps=torch.zeros_like(memory.item), cache=Cache())

    def step(self, memory: Memory, state: State, previous: Tensor) -> tuple[Table, State]:
        return Table(self.logits.expand(state.rows, -1)), State(steps=state.steps + 1, cache=state.cache)


class Surely(Decoder):
    """Says one thing with a probability of .99 a symbol, looking everywhere; the end is the likeliest of all else."""

    attends: ClassVar[bool] = True

    def __init__(self, said: list[int], vocab_size: int) -> None:
        super().__init__()
        self.said, self.vocab_size = said, vocab_size

    def start(self, memory: Memory) -> State:
        return State(steps=torch.zeros_like(memory.item), right=torch.ones_like(memory.item, dtype=torch.bool))

    def step(self, memory: Memory, state: State, previous: Tensor) -> tuple[Table, State]:
        said = torch.tensor([*self.said, *[0] * 20])
        right = state.right & ((state.steps == 0) | (previous == said[(state.steps - 1).clamp(min=0)]))
        table = torch.full((state.rows, self.vocab_size), 1e-4, dtype=torch.float64)
        table[:, 0] = 0.009
        table[~right, 0] = 1.0  # what went wrong ends
        table[right, said[state.steps[right]]] = 0.99
        rows = width(memory, state.rows)
        looks = (memory.valid / memory.valid.sum(1, keepdim=True)).repeat_interleave(rows, 0)
        return Table(table.log(), attention=lambda: looks), State(steps=state.steps + 1, right=right)


class Short(Decoder):
    """Says 1 and the end, or seldom 2 for ever; counts the steps asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def start(self, memory: Memory) -> State:
        return State(steps=torch.zeros_like(memory.item))

    def step(self, memory: Memory, state: State, previous: Tensor) -> tuple[Table, State]:
        self.steps += 1
        after = torch.tensor([[0.0, 0.9, 0.1], [0.99, 0.0, 0.01], [0.001, 0.0, 0.999]], dtype=torch.float64)
        return Table(after[previous].log()), State(steps=state.steps + 1)


class Cache:
    """A leaf that counts how often it was copied."""

    copies = 0

    def select(self, rows: Tensor) -> Cache:
        Cache.copies += 1
        return self

    def where(self, rows: Tensor, old: Any) -> Cache:
        return self

    def to(self, device: torch.device) -> Cache:
        return self


def memory_of(keys: list[int], padding: int = 0) -> Memory:
    """The sources with these keys; a source's content depends on its key alone."""
    vectors = []
    for key in keys:
        generator = torch.Generator().manual_seed(1000 + key)
        vectors.append(torch.randn(1 + key % 4, 6, generator=generator, dtype=torch.float64))
    padded = Padded.stack([*vectors, torch.zeros(max(map(len, vectors)) + padding, 6, dtype=torch.float64)])
    values, valid = padded.values[:-1], padded.valid[:-1]
    return Memory(item=torch.tensor(keys), vectors=values, valid=valid, summary=values.sum(1))


def every_output(vocab_size: int, budget: int) -> Iterator[tuple[int, ...]]:
    """All outputs within a budget: complete ones, and those cut."""
    for length in range(budget):
        for body in itertools.product(range(1, vocab_size), repeat=length):
            yield (*body, 0)
    yield from itertools.product(range(1, vocab_size), repeat=budget)


def log_probs_after(decoder: Decoder, memory: Memory, values: list[int]) -> Tensor:
    """What a decoder says after these values, one step at a time."""
    memory = decoder.prepare(memory)
    state, previous = decoder.start(memory), torch.tensor([0])
    for value in values:
        _, state = decoder.step(memory, state, previous)
        previous = torch.tensor([value])
    return decoder.step(memory, state, previous)[0].log_probs()[0]


@torch.no_grad()
def plain_beam(
    decoder: Decoder, memory: Memory, beam_size: int, budget: int, ends: set[int], n_best: int | None = None
) -> list[tuple[Any, ...]]:
    """Beam search of one source as the docstring of the loop tells it: (rank of the reason, log_prob, values).

    Without `n_best` it goes on until no row lives.
    """
    living: list[tuple[float, list[int]]] = [(0.0, [])]
    finished: list[tuple[Any, ...]] = []
    while living:
        children = []
        for row, (total, values) in enumerate(living):
            log_probs = log_probs_after(decoder, memory, values).tolist()
            children += [(-(total + x), symbol, row) for symbol, x in enumerate(log_probs) if x > -float("inf")]
        children = sorted(children)[: 2 * beam_size]
        following = []
        for rank, (cost, symbol, row) in enumerate(children):
            values = [*living[row][1], symbol]
            if symbol in ends:
                finished += [(0, -cost, values)] * (rank < beam_size)
            elif len(following) < beam_size:
                following.append((-cost, values))
        complete = sorted((log_prob for reason, log_prob, _ in finished if reason == 0), reverse=True)
        if n_best and len(complete) >= n_best and (not following or following[0][0] <= complete[n_best - 1]):
            break
        if following and len(following[0][1]) == budget:
            finished += [(1, total, values) for total, values in following]
            following = []
        living = following
    return sorted(finished, key=lambda h: (h[0], -h[1]))


class EndsWith(Stop):
    """Several symbols end an output."""

    def __init__(self, ends: set[int], longest: int) -> None:
        self.ends, self.longest = torch.tensor(sorted(ends)), longest

    def done(self, memory: Memory, state: State, length: Tensor, last: Tensor) -> Tensor:
        assert torch.equal(length, state.steps)
        return torch.isin(last, self.ends)

    def budget(self, memory: Memory) -> Tensor:
        return torch.full_like(memory.item, self.longest)
