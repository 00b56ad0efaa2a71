"""Gated convolutions and their attention against the paper's equations, one place at a time."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from anyseq.core import Memory, Padded, Symbols
from anyseq.errors import ConfigError
from anyseq.models.decoders.base import MemoryShape
from anyseq.models.decoders.conv import ConvDecoder, ConvDecoderConfig
from anyseq.models.encoders.conv import ConvEncoder, ConvEncoderConfig
from anyseq.nn.attention import bias_of
from anyseq.nn.convolution import AttendingBlock, CausalBlock, CentredBlock, GatedConvolution, windows

torch.set_num_threads(1)
EXACT = {"rtol": 0.0, "atol": 1e-9}
DIM, MEMORY, SYMBOLS = 6, 4, 7
VALID = torch.arange(5) < torch.tensor([5, 1, 3])[:, None]
KERNELS = pytest.mark.parametrize("width", [1, 2, 3, 4, 7])


def random_weights(module: Any) -> Any:
    module = module.double().eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def gated(convolution: GatedConvolution, seen: list[Tensor]) -> Tensor:
    """Equation by equation: [A; B] = W [seen] + b, A * sigmoid(B). What is not there is zero."""
    dim, both = convolution.dim, convolution.linear.bias
    for place, x in enumerate(seen):
        both = both + convolution.linear.weight[:, place * dim : (place + 1) * dim] @ x
    return both[:dim] * both[dim:].sigmoid()


def at(x: Tensor, place: int) -> Tensor:
    return x[place] if 0 <= place < len(x) else torch.zeros_like(x[0])


def test_windows_stand_side_by_side() -> None:
    x = torch.arange(2 * 4 * 3).view(2, 4, 3).double()
    found = windows(x, 3)
    assert found.shape == (2, 2, 9)
    for row in range(2):
        for time in range(2):
            assert torch.equal(found[row, time], x[row, time : time + 3].flatten())
    assert windows(x, 5).shape == (2, 0, 15)


def test_a_single_window_is_no_copy() -> None:
    """A step reads what stands there."""
    x = torch.randn(2, 3, 4)
    assert windows(x, 3).data_ptr() == x.data_ptr()


def test_a_convolution_sees_something() -> None:
    with pytest.raises(ValueError, match="at least one place"):
        GatedConvolution(4, 0)


def test_sinusoidal_positions_of_an_odd_width_are_the_recipes_fault() -> None:
    with pytest.raises(ConfigError, match="even embed_dim, not 5"):
        ConvEncoderConfig(embed_dim=5, positions="sinusoidal").build(Symbols(SYMBOLS))


@KERNELS
def test_the_centred_block_sees_the_places_around_and_zeros_beyond_the_ends(width: int) -> None:
    torch.manual_seed(0)
    block = random_weights(CentredBlock(DIM, width, 0.0))
    x = draw(3, 5, DIM) * VALID[:, :, None]
    together = block(x, VALID[:, :, None].double())
    assert not together[~VALID].any()
    for row, length in enumerate(VALID.sum(1).tolist()):
        own = x[row, :length]
        read = nn.functional.layer_norm(own, (DIM,), block.norm.weight)
        for place in range(length):
            first = place - (width - 1) // 2
            seen = [at(read, there) for there in range(first, first + width)]
            torch.testing.assert_close(together[row, place], own[place] + gated(block.convolution, seen), **EXACT)


@KERNELS
def test_the_causal_block_sees_the_places_up_to_its_own(width: int) -> None:
    torch.manual_seed(1)
    block = random_weights(CausalBlock(DIM, width, 0.0))
    x = draw(2, 5, DIM)
    whole, places = block(x, x.new_zeros(2, block.reach, DIM))
    assert places.shape == (2, 5 + block.reach, DIM)
    for row in range(2):
        read = nn.functional.layer_norm(x[row], (DIM,), block.norm.weight)
        for place in range(5):
            seen = [at(read, there) for there in range(place - width + 1, place + 1)]
            torch.testing.assert_close(whole[row, place], gated(block.convolution, seen), **EXACT)
    first, read = block(x[:, :2], x.new_zeros(2, block.reach, DIM))
    second, _ = block(x[:, 2:], read[:, 2:])
    torch.testing.assert_close(torch.cat([first, second], 1), whole, **EXACT)


@pytest.mark.parametrize("rows_per_source", [1, 2])
def test_the_attending_block_is_the_papers_step(rows_per_source: int) -> None:
    """Equations 1 and 2 with W_d and W_c on the decoder's side, each row with a copy of its source."""
    torch.manual_seed(2)
    block = random_weights(AttendingBlock(CausalBlock(DIM, 3, 0.0), MEMORY))
    keys, values = draw(3, 5, MEMORY), draw(3, 5, MEMORY)
    rows, time = 3 * rows_per_source, 4
    x, g, past = draw(rows, time, DIM), draw(rows, time, MEMORY), draw(rows, 2, DIM)
    own = g.reshape(3, -1, MEMORY) @ keys.transpose(1, 2) + bias_of(VALID, keys)[:, None]
    y, _, weights = block(x, past, block.prepare(keys, values), own)
    h, _ = block.block(x, past)
    for row in range(rows):
        source = row // rows_per_source
        length = int(VALID[source].sum())
        z, v = keys[source, :length], values[source, :length]
        for place in range(time):
            d = block.key.weight.T @ h[row, place] / DIM**0.5 + g[row, place]
            a = (z @ d).softmax(0)
            c = block.value.weight @ (a @ v) + block.value.bias
            torch.testing.assert_close(y[row, place], x[row, place] + h[row, place] + c, **EXACT)
            found = weights[source, row % rows_per_source * time + place]
            torch.testing.assert_close(found[:length], a, **EXACT)
            assert not found[length:].any()


SIZES = {"embed_dim": MEMORY, "hidden_dim": DIM, "num_layers": 2, "kernel_width": 3, "dropout": 0.0}


def encoder() -> ConvEncoder:
    return random_weights(ConvEncoderConfig(**SIZES).build(Symbols(SYMBOLS)))


def decoder(**settings: object) -> ConvDecoder:
    config = ConvDecoderConfig(**{**SIZES, **settings})
    return random_weights(config.build(MemoryShape(MEMORY, MEMORY), Symbols(SYMBOLS)))


def memory(**fields: Tensor) -> Memory:
    return Memory(item=torch.arange(3), vectors=draw(3, 5, MEMORY), valid=VALID, summary=draw(3, MEMORY), **fields)


def test_values_are_the_encoders_outputs_and_its_inputs() -> None:
    torch.manual_seed(3)
    source = Padded(torch.randint(SYMBOLS, VALID.shape), VALID)
    folding, unfolding = encoder(), decoder()
    folded = folding(source)
    e = folding.embed.weight[source.values] * MEMORY**0.5 + folding.positions.table.weight[:5]
    torch.testing.assert_close(folded.embedded[VALID], e[VALID], **EXACT)
    layer = unfolding.layers[0]
    prepared = unfolding.prepare(folded).looked_at.layer0
    torch.testing.assert_close(prepared.key, layer.key(folded.vectors), **EXACT)
    torch.testing.assert_close(prepared.value, layer.value((folded.vectors + folded.embedded) / 2**0.5), **EXACT)
    plain = memory()
    torch.testing.assert_close(unfolding.prepare(plain).looked_at.layer0.value, layer.value(plain.vectors), **EXACT)


def test_attention_is_the_mean_over_layers() -> None:
    torch.manual_seed(4)
    unfolding, weights = decoder(), []
    for layer in unfolding.layers:
        layer.register_forward_hook(lambda module, given, out: weights.append(out[2]))
    target = Padded(torch.randint(SYMBOLS, (3, 4)), torch.ones(3, 4, dtype=torch.bool))
    emission, _ = unfolding.unroll(unfolding.prepare(memory()), target)
    torch.testing.assert_close(emission.attention(), (weights[0] + weights[1]) / 2, **EXACT)
    assert not torch.allclose(weights[0], weights[1], atol=1e-3)


def test_a_place_sees_as_far_back_as_the_stack_reaches() -> None:
    """Two layers of three places: five symbols, fed back one place later."""
    torch.manual_seed(5)
    unfolding, looked_at = decoder(), memory()
    values = torch.randint(SYMBOLS, (3, 9))
    valid = torch.ones(3, 9, dtype=torch.bool)
    prepared = unfolding.prepare(looked_at)
    before, _ = unfolding.unroll(prepared, Padded(values, valid))
    changed = values.clone()
    changed[:, 1] = (changed[:, 1] + 1) % SYMBOLS
    after, _ = unfolding.unroll(prepared, Padded(changed, valid))
    moved = (before.log_probs() - after.log_probs()).abs().amax((0, 2)) > 1e-9
    assert moved.tolist() == [False] * 2 + [True] * 5 + [False] * 2


def test_the_state_does_not_grow() -> None:
    """What each layer's convolution read at the last kernel_width - 1 places, however long the target."""
    unfolding = decoder(kernel_width=4)
    with torch.inference_mode():
        prepared = unfolding.prepare(memory())
        state = unfolding.start(prepared)
        for _ in range(6):
            _, state = unfolding.step(prepared, state, torch.tensor([1, 2, 3]))
            assert [past.shape for _, past in state.past] == [(3, 3, DIM)] * 2
            assert state.past.layer0.untyped_storage().nbytes() == 3 * 4 * DIM * 8  # and of one place more at most
        assert state.select(torch.tensor([2])).past.layer0.untyped_storage().nbytes() == 3 * DIM * 8
