"""The settings that recurrent encoders and decoders share."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from anyseq.core import PartConfig
from anyseq.errors import ConfigError
from anyseq.nn.cells import Activation, Cell, ElmanCell, GruCell, LstmCell, ResetBeforeGruCell
from anyseq.nn.recurrent import Bidirectional, Causal, Dense, Layer, Residual


class RecurrentSettings(PartConfig):
    """Cells, layers, widths."""

    outline: ClassVar[tuple[str, ...]] = ("cell", "num_layers", "hidden_dim")

    cell: Literal["gru", "lstm", "elman"] = Field("gru", description="the recurrence")
    gru_form: Literal["reset_after", "reset_before"] = Field(
        "reset_after",
        description="where a GRU's reset gate falls: on U h (torch, fused kernel) or on h (Cho 2014, no biases, slow)",
    )
    activation: Activation = Field("tanh", description="φ of the cell; fused kernels: tanh, and relu of elman")
    embed_dim: int = Field(256, ge=1, description="width of the input vectors")
    hidden_dim: int = Field(512, ge=1, description="width of a layer's hidden vector (in each direction)")
    num_layers: int = Field(1, ge=1, description="layers above each other")
    connections: Literal["plain", "residual", "dense"] = Field(
        "residual",
        description="what a layer reads: plain: what the one below gives; residual: the same, and from the second on "
        "it adds to that; dense: the input and what all layers below give",
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="share dropped of each layer's input and of the last output")

    def make_cell(self, input_dim: int) -> Cell:
        """One cell.

        Raises:
            ConfigError: a form of the GRU was asked for another cell.
        """
        if self.cell != "gru" and self.gru_form != "reset_after":
            raise ConfigError(f"gru_form={self.gru_form} is a form of the gru, not of cell={self.cell}")
        if self.cell == "elman":
            return ElmanCell(input_dim, self.hidden_dim, self.activation)
        if self.cell == "lstm":
            return LstmCell(input_dim, self.hidden_dim, self.activation)
        form = GruCell if self.gru_form == "reset_after" else ResetBeforeGruCell
        return form(input_dim, self.hidden_dim, self.activation)

    def make_layers(self, input_dim: int, bidirectional: bool = False) -> list[Layer]:
        """All layers; the bottom one reads `input_dim`, the top one gives its hidden vector."""
        layers: list[Layer] = []
        for number in range(self.num_layers):
            layer: Layer
            if bidirectional:
                layer = Bidirectional(self.make_cell(input_dim), self.make_cell(input_dim), self.dropout)
            else:
                layer = Causal(self.make_cell(input_dim), self.dropout)
            if self.connections == "residual" and number:
                layer = Residual(layer)
            elif self.connections == "dense" and number < self.num_layers - 1:
                layer = Dense(layer)
            layers.append(layer)
            input_dim = layer.output_dim
        return layers
