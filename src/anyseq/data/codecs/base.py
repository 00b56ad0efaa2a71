"""What every codec's configuration offers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

from anyseq.core import Codec, PartConfig
from anyseq.data.prefixes import Step


class CodecConfig(PartConfig):
    """Settings of a codec; `fit` makes it from the raw values of the training data (one pass).

    Class attributes:
        reads_files: A raw value may be the name of a file (a picture, a recording), or an array.
        endings: Of files that hold one raw value each.
        steps: What a raw value may be read by, from its beginning on.
        in_training: Names of settings that only say how training varies raw values: no matter of weights.
    """

    section: ClassVar[str] = "codecs"
    reads_files: ClassVar[bool] = False
    endings: ClassVar[tuple[str, ...]] = ()
    steps: ClassVar[tuple[Step, ...]] = ("words", "sentences")
    in_training: ClassVar[tuple[str, ...]] = ()

    def names_file(self, raw: str) -> bool:
        """Whether a text is the name of a file that holds the value, and not the value itself."""
        return self.reads_files

    def remarks(self, raws: Iterable[Any]) -> Iterator[str]:
        """What a person should know of how these raw values are read."""
        yield from ()

    @abstractmethod
    def fit(self, raws: Iterable[Any]) -> Codec:
        """Learn the codec (its vocabulary) from raw training values.

        Raises:
            DataError: there is nothing to learn from.
        """

    def varying_as(self, other: CodecConfig) -> Self:
        """This, with what another of its kind says of training; as it is where the other is of another kind."""
        if type(other) is not type(self):
            return self
        return self.model_copy(update={name: getattr(other, name) for name in self.in_training})

    @abstractmethod
    def load(self, folder: Path) -> Codec:
        """Read a codec of this kind that `Codec.save` wrote."""
