"""A model that listens: sound comes in pieces of any length, and detections go out as soon as they can be made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from anyseq.core import Decoder, Memory, Padded
from anyseq.data.codecs.sound import Sound
from anyseq.models.seq2seq import Seq2Seq
from anyseq.tasks.spot.detecting import Detection, Detector

_PIECE_S = 10.0

SAID = 1
"""The symbol of a frame that stands behind the keyword; 0: of all others."""


def said_of(decoder: Decoder, memory: Memory) -> Float[Tensor, "source place symbol"]:
    """Log-probability of each symbol at each place of a memory, in nats."""
    target = Padded(torch.zeros_like(memory.valid, dtype=torch.int64), memory.valid)
    emission, _ = decoder.unroll(decoder.prepare(memory), target)
    return emission.log_probs()


def probability(log_probs: Float[Tensor, "place symbol"]) -> Float64[np.ndarray, " place"]:
    """That the keyword was just said, of each place."""
    return np.asarray(log_probs[:, SAID].double().exp().cpu().numpy())


class Listener:
    """Hears one stream. What it has heard goes on to the next piece: samples that make no whole frame yet, the fold's
    state, the scores that are smoothed. However a stream is cut, the numbers are the same.

    Args:
        model: A causal encoder, and a softmax over each place.
        codec: Makes frames of samples.
        detector: Makes detections of probabilities; its state is this stream's.

    Attributes:
        levels: The smoothed probability of each frame of the last piece.
        frames: How many there were in all.
    """

    def __init__(self, model: Seq2Seq, codec: Sound, detector: Detector) -> None:
        self._model, self._codec, self._detector = model.eval(), codec, detector
        self._rest, self._carry = torch.zeros(0), None
        self._device = next(model.parameters()).device
        self.levels: Float64[np.ndarray, " frame"] = np.zeros(0)
        self.frames = 0

    def feed(self, samples: Any) -> list[Detection]:
        """Hear the next samples (whole numbers of 16 bits, or floats in [-1, 1]; possibly none), at the codec's rate.

        Raises:
            DataError: they are none.
        """
        heard = self._codec.samples(samples) if len(samples) else torch.zeros(0)
        self._rest = torch.cat([self._rest, heard])
        count = (len(self._rest) - self._codec.window) // self._codec.hop + 1
        if count < 1:
            self.levels = np.zeros(0)
            return []
        frames = self._codec.scaled(self._codec.frames(self._rest))
        self._rest = self._rest[count * self._codec.hop :].clone()
        return self._hear(frames)

    def whole(self, raw: Any) -> Iterator[list[Detection]]:
        """Hear a recording (a WAV file's name, or samples) to its end, piece by piece; the detections of each.

        So an hour needs no more memory than some seconds.
        """
        for piece in self._codec.samples(raw).split(round(_PIECE_S * self._codec.sample_rate_hz)):
            yield self.feed(piece)
        yield self.end()

    def end(self) -> list[Detection]:
        """The stream is over: what is shorter than a frame is one, with silence; else nothing is left to be said."""
        if self.frames or not len(self._rest):
            self.levels = np.zeros(0)
            return []
        return self._hear(self._codec.scaled(self._codec.frames(self._rest)))

    def _hear(self, frames: Float[Tensor, "time band"]) -> list[Detection]:
        with torch.inference_mode():
            values = frames[None].to(self._device)
            source = Padded(values, torch.ones_like(values[..., 0], dtype=torch.bool))
            memory = self._model.encoder(source, self._carry)
            self._carry = memory.get("carry")
            said = probability(said_of(self._model.decoder, memory)[0])
        first = self.frames
        self.frames += len(frames)
        self.levels, places = self._detector.feed(said)
        return [Detection(self.time_s(place), float(self.levels[place - first])) for place in places]

    def time_s(self, frame: int) -> float:
        """When a frame ends, in seconds from the stream's beginning."""
        return (frame * self._codec.hop + self._codec.window) / self._codec.sample_rate_hz
