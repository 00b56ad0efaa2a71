"""Parity with a tiny random Marian model of Hugging Face: the whole Transformer, and beam search."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from anyseq.core import Batch, Item, Padded, Symbols
from anyseq.models.decoders.transformer import TransformerDecoderConfig
from anyseq.models.encoders.transformer import TransformerEncoderConfig
from anyseq.models.seq2seq import Seq2Seq, Seq2SeqConfig
from anyseq.search import Beam, EndSymbol, search
from signs import forbidden

torch.set_num_threads(1)
pytestmark = pytest.mark.full
SYMBOLS, PAD = 12, 11  # theirs has a symbol for padding, which starts a target too


def theirs() -> Any:
    transformers = pytest.importorskip("transformers")
    config = transformers.MarianConfig(
        vocab_size=SYMBOLS, d_model=8, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=12, decoder_ffn_dim=12, activation_function="relu",
        scale_embedding=True, pad_token_id=PAD, decoder_start_token_id=PAD, eos_token_id=0, forced_eos_token_id=None,
        dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, max_position_embeddings=64,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.MarianMTModel(config).double().eval()
    for name, parameter in model.named_parameters():
        if "embed_positions" not in name:
            nn.init.normal_(parameter, std=0.5)
    return model


@torch.no_grad()
def ours(marian: Any) -> Seq2Seq:
    """The same weights in anyseq's parts."""
    blocks = {"model_dim": 8, "ffn_dim": 12, "num_layers": 2, "num_heads": 2, "norm": "post", "dropout": 0.0}
    config = Seq2SeqConfig(
        encoder=TransformerEncoderConfig(**blocks), decoder=TransformerDecoderConfig(**blocks), share_embeddings=True
    )
    model = config.build(Symbols(SYMBOLS), Symbols(SYMBOLS)).double().eval()

    def copy(own: nn.Module, *others: nn.Module) -> None:
        own.weight.copy_(torch.cat([other.weight for other in others]))
        own.bias.copy_(torch.cat([other.bias for other in others]))

    for own, other in (
        *zip(model.encoder.layers, marian.model.encoder.layers, strict=True),
        *zip(model.decoder.layers, marian.model.decoder.layers, strict=True),
    ):
        attention = other.self_attn
        copy(own.self_attention.query_key_value, attention.q_proj, attention.k_proj, attention.v_proj)
        copy(own.self_attention.out, attention.out_proj)
        copy(own.feed_forward.into, other.fc1)
        copy(own.feed_forward.out, other.fc2)
        copy(own.around_self.norm, other.self_attn_layer_norm)
        copy(own.around_feed_forward.norm, other.final_layer_norm)
        if hasattr(own, "cross_attention"):
            copy(own.cross_attention.query, other.encoder_attn.q_proj)
            copy(own.cross_attention.key_value, other.encoder_attn.k_proj, other.encoder_attn.v_proj)
            copy(own.cross_attention.out, other.encoder_attn.out_proj)
            copy(own.around_cross.norm, other.encoder_attn_layer_norm)
    shared = marian.get_input_embeddings().weight
    model.encoder.embed.weight.copy_(shared)
    model.decoder.fed_back.start.copy_(shared[PAD])
    model.decoder.output.bias.copy_(marian.final_logits_bias[0])
    return model


def sources() -> Batch:
    rows = [[3, 5, 1, 0], [7, 0], [2, 2, 9, 10, 4, 0], [6, 1, 0]]
    source = Padded.stack([torch.tensor(row) for row in rows])
    return Batch({"source": source}, [Item({}, key=key) for key in range(len(rows))])


def test_the_transformer_is_marian() -> None:
    marian, batch = theirs(), sources()
    model = ours(marian)
    torch.manual_seed(1)
    target = Padded(torch.randint(PAD, (4, 7)), torch.ones(4, 7, dtype=torch.bool))
    start = torch.full((4, 1), PAD)
    with torch.no_grad():
        expected = marian(
            input_ids=batch.source.values.masked_fill(~batch.source.valid, PAD),
            attention_mask=batch.source.valid.long(),
            decoder_input_ids=torch.cat([start, target.values[:, :-1]], 1),
        ).logits.log_softmax(-1)
        emission, _ = model.decoder.unroll(model.decoder.prepare(model.encode(batch)), target)
    torch.testing.assert_close(emission.log_probs(), expected, rtol=0, atol=1e-6)  # their positions are float32


@pytest.mark.parametrize("beam_size", [1, 2, 5])
def test_beam_search_is_theirs(beam_size: int) -> None:
    """Without a length penalty; theirs never emits the padding symbol either."""
    marian, batch = theirs(), sources()
    model = ours(marian)
    with torch.no_grad():
        expected = marian.generate(
            input_ids=batch.source.values.masked_fill(~batch.source.valid, PAD),
            attention_mask=batch.source.valid.long(), num_beams=beam_size, num_return_sequences=beam_size,
            length_penalty=0.0, early_stopping=False, do_sample=False, max_new_tokens=40,
            bad_words_ids=[[PAD]],
        ).view(4, beam_size, -1)  # fmt: skip
        found = search(
            model.decoder, model.encode(batch), strategy=Beam(beam_size), stop=EndSymbol(40), n_best=beam_size,
            constraint=forbidden([[PAD]], SYMBOLS),
        )  # fmt: skip
    for source in range(4):
        for n in range(beam_size):
            length = int(found.lengths[source, n])
            own, other = found.values[source, n, :length].tolist(), expected[source, n, 1 : 1 + length].tolist()
            assert own == other
