"""What every codec's configuration offers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from anyseq.core import Codec, PartConfig


class CodecConfig(PartConfig):
    """Settings of a codec; `fit` makes it from the raw values of the training data (one pass)."""

    section: ClassVar[str] = "codecs"

    @abstractmethod
    def fit(self, raws: Iterable[Any]) -> Codec:
        """Learn the codec (its vocabulary) from raw training values.

        Raises:
            DataError: there is nothing to learn from.
        """

    @abstractmethod
    def load(self, folder: Path) -> Codec:
        """Read a codec of this kind that `Codec.save` wrote."""
