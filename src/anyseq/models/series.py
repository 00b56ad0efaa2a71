"""A model of series: an encoder and a decoder of vectors, and what is done to a window before and undone behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Emission, Encoder, Memory, Padded, PartConfig, State, Vectors, width
from anyseq.errors import ConfigError
from anyseq.models.decoders.base import DecoderConfig, MemoryShape
from anyseq.models.encoders.base import EncoderConfig
from anyseq.models.seq2seq import Seq2Seq
from anyseq.nn.continuous import Continuous

By = Literal["none", "last", "mean"]
_LEAST = 1e-5  # added to a window's variance


class Normalised(Encoder):
    """An encoder of windows in units of their own: u = (x - shift) / scale, which the memory keeps for the way back.

    Args:
        encoder: Reads u, and what else a place holds besides values.
        dim: Values of a place: the first ones.
        by: `last`: shift is the window's last value, scale 1; `mean`: its mean and its standard deviation; `none`: the
            values as they are.
        affine: u is multiplied by a learnt vector and another is added, both undone at the output.
        noise: Standard deviation of what is added to u in training.

    Source:
        Kim et al. 2022, "Reversible instance normalization" (RevIN), ICLR; the last value: Zeng et al. 2022,
        arXiv:2205.13504 (NLinear).
    """

    def __init__(self, encoder: Encoder, dim: int, by: By, affine: bool = False, noise: float = 0.0) -> None:
        super().__init__()
        self.encoder, self.dim, self.by, self.noise = encoder, dim, by, noise
        self.placed = encoder.placed  # type: ignore[misc]
        self.output_dim, self.summary_dim, self.state_dims = encoder.output_dim, encoder.summary_dim, encoder.state_dims
        self.log_weight, self.bias = (nn.Parameter(torch.zeros(dim)) if affine else None for _ in range(2))

    @property
    def embed(self) -> nn.Module:  # type: ignore[override]
        """The encoder's input layer."""
        return self.encoder.embed

    def forward(self, source: Padded, carry: Any = None) -> Memory:
        """Fold a source; with `carry`, its next piece is refused.

        Raises:
            ValueError: a `carry` was given.
        """
        if carry is not None:
            raise ValueError("a window is normalised as a whole: it is not folded in pieces")
        x, others = source.values[..., : self.dim], source.values[..., self.dim :]
        shift, scale = self.units(x, source.valid)
        u = (x - shift[:, None]) / scale[:, None]
        if self.training and self.noise:
            u = u + self.noise * torch.randn_like(u)
        memory: Memory = self.encoder(Padded(torch.cat([u, others], 2), source.valid))
        return memory.replace(shift=shift, scale=scale)

    def units(
        self, x: Float[Tensor, "source time value"], valid: Tensor
    ) -> tuple[Float[Tensor, "source value"], Float[Tensor, "source value"]]:
        """Shift and scale of each window."""
        shift, scale = torch.zeros_like(x[:, 0]), torch.ones_like(x[:, 0])
        if self.by == "last":
            last = (valid.sum(1) - 1)[:, None, None].expand(-1, 1, x.shape[2])
            shift = x.gather(1, last)[:, 0]
        elif self.by == "mean":
            real = valid[:, :, None].to(x.dtype)
            count = real.sum(1)
            shift = (x * real).sum(1) / count
            scale = (((x - shift[:, None]) ** 2 * real).sum(1) / count + _LEAST).sqrt()
        if self.log_weight is not None and self.bias is not None:
            scale = scale / self.log_weight.exp()
            shift = shift - self.bias * scale
        return shift, scale


class Renormalised(Decoder):
    """A decoder of windows in units of their own, which the memory tells: it reads u, and speaks of u; this one of x.

    Args:
        decoder: Of vectors.
    """

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder
        self.discrete, self.independent = False, decoder.independent
        self.attends = decoder.attends  # type: ignore[misc]

    def prepare(self, memory: Memory) -> Memory:
        """As the decoder does."""
        return self.decoder.prepare(memory)

    def start(self, memory: Memory) -> State:
        """As the decoder does."""
        return self.decoder.start(memory)

    def step(self, memory: Memory, state: State, previous: Tensor) -> tuple[Emission, State]:
        """A step of the decoder."""
        shift, scale = _of_rows(memory, state.rows)
        emission, state = self.decoder.step(memory, state, (previous - shift) / scale)
        return _moved(emission, shift, scale), state

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Emission, State]:
        """The decoder's."""
        shift, scale = _of_rows(memory, target.rows)
        u = Padded((target.values - shift[:, None]) / scale[:, None], target.valid)
        before = None if previous is None else (previous - shift) / scale
        emission, state = self.decoder.unroll(memory, u, state, before)
        return _moved(emission, shift[:, None], scale[:, None]), state


def _of_rows(memory: Memory, rows: int) -> Sequence[Tensor]:
    each = width(memory, rows)
    return memory.shift.repeat_interleave(each, 0), memory.scale.repeat_interleave(each, 0)


def _moved(emission: Emission, shift: Tensor, scale: Tensor) -> Emission:
    assert isinstance(emission, Continuous)
    return emission.moved(shift, scale)


class SeriesModelConfig(PartConfig):
    """An encoder-decoder of windows of series."""

    encoder: EncoderConfig = Field(description="the fold")
    decoder: DecoderConfig = Field(description="the unfold")
    normalise: By = Field(
        "none", description="what a window is brought to units of its own by, and its output back: its last value; its "
        "mean and standard deviation (RevIN); none",
    )  # fmt: skip
    affine: bool = Field(False, description="learn a scale and a shift of each variable behind normalise=mean (RevIN)")
    noise: float = Field(0.0, ge=0, description="standard deviation of noise added to the source in training")

    def build(self, values_dim: int, features_dim: int, length: int) -> Seq2Seq:
        """Make the model.

        Args:
            values_dim: Values of a place.
            features_dim: What is known of a place besides, in the past and in advance.
            length: Places of an output.

        Raises:
            ConfigError: a part reads or says symbols alone.
        """
        if self.affine and self.normalise != "mean":
            raise ConfigError("model.affine belongs to reversible normalisation: set model.normalise=mean")
        encoder = Normalised(
            self.encoder.build(Vectors(values_dim + features_dim)), values_dim, self.normalise, self.affine, self.noise
        )
        shape = MemoryShape.of(encoder, features_dim)
        return Seq2Seq(encoder, Renormalised(self.decoder.build(shape, Vectors(values_dim, length=length))))
