"""The settings that convolutional encoders and decoders share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import nn

from anyseq.core import PartConfig
from anyseq.errors import ConfigError
from anyseq.nn.positions import Learned, Sinusoidal


class ConvSettings(PartConfig):
    """The shape of a stack of gated convolutions."""

    embed_dim: int = Field(256, ge=1, description="width of the input vectors and of what an encoder leaves")
    hidden_dim: int = Field(192, ge=1, description="width of the convolutions")
    num_layers: int = Field(4, ge=1, description="layers in the stack")
    kernel_width: int = Field(3, ge=1, description="places that each layer sees")
    positions: Literal["learned", "sinusoidal"] = Field("learned", description="how a place is known")
    max_positions: int = Field(1024, ge=1, description="learned positions; places beyond share the last one")
    dropout: float = Field(0.2, ge=0, lt=1, description="share dropped of the input and of what each layer reads")

    def position_layer(self) -> nn.Module:
        """What is added to the input for its positions.

        Raises:
            ConfigError: sinusoidal ones were asked for an odd width.
        """
        if self.positions == "sinusoidal":
            if self.embed_dim % 2:
                raise ConfigError(f"positions=sinusoidal needs an even embed_dim, not {self.embed_dim}; or: learned")
            return Sinusoidal(self.embed_dim)
        return Learned(self.embed_dim, self.max_positions)

    def bottom(self) -> nn.Module:
        """From the width of the input to that of the convolutions."""
        return changed(self.embed_dim, self.hidden_dim)

    def top(self) -> nn.Module:
        """What ends the stack: a norm, and the way back to the width of the input."""
        return nn.Sequential(nn.LayerNorm(self.hidden_dim), changed(self.hidden_dim, self.embed_dim))


def changed(from_dim: int, to_dim: int) -> nn.Module:
    """A linear map from one width to the other, which leaves zeros zero; nothing where they are the same."""
    if from_dim == to_dim:
        return nn.Identity()
    layer = nn.Linear(from_dim, to_dim, bias=False)
    nn.init.xavier_uniform_(layer.weight)
    return layer
