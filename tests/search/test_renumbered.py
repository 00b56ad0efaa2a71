"""A constraint over what several sources have of their own."""

from __future__ import annotations

import torch
from torch import Tensor

from anyseq.core import Memory, Padded
from anyseq.search import NoRepeatNgram
from anyseq.search.renumbered import Renumbered
from signs import forbidden

SHARED, BATCH = 3, 2  # symbols that mean the same everywhere; the batch's own symbols are 3 and 4
OWN = Padded(torch.tensor([[0, 1], [1, 0], [0, 0]]), torch.tensor([[True, True], [True, False], [False, False]]))
MEMORY = Memory(item=torch.arange(3), own=OWN)


def allowed(constraint: Renumbered, *chosen: list[int]) -> Tensor:
    """After some symbols of each row, two rows a source."""
    state = constraint.start(MEMORY).select(torch.arange(3).repeat_interleave(2))
    for column in chosen:
        state = constraint.advance(MEMORY, state, torch.tensor(column))
    return constraint.allowed(MEMORY, state)


def test_a_word_is_forbidden_wherever_a_source_has_it() -> None:
    table = allowed(Renumbered(forbidden([[4]], SHARED + BATCH), SHARED))
    assert table.shape == (6, 5) and bool(table[:, :3].all())
    assert table[::2, 3:].tolist() == [[True, False], [False, True], [True, True]]
    assert torch.equal(table[::2], table[1::2])


def test_a_sequence_is_followed_by_its_own_numbers() -> None:
    """The batch's 4 then its 2: the first source's 4, the second's 3."""
    constraint = Renumbered(forbidden([[4, 2]], SHARED + BATCH), SHARED)
    table = allowed(constraint, [4, 3, 3, 4, 1, 2])
    assert table[:, 2].tolist() == [False, True, False, True, True, True]
    assert bool(table[:, [0, 1, 3, 4]].all())


def test_what_was_copied_is_not_repeated() -> None:
    constraint = Renumbered(NoRepeatNgram(1, SHARED + BATCH), SHARED)
    table = allowed(constraint, [3, 4, 3, 1, 0, 2])
    for row, symbol in enumerate([3, 4, 3, 1, 0, 2]):
        assert [s for s in range(5) if not table[row, s]] == [symbol]


def test_no_source_has_any() -> None:
    none = Padded(torch.zeros(3, 0, dtype=torch.int64), torch.zeros(3, 0, dtype=torch.bool))
    constraint = Renumbered(forbidden([[1]], SHARED), SHARED)
    state = constraint.start(MEMORY)
    assert constraint.allowed(MEMORY.replace(own=none), state).tolist() == [[True, False, True]] * 3
