from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from toy_task import installed


@pytest.fixture(autouse=True)
def toys() -> Iterator[None]:
    with installed():
        yield


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[[str], Path]:
    """Write a recipe file; `task`, `description` and `model` are there unless the text gives them."""

    def write(text: str, bare: bool = False) -> Path:
        path = tmp_path / "recipe.yaml"
        path.write_text(text if bare else f"task: toy\ndescription: a toy\nmodel: square\n{text}", encoding="utf-8")
        return path

    return write
