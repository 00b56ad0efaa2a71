"""The checker of types and shapes while the tests run (named in pyproject.toml): beartype, but for `Self`.

jaxtyping hands over bare functions, for which beartype cannot know whose `Self` is meant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from beartype import beartype


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    function.__annotations__ = {
        name: Any if "Self" in str(hint) else hint for name, hint in function.__annotations__.items()
    }
    return beartype(function)
