"""An item as a person sees it, place by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from torch import Tensor

from anyseq.core import Codec, Units, Vectors

END, START, WHOLE = "⟨end⟩", "⟨start⟩", "⟨all of it⟩"
_MOST_NUMBERS = 3  # of a vector that is shown by its numbers


@dataclass(frozen=True)
class Shown:
    """One item.

    Attributes:
        given: What the model read, as a text.
        said: What it made of it; of a language model, what it read.
        source: What stands at each place of the source, the end included; nothing where there is no source.
        output: What stands at each place of what was said, the end included.
        wanted: The right answers, as far as they are known.
        log_prob: Of what was said, in nats.
        numbers: The source's vectors, where it is one of few numbers: points, series.
    """

    given: str
    said: str
    source: tuple[str, ...]
    output: tuple[str, ...]
    wanted: tuple[str, ...] = ()
    log_prob: float | None = None
    numbers: Float[np.ndarray, "place value"] | None = None

    @property
    def read(self) -> tuple[str, ...]:
        """What the decoder has read last at each place of the output: the start, then all but the last."""
        return (START, *self.output[:-1])


def places_of(codec: Codec, values: Shaped[Tensor, "time *value"], units: Units | None = None) -> tuple[str, ...]:
    """What stands at each place of an encoded value.

    Args:
        codec: Of this side.
        values: At least one.
        units: What a person sees of them, where the codec alone cannot tell (what was copied from a source).
    """
    if isinstance(codec.stream, Vectors):
        if values.dim() != 2 or values.shape[1] > _MOST_NUMBERS:
            return tuple(str(place) for place in range(1, len(values) + 1))
        numbers = [" ".join(f"{number:.3g}" for number in row) for row in values.tolist()]
        if isinstance(codec.decode(values[:1]), str):  # in the numbers that were given
            numbers = list(codec.units(values).shown)
        return tuple(f"{place} ({row})" for place, row in enumerate(numbers, 1))
    shown: Sequence[str] = getattr(codec, "shown", ())
    symbols = values.tolist() if values.dim() == 1 else []
    if shown and symbols and max(symbols) < len(shown):
        return tuple(shown[symbol] or END for symbol in symbols)
    units = codec.units(values) if units is None else units
    return tuple(" ".join(units.shown[unit] for unit in of) or END for of in units.of)
