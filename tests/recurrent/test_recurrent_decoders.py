"""What recurrent decoders refuse and share (the laws over them: tests/laws)."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from anyseq.core import Decoder, Padded, Symbols, Vectors
from anyseq.errors import ConfigError
from anyseq.models.decoders.attention import AttentionDecoderConfig, RnnInputFeedingDecoder
from anyseq.models.decoders.base import DecoderConfig, MemoryShape
from anyseq.models.decoders.rnn import RnnDecoderConfig
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import SymbolEmbedding
from anyseq.nn.recurrent import Causal
from laws.cases import own_cell, unlike_new
from laws.decoder_laws import make_memory

VOCAB = 7
SHAPE = MemoryShape(vectors_dim=6, summary_dim=5)


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        (AttentionDecoderConfig(scores="dot", hidden_dim=8), "general"),
        (RnnDecoderConfig(cell="lstm", gru_form="reset_before"), "gru_form"),
    ],
)
def test_impossible_settings_are_refused(config: DecoderConfig, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        config.build(SHAPE, Symbols(VOCAB))


def test_impossible_partners_are_refused() -> None:
    with pytest.raises(ConfigError, match="symbols"):
        RnnDecoderConfig().build(SHAPE, Vectors(3))
    with pytest.raises(ConfigError, match="share_embeddings"):
        RnnDecoderConfig(embed_dim=4).build(SHAPE, Symbols(VOCAB), SymbolEmbedding(VOCAB, 5))


def test_input_feeding_refuses_a_cell_that_cannot_be_projected() -> None:
    with pytest.raises(ValueError, match="AffineCell"):
        own_cell(SHAPE, Symbols(VOCAB), RnnInputFeedingDecoder)


def test_tied_and_shared_embeddings_are_one_tensor() -> None:
    embed = SymbolEmbedding(VOCAB, 4)
    decoder = AttentionDecoderConfig(embed_dim=4, hidden_dim=6).build(SHAPE, Symbols(VOCAB), embed)
    assert decoder.head.output.weight is embed.weight
    assert decoder.fed_back.embed is embed


class Halved(Dropout):
    """A dropout that leaves nothing to chance."""

    def forward(self, x: Tensor) -> Tensor:
        return x / 2


@pytest.mark.parametrize("settings", [{}, {"connections": "dense"}])
def test_dropout_falls_on_all_that_an_input_feeding_layer_reads(settings: dict[str, str]) -> None:
    """In `unroll`, which trains, as in `step`: on what was read from the source too."""
    torch.manual_seed(1)
    config = AttentionDecoderConfig(input_feeding=True, embed_dim=4, hidden_dim=6, num_layers=2, **settings)
    decoder = unlike_new(config.build(SHAPE, Symbols(VOCAB)))
    for module in list(decoder.modules()):
        if isinstance(module, Causal):
            module.dropout = Halved(0.5)
    memory, target = make_memory(SHAPE), Padded(torch.randint(VOCAB, (4, 5)), torch.ones(4, 5, dtype=torch.bool))
    memory = decoder.prepare(memory)
    fast, slow = (unroll(memory, target)[0] for unroll in (decoder.unroll, partial(Decoder.unroll, decoder)))
    torch.testing.assert_close(fast.log_probs(), slow.log_probs(), rtol=0, atol=1e-9)
