"""Handwritten digits, as scikit-learn brings them along."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from anyseq.core import Item
from anyseq.data.synthetic.base import GeneratorConfig
from anyseq.errors import MissingExtraError, UsageError

_BOUNDS = {"train": (0, 1297), "dev": (1297, 1497), "test": (1497, 1797)}


class DigitsConfig(GeneratorConfig):
    """1,797 digits of 8 x 8 pixels (UCI Optical Recognition of Handwritten Digits): 1,297 to learn from, 200, 300."""

    seed: int = Field(1, ge=0, description="another seed gives other splits")

    def generate(self, split: str) -> list[Item]:
        """Make the items of a split.

        Raises:
            UsageError: there is no such split.
            MissingExtraError: scikit-learn is not installed.
        """
        if split not in _BOUNDS:
            raise UsageError(f"there is no split {split!r}; the splits are {', '.join(_BOUNDS)}")
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise MissingExtraError("scikit-learn", "examples") from error
        digits = load_digits()
        order = np.random.default_rng(self.seed).permutation(len(digits.target))[slice(*_BOUNDS[split])]
        pictures = (digits.images[order] * (255 / 16)).round().astype(np.uint8)
        named = zip(pictures, digits.target[order].tolist(), strict=True)
        return [Item({"source": picture, "target": str(label)}, key) for key, (picture, label) in enumerate(named)]
