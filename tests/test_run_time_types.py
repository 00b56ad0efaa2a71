"""The checker of types and shapes, with its memory."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
from jaxtyping import Float, Int, TypeCheckError
from torch import Tensor

from run_time_types import FIRST, MANY, check, remembering, unchecked

GIVES: dict[str, Any] = {}


def product(left: Float[Tensor, "row dim"], right: Float[Tensor, " dim"], *, by: Literal["rows"] = "rows") -> Any:
    return None


def sums(values: Float[Tensor, "row time"], lengths: list[int]) -> Float[Tensor, " row"]:
    return GIVES["sums"]


@pytest.fixture(autouse=True)
def _nothing_given() -> None:
    GIVES.clear()


def test_what_is_wrong_is_found_after_what_was_right() -> None:
    checked = remembering(product, check)
    for _ in range(3):
        checked(torch.zeros(2, 3), torch.zeros(3), by="rows")
        for wrong in ((torch.zeros(2, 3), torch.zeros(4)), (torch.zeros(2, 3).long(), torch.zeros(3)), (1, 2)):
            with pytest.raises(TypeCheckError):
                checked(*wrong)
        with pytest.raises(TypeCheckError):
            checked(torch.zeros(2, 3), torch.zeros(3), by="columns")
        with pytest.raises(TypeCheckError):
            checked(right=torch.zeros(2, 3), left=torch.zeros(3))
        checked(left=torch.zeros(2, 3), right=torch.zeros(3))
        with unchecked():
            checked(torch.zeros(2, 3), torch.zeros(4))


def test_another_result_of_the_same_values_is_judged() -> None:
    checked = remembering(sums, check)
    for length in (2, 5, 2):
        GIVES["sums"] = torch.zeros(2)
        assert checked(torch.zeros(2, length), [1, 2]) is GIVES["sums"]
        for wrong in (torch.zeros(3), torch.zeros(2, 1), torch.zeros(2).int(), None):
            GIVES["sums"] = wrong
            for _ in range(2):
                with pytest.raises(TypeCheckError):
                    checked(torch.zeros(2, length), [1, 2])


def test_elements_of_containers_are_looked_at() -> None:
    """Beartype looks at one of a long list, drawn by chance: each time anew."""
    checked = remembering(sums, check)
    GIVES["sums"] = torch.zeros(2)
    checked(torch.zeros(2, 3), [1, 2])
    with pytest.raises(TypeCheckError):
        checked(torch.zeros(2, 3), ["1", "2"])
    checked(torch.zeros(2, 3), [1] * (MANY + 1))
    with pytest.raises(TypeCheckError):
        checked(torch.zeros(2, 3), ["1"] * (MANY + 1))


def test_what_is_raised_is_raised() -> None:
    def failing(places: Int[Tensor, " place"]) -> Int[Tensor, " place"]:
        raise KeyError(len(places))

    checked = remembering(failing, check)
    for _ in range(2):
        with pytest.raises(KeyError, match="2"):
            checked(torch.zeros(2).long())


def test_calls_without_shapes_are_looked_at_first() -> None:
    def longer(text: str, by: int) -> str:
        return text * by

    def shorter(values: Float[Tensor, " place"]) -> Float[Tensor, " place"]:
        return values

    plain, shaped = (remembering(function, check) for function in (longer, shorter))
    for _ in range(FIRST - 1):
        plain("a", 2)
        shaped(torch.zeros(2))
    with pytest.raises(TypeCheckError):
        plain(3, 2)
    assert plain(3, 2) == 6
    for _ in range(2):
        with pytest.raises(TypeCheckError):
            shaped(torch.zeros(2, 2))
