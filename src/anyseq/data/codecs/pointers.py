"""Elements of the source as symbols: what a model points at."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor

from anyseq.core import Codec, Item, Pointers, Symbols
from anyseq.core.pointed import as_pointers, pointers_of
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.prefixes import Step
from anyseq.errors import DataError, ModelFolderError

_FILE = "pointers.json"


class PointerCodec(Codec):
    """Numbers of elements, counted from 1 (`1 4 2 1`): the symbol of an element is its number, 0 is the end.

    Args:
        round_trip: The first element comes again at an output's end, and no symbol stands for that.
        most: Elements a source may have, for decoders of symbols of a vocabulary; None: pointers, to any number.
    """

    def __init__(self, round_trip: bool = False, most: int | None = None) -> None:
        self.round_trip, self.most = round_trip, most
        self.stream = Pointers() if most is None else Symbols(1 + most)

    def encode(self, raw: Any) -> Int[Tensor, " time"]:
        """The numbers and the end.

        Raises:
            DataError: they are none, or above `most`.
        """
        numbers = pointers_of(raw)
        if self.most is not None and max(numbers, default=0) > self.most:
            raise DataError(f"element {max(numbers)} is above codec.target.most={self.most}; raise it")
        if self.round_trip and len(numbers) > 1 and numbers[0] == numbers[-1]:
            numbers = numbers[:-1]
        return torch.tensor([*numbers, 0])

    def decode(self, values: Int[Tensor, " time"], item: Item | None = None) -> str:
        """The numbers up to the end."""
        numbers = values.tolist()
        numbers = numbers[: numbers.index(0)] if 0 in numbers else numbers
        return as_pointers([*numbers, *numbers[:1]] if self.round_trip else numbers)

    def save(self, folder: Path) -> None:
        """Write the settings."""
        about = {"round_trip": self.round_trip, "most": self.most}
        (folder / _FILE).write_text(json.dumps(about), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        try:
            return cls(**json.loads((folder / _FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as fault:
            raise ModelFolderError(
                f"{folder / _FILE} is no codec of this kind ({fault!r}); copy the model folder again, whole"
            ) from None


class PointersConfig(CodecConfig):
    """Numbers of the source's elements, counted from 1: `1 4 2 1`."""

    steps: ClassVar[tuple[Step, ...]] = ()

    round_trip: bool = Field(
        False, description="the first element comes again at the end of every output, as in tours: no symbol says so"
    )
    most: int | None = Field(
        None, ge=1, description="for decoders of symbols: the most elements a source may have; null: pointers, to any "
        "number of elements",
    )  # fmt: skip

    def fit(self, raws: Iterable[Any]) -> PointerCodec:
        """There is nothing to be learnt."""
        return PointerCodec(self.round_trip, self.most)

    def load(self, folder: Path) -> PointerCodec:
        """Read a codec of this kind."""
        return PointerCodec.load(folder)
