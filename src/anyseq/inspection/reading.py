"""One pass of a model over known outputs, with what its taps showed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anyseq.core import Batch, Emission, Model
from anyseq.inspection.shown import Shown
from anyseq.nn.taps import Listener


@dataclass(frozen=True)
class Reading:
    """What a model did.

    Attributes:
        batch: The items, `target` being what was said.
        shown: The same for people, row by row.
        emission: What the decoder said of each place.
        heard: By path, what was shown.
    """

    batch: Batch
    shown: Sequence[Shown]
    emission: Emission
    heard: Mapping[str, Sequence[Any]]

    def named(self, kind: str) -> Iterator[tuple[str, str]]:
        """Path of the module and name behind the kind, of all that was shown of a kind, in the order of the model."""
        for path in self.heard:
            module, found, name = f".{path}.".rpartition(f".{kind}.")
            if found:
                yield module.strip("."), name.strip(".")

    def over(self, path: str) -> str:
        """What a part goes over: the source, or the output."""
        return "output" if path.startswith("decoder") or "source" not in self.batch else "source"

    def places(self, path: str, row: int) -> tuple[str, ...]:
        """What a recurrent part has read last at each of its times."""
        shown = self.shown[row]
        return shown.read if self.over(path) == "output" else shown.source

    def in_time(self, path: str, name: str) -> np.ndarray:
        """What a cell showed at every step, [row, time, cell], in the order of the text, whichever way it was read."""
        values = torch.stack(list(self.heard[f"{path}.{name}"]), 1)
        for module, child in self.named("turned"):
            inside = f"{module}.{child}" if child else module
            if path == inside or path.startswith(f"{inside}."):
                (turn,) = self.heard[f"{module}.turned.{child}" if child else f"{module}.turned"]
                values = values.flatten(0, 1).index_select(0, turn).view_as(values)
        return numpy_of(values)


def read(model: Model, batch: Batch, shown: Sequence[Shown], kinds: Sequence[str]) -> Reading:
    """Let a model go over a batch with known outputs, and listen.

    The model is in evaluation mode meanwhile, and nothing of it changes.

    Args:
        model: Any.
        batch: With `target`, at least one place wide.
        shown: The same for people.
        kinds: What to listen for.
    """
    training = model.training
    model.eval()
    try:
        with Listener(model, kinds) as listener, torch.inference_mode():
            decoder = model.decoder
            emission, _ = decoder.unroll(decoder.prepare(model.encode(batch)), batch.target)
    finally:
        model.train(training)
    return Reading(batch, shown, emission, listener.heard)


def numpy_of(values: Tensor) -> np.ndarray:
    """As an array of single precision."""
    return values.detach().float().cpu().numpy()
