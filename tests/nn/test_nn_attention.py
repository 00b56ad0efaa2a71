"""Attention against torch's own, with weights copied."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from anyseq.core import Memory, Padded, Symbols
from anyseq.models.decoders.base import MemoryShape
from anyseq.models.decoders.transformer import TransformerDecoder, TransformerDecoderConfig
from anyseq.models.encoders.transformer import TransformerEncoder, TransformerEncoderConfig
from anyseq.nn.attention import CrossAttention, SelfAttention, attend, attend_fused, bias_of
from anyseq.nn.dropout import Dropout

torch.set_num_threads(1)
EXACT = {"rtol": 0.0, "atol": 1e-9}
DIM, HEADS, SYMBOLS = 8, 2, 7
VALID = torch.arange(5) < torch.tensor([5, 2, 4])[:, None]


def random_weights(module: nn.Module) -> nn.Module:
    module = module.double().eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("shape", [(1, 1, 4), (6, 3, 4), (6, 1, 4), None])
def test_the_fused_kernel_reads_what_the_textbook_reads(shape: tuple[int, ...] | None) -> None:
    torch.manual_seed(0)
    query, key, value = draw(6, 3, 5), draw(6, 4, 5), draw(6, 4, 5)
    bias = None
    if shape is not None:
        allowed = torch.rand(shape) < 0.5
        allowed[..., 0] = True
        bias = bias_of(allowed, query)
    read, weights = attend(query, key, value, bias, Dropout(0.3).eval())
    torch.testing.assert_close(attend_fused(query, key, value, bias, Dropout(0.3).eval()), read, **EXACT)
    torch.testing.assert_close(weights.sum(2), torch.ones(6, 3).double(), **EXACT)
    if bias is not None:
        assert not weights[(bias == -torch.inf).expand_as(weights)].any()


@pytest.mark.parametrize("masked", [False, True])
def test_the_fused_kernel_is_one_that_never_builds_the_table(masked: bool) -> None:
    query, key = torch.randn(6, 3, 8), torch.randn(6, 4, 8)
    bias = bias_of(torch.ones(6, 1, 4, dtype=torch.bool), query) if masked else None
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION]):  # fails where only the plain products can do it
        read = attend_fused(query, key, key, bias, Dropout(0.0))
    torch.testing.assert_close(read, attend(query, key, key, bias, Dropout(0.0))[0])


def test_dropout_falls_on_the_weights_and_those_reported_are_whole() -> None:
    torch.manual_seed(0)
    query, key, value = draw(2, 300, 4), draw(2, 5, 4), torch.ones(2, 5, 4, dtype=torch.float64)
    read, weights = attend(query, key, value, None, Dropout(0.5).train())
    torch.testing.assert_close(weights.sum(2), torch.ones(2, 300).double(), **EXACT)
    assert read.std() > 0.1 and float(read.mean()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("causal", [False, True])
def test_self_attention_is_torch_multi_head_attention(causal: bool) -> None:
    torch.manual_seed(1)
    own = random_weights(SelfAttention(DIM, HEADS, 0.0))
    theirs = nn.MultiheadAttention(DIM, HEADS, batch_first=True).double().eval()
    theirs.load_state_dict(
        {
            "in_proj_weight": own.query_key_value.weight, "in_proj_bias": own.query_key_value.bias,
            "out_proj.weight": own.out.weight, "out_proj.bias": own.out.bias,
        }
    )
    x, places = draw(3, 5, DIM), torch.arange(5)[None]
    later = torch.ones(5, 5, dtype=torch.bool).triu(1) if causal else torch.zeros(5, 5, dtype=torch.bool)
    expected, _ = theirs(x, x, x, attn_mask=later, key_padding_mask=~VALID)
    bias = bias_of(VALID[:, None] & ~later, x).repeat_interleave(HEADS, 0)
    read, _ = own(x, places, bias)
    torch.testing.assert_close(read[VALID], expected[VALID], **EXACT)


@pytest.mark.parametrize("width", [1, 3])
def test_cross_attention_is_torch_multi_head_attention(width: int) -> None:
    """Rows of one source share its memory: as if it were copied for each."""
    torch.manual_seed(2)
    own = random_weights(CrossAttention(DIM, 6, HEADS, 0.0))
    theirs = nn.MultiheadAttention(DIM, HEADS, kdim=6, vdim=6, batch_first=True).double().eval()
    key, value = own.key_value.weight.chunk(2)
    theirs.load_state_dict(
        {
            "q_proj_weight": own.query.weight, "k_proj_weight": key, "v_proj_weight": value,
            "in_proj_bias": torch.cat([own.query.bias, own.key_value.bias]),
            "out_proj.weight": own.out.weight, "out_proj.bias": own.out.bias,
        }
    )
    x, vectors = draw(3 * width, 4, DIM), draw(3, 5, 6)
    bias = bias_of(VALID, x)[:, None, None].expand(-1, HEADS, -1, -1)
    read, weights = own(x, own.prepare(vectors), bias)
    copies = vectors.repeat_interleave(width, 0)
    expected, looks = theirs(x, copies, copies, key_padding_mask=~VALID.repeat_interleave(width, 0))
    torch.testing.assert_close(read, expected, **EXACT)
    torch.testing.assert_close(weights(), looks, **EXACT)


def layer_weights(own: nn.Module, names: dict[str, str]) -> dict[str, Tensor]:
    """torch's names for our layer's weights."""
    found = {}
    for theirs, ours in names.items():
        module = own.get_submodule(ours)
        found[f"{theirs}weight"], found[f"{theirs}bias"] = module.weight, module.bias
    return found


SELF = {"self_attn.in_proj_": "self_attention.query_key_value", "self_attn.out_proj.": "self_attention.out"}
REST = {"linear1.": "feed_forward.into", "linear2.": "feed_forward.out", "norm1.": "around_self.norm"}
ENCODER = {**SELF, **REST, "norm2.": "around_feed_forward.norm"}
DECODER = {**SELF, **REST, "norm2.": "around_cross.norm", "norm3.": "around_feed_forward.norm"}
KINDS = pytest.mark.parametrize(("norm", "activation"), [("pre", "relu"), ("post", "gelu")])


def settings(norm: str, activation: str) -> dict[str, object]:
    return {
        "model_dim": DIM, "ffn_dim": 12, "num_layers": 2, "num_heads": HEADS, "norm": norm, "activation": activation,
        "dropout": 0.0,
    }  # fmt: skip


def theirs_of(kind: type[nn.Module], norm: str, activation: str) -> nn.Module:
    return kind(
        DIM, HEADS, 12, dropout=0.0, activation=activation, batch_first=True, norm_first=norm == "pre"
    ).double().eval()


def sinusoids(time: int) -> Tensor:
    """Vaswani et al. 2017, section 3.5, sines before cosines."""
    table = torch.zeros(time, DIM, dtype=torch.float64)
    for place in range(time):
        for i in range(DIM // 2):
            angle = torch.tensor(place / 10000 ** (2 * i / DIM), dtype=torch.float64)
            table[place, i], table[place, DIM // 2 + i] = angle.sin(), angle.cos()
    return table


@KINDS
def test_the_encoder_is_a_stack_of_torch_encoder_layers(norm: str, activation: str) -> None:
    torch.manual_seed(3)
    own = random_weights(TransformerEncoderConfig(**settings(norm, activation)).build(Symbols(SYMBOLS)))
    assert isinstance(own, TransformerEncoder)
    source = Padded(torch.randint(SYMBOLS, VALID.shape), VALID)
    memory = own(source)
    x = own.embed.weight[source.values] * DIM**0.5 + sinusoids(5)
    for layer in own.layers:
        theirs = theirs_of(nn.TransformerEncoderLayer, norm, activation)
        theirs.load_state_dict(layer_weights(layer, ENCODER))
        # With gradients on: torch's own fast path, taken without, drops padded places.
        x = theirs(x, src_key_padding_mask=~VALID)
    x = own.norm(x)
    torch.testing.assert_close(memory.vectors[VALID], x[VALID], **EXACT)
    means = torch.stack([row[valid].mean(0) for row, valid in zip(x, VALID, strict=True)])
    torch.testing.assert_close(memory.summary, means, **EXACT)


@KINDS
def test_the_decoder_is_a_stack_of_torch_decoder_layers(norm: str, activation: str) -> None:
    torch.manual_seed(4)
    config = TransformerDecoderConfig(**settings(norm, activation), tied=False)
    own = random_weights(config.build(MemoryShape(DIM, DIM), Symbols(SYMBOLS)))
    assert isinstance(own, TransformerDecoder)
    memory = Memory(item=torch.arange(3), vectors=draw(3, 5, DIM), valid=VALID, summary=draw(3, DIM))
    target = Padded(torch.randint(SYMBOLS, (3, 6)), torch.ones(3, 6, dtype=torch.bool))
    emission, _ = own.unroll(own.prepare(memory), target)
    inputs = torch.cat([own.fed_back.start.expand(3, 1, -1), own.fed_back.embed.weight[target.values[:, :-1]]], 1)
    x = inputs * DIM**0.5 + sinusoids(6)
    later = torch.ones(6, 6, dtype=torch.bool).triu(1)
    for layer in own.layers:
        theirs = theirs_of(nn.TransformerDecoderLayer, norm, activation)
        cross = layer.cross_attention
        theirs.load_state_dict(
            layer_weights(layer, DECODER)
            | {
                "multihead_attn.in_proj_weight": torch.cat([cross.query.weight, cross.key_value.weight]),
                "multihead_attn.in_proj_bias": torch.cat([cross.query.bias, cross.key_value.bias]),
                "multihead_attn.out_proj.weight": cross.out.weight, "multihead_attn.out_proj.bias": cross.out.bias,
            }
        )
        x = theirs(x, memory.vectors, tgt_mask=later, memory_key_padding_mask=~VALID)
    expected = nn.functional.linear(own.norm(x), own.output.weight, own.output.bias).log_softmax(-1)
    torch.testing.assert_close(emission.log_probs(), expected, **EXACT)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="multiple of num_heads"):
        SelfAttention(6, 4, 0.0)
