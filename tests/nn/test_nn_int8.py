"""Weights of eight bits: near the floats, the same alone and in a batch, and fewer bytes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anyseq.core import Batch, Item, Padded, Symbols
from anyseq.errors import UsageError
from anyseq.models.decoders.attention import AttentionDecoderConfig
from anyseq.models.decoders.conv import ConvDecoderConfig
from anyseq.models.decoders.transformer import TransformerDecoderConfig
from anyseq.models.encoders.conv import ConvEncoderConfig
from anyseq.models.encoders.rnn import RnnEncoderConfig
from anyseq.models.encoders.transformer import TransformerEncoderConfig
from anyseq.models.seq2seq import Seq2Seq, Seq2SeqConfig
from anyseq.nn.embeddings import OutputEmbedding, SymbolEmbedding
from anyseq.nn.int8 import SMALLEST, Int8Weight, use_int8

BLOCKS = {"model_dim": 64, "ffn_dim": 128, "num_layers": 2, "num_heads": 4}
WIDTHS = {"embed_dim": 64, "hidden_dim": 64}


def test_products_are_near_and_rows_do_not_depend_on_each_other() -> None:
    torch.manual_seed(1)
    weight, bias = torch.randn(300, 96), torch.randn(300)
    x = torch.randn(4, 17, 96) * torch.logspace(-3, 3, 17)[:, None]
    held = Int8Weight(weight)
    y, wanted = F.linear(x, held, bias), F.linear(x, weight, bias)
    # Each factor is off by at most half a step, of 127; the errors of 96 products add up like independent ones.
    assert ((y - wanted).abs().amax(-1) / (wanted - bias).abs().amax(-1)).max() < 0.02
    for row in (0, 16):
        torch.testing.assert_close(F.linear(x[2, row], held, bias), y[2, row], rtol=1e-6, atol=1e-6)
    assert F.linear(x[:0], held).shape == (0, 17, 300)
    assert F.linear(torch.zeros(3, 96), held).abs().max() == 0


def test_it_stands_for_the_matrix_wherever_it_is_read() -> None:
    torch.manual_seed(1)
    weight = torch.randn(50, 96)
    held = Int8Weight(weight)
    floats = held.floats()
    assert (floats - weight).abs().amax() <= (weight.abs().amax(1) / 127 / 2).max() * 1.001
    symbols = torch.tensor([[3, 0], [49, 3]])
    assert torch.equal(F.embedding(symbols, held), floats[symbols])
    assert torch.equal(held.t() @ torch.ones(50), floats.t() @ torch.ones(50))
    assert torch.equal(torch.cat([held[:, :7], torch.ones(50, 1)], 1), torch.cat([floats[:, :7], torch.ones(50, 1)], 1))
    assert (held.shape, held.dtype, held.numel(), held.device.type) == (weight.shape, weight.dtype, 4800, "cpu")


def build(kind: str) -> Seq2Seq:
    torch.manual_seed(1)
    if kind == "transformer":
        encoder, decoder = TransformerEncoderConfig(**BLOCKS), TransformerDecoderConfig(**BLOCKS)
    elif kind == "conv":
        encoder, decoder = ConvEncoderConfig(**WIDTHS), ConvDecoderConfig(**WIDTHS)
    else:
        encoder, decoder = RnnEncoderConfig(**WIDTHS), AttentionDecoderConfig(**WIDTHS)
    config = Seq2SeqConfig(encoder=encoder, decoder=decoder, share_embeddings=kind != "rnn")
    return config.build(Symbols(300), Symbols(300)).eval()


@torch.inference_mode()
def log_probs(model: Seq2Seq, source: Tensor, target: Tensor) -> Tensor:
    padded = Padded(source, torch.ones_like(source, dtype=torch.bool))
    batch = Batch({"source": padded}, [Item({}, key) for key in range(len(source))])
    memory = model.decoder.prepare(model.encode(batch))
    emission, _ = model.decoder.unroll(memory, Padded(target, torch.ones_like(target, dtype=torch.bool)))
    return emission.logits().log_softmax(-1)


@pytest.mark.parametrize("kind", ["transformer", "conv", "rnn"])
def test_a_model_says_nearly_the_same_alone_and_in_a_batch(kind: str) -> None:
    model, (source, target) = build(kind), torch.randint(1, 300, (2, 5, 9))
    floats = log_probs(model, source, target)
    use_int8(model)
    integers = log_probs(model, source, target)
    assert 0 < (integers - floats).abs().mean() < 0.03 * floats.std()
    for row in range(5):
        alone = log_probs(model, source[row : row + 1], target[row : row + 1])
        torch.testing.assert_close(alone[0], integers[row], rtol=1e-4, atol=1e-4)


def test_tied_weights_stay_one_and_recurrent_and_small_ones_stay_floats() -> None:
    model = build("transformer")
    use_int8(model)
    held = {id(module.weight) for module in model.modules() if isinstance(module, (OutputEmbedding, SymbolEmbedding))}
    assert len(held) == 1
    assert not [name for name, weight in model.named_parameters() if weight.numel() >= SMALLEST]
    recurrent = build("rnn")
    before = {name: each for name, each in recurrent.named_parameters() if "weight_" in name}
    use_int8(recurrent)
    after = dict(recurrent.named_parameters())
    assert before and all(after[name] is each for name, each in before.items())


def test_only_on_the_processor() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(64, 64))
    with pytest.raises(UsageError, match="--precision int8: only on the processor, not on meta; add --device cpu"):
        use_int8(model)
