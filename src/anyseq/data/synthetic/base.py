"""What every generator of embedded data offers."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from anyseq.core import Item, PartConfig


class GeneratorConfig(PartConfig):
    """Settings of a generator: the data a recipe trains on when no files are given."""

    section: ClassVar[str] = "generators"

    @abstractmethod
    def generate(self, split: str) -> list[Item]:
        """Make the items of `train`, `dev` or `test`; the same settings give the same items, splits do not overlap."""
