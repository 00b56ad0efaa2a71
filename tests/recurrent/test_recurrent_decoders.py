"""What recurrent decoders refuse and share (the laws over them: tests/laws)."""

from __future__ import annotations

import pytest

from anyseq.core import Symbols, Vectors
from anyseq.errors import ConfigError
from anyseq.models.decoders.attention import AttentionDecoderConfig, RnnInputFeedingDecoder
from anyseq.models.decoders.base import DecoderConfig, MemoryShape
from anyseq.models.decoders.rnn import RnnDecoderConfig
from anyseq.nn.embeddings import SymbolEmbedding
from laws.cases import own_cell

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
