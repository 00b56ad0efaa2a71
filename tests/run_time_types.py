"""The checker of types and shapes while the tests run (named in pyproject.toml): beartype, but for `Self`.

jaxtyping hands over bare functions, for which beartype cannot know whose `Self` is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jaxtyping
from beartype import beartype


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    function.__annotations__ = {
        name: Any if "Self" in str(hint) else hint for name, hint in function.__annotations__.items()
    }
    return beartype(function)


@contextmanager
def unchecked() -> Iterator[None]:
    """Types and shapes are not checked: four fifths of a small model's time."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
