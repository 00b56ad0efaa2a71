"""Stacks of recurrent layers and the encoder made of them: padding, pieces, directions, residuals.

The laws over encoders: tests/laws.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from anyseq.core import Padded, Symbols, Tree, Vectors
from anyseq.models.encoders.rnn import RnnEncoder, RnnEncoderConfig
from anyseq.nn.cells import GruCell, LstmCell
from anyseq.nn.recurrent import Bidirectional, Causal, Dense, RecurrentStack, Residual
from laws.cases import AverageCell

EXACT = {"rtol": 0.0, "atol": 1e-9}
LENGTHS = torch.tensor([5, 1, 3, 5])


def make(bidirectional: bool, **settings: Any) -> RnnEncoder:
    torch.manual_seed(3)
    config = RnnEncoderConfig(embed_dim=4, hidden_dim=3, num_layers=2, bidirectional=bidirectional, **settings)
    encoder = config.build(Symbols(9)).double().eval()
    for parameter in encoder.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return encoder


def source() -> Padded:
    torch.manual_seed(4)
    return Padded(torch.randint(1, 9, (4, 5)), torch.arange(5) < LENGTHS[:, None])


def test_a_fold_that_reads_both_ways_has_no_pieces() -> None:
    encoder = make(True)
    memory = encoder(source())
    assert memory.carry is None
    with pytest.raises(ValueError, match="both ways"):
        encoder(source(), encoder.stack.start(memory.vectors))


def test_only_one_direction_is_causal() -> None:
    """The vector at t depends on the source after t exactly where the encoder reads both ways."""
    for bidirectional in (False, True):
        encoder, batch = make(bidirectional), source()
        changed = batch.values.clone()
        changed[:, 3:] = changed[:, 3:] % 8 + 1
        before, after = encoder(batch).vectors[0, :3], encoder(Padded(changed, batch.valid)).vectors[0, :3]
        assert torch.equal(before, after) != bidirectional


def test_both_directions_equal_torch_on_packed_sequences() -> None:
    encoder, batch = make(True, connections="plain"), source()
    theirs = nn.GRU(4, 3, 2, batch_first=True, bidirectional=True).double()
    weights = {}
    for number, layer in enumerate(encoder.stack.layers):
        for cell, suffix in ((layer.forward_cell, ""), (layer.backward_cell, "_reverse")):
            weights |= {f"{name}_l{number}{suffix}": value for name, value in cell.state_dict().items()}
    theirs.load_state_dict(weights)
    x = encoder.embed(batch.values)
    packed = nn.utils.rnn.pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    outputs, final = theirs(packed)
    outputs, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
    memory = encoder(batch)
    torch.testing.assert_close(memory.vectors[batch.valid], outputs[batch.valid], **EXACT)
    torch.testing.assert_close(memory.summary, torch.cat([final[2], final[3]], 1), **EXACT)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_state_may_be_given_and_an_empty_row_keeps_it(bidirectional: bool) -> None:
    stack = make(bidirectional, cell="lstm").stack
    x, valid = torch.randn(3, 4, 4, dtype=torch.float64), torch.arange(4) < torch.tensor([4, 0, 2])[:, None]
    state = random_like(stack.start(x))
    outputs, after = stack(x, valid, state)
    for layer, dims in zip(("layer0", "layer1"), stack.state_dims, strict=True):
        for name, width in dims.items():
            kept, first = (stack.joined(tree).get(layer).get(name)[1] for tree in (after, state))
            assert kept.shape == (width,)
            torch.testing.assert_close(kept, first, **EXACT)
    assert not torch.allclose(outputs[valid], stack(x, valid)[0][valid])


def random_like(tree: Tree) -> Tree:
    return Tree(**{k: torch.randn_like(v) if isinstance(v, Tensor) else random_like(v) for k, v in tree})


def test_cells_that_carry_more_or_not_the_same_read_from_both_ends() -> None:
    x, valid = torch.randn(2, 4, 3), torch.ones(2, 4, dtype=torch.bool)
    for right, left in ((AverageCell(3, 2), AverageCell(3, 2)), (LstmCell(3, 2), GruCell(3, 2))):
        layer = Bidirectional(right, left)
        assert layer.state_dims == {"h": 4}
        outputs, state = layer(x, valid, layer.start(x))
        joined = layer.joined(state)
        torch.testing.assert_close(joined.h, torch.cat([outputs[:, -1, :2], outputs[:, 0, 2:]], 1))
        assert [name for name, _ in joined] == ["h"]


def test_a_residual_layer_adds_to_what_it_reads() -> None:
    torch.manual_seed(0)
    layer = Causal(GruCell(3, 3))
    x, valid = torch.randn(2, 4, 3), torch.ones(2, 4, dtype=torch.bool)
    plain, state = layer(x, valid, layer.start(x))
    added, same = Residual(layer)(x, valid, layer.start(x))
    torch.testing.assert_close(added, x + plain)
    torch.testing.assert_close(same.h, state.h)
    with pytest.raises(ValueError, match="equal widths"):
        Residual(Causal(GruCell(2, 3)))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_dense_layer_reads_the_input_and_all_outputs_below(bidirectional: bool) -> None:
    torch.manual_seed(0)
    config = RnnEncoderConfig(embed_dim=4, hidden_dim=3, num_layers=3, connections="dense", bidirectional=bidirectional)
    stack = config.build(Symbols(9)).stack.eval()
    wide = 3 * (1 + bidirectional)
    assert [layer.input_dim for layer in stack.layers] == [4, 4 + wide, 4 + 2 * wide]
    assert (stack.output_dim, stack.state_dims) == (wide, ({"h": wide},) * 3)
    x, valid = torch.randn(2, 5, 4), torch.arange(5) < torch.tensor([5, 3])[:, None]
    outputs, _ = stack(x, valid)
    below = [x]
    for layer in stack.layers:
        own = layer.layer if isinstance(layer, Dense) else layer
        y, _ = own(torch.cat(below, 2), valid, own.start(x))
        below.append(y)
    torch.testing.assert_close(outputs[valid], below[-1][valid])


def test_a_reversed_stack_reads_the_source_from_back_to_front() -> None:
    """But for the end symbol; what it gives stands where the source's symbol does, so that attention is read aright."""
    settings = {"embed_dim": 4, "hidden_dim": 3, "num_layers": 2, "bidirectional": False, "cell": "lstm"}
    torch.manual_seed(0)
    forwards = RnnEncoderConfig(**settings).build(Symbols(9)).double()
    torch.manual_seed(0)
    backwards = RnnEncoderConfig(**settings, reverse=True).build(Symbols(9)).double()
    forwards.eval(), backwards.eval()
    lengths = torch.tensor([5, 1, 3, 2])
    valid = torch.arange(5) < lengths[:, None]
    values = torch.tensor([[1, 2, 3, 4, 0], [0, 5, 6, 7, 8], [1, 2, 0, 7, 8], [3, 0, 1, 1, 1]])
    turned = torch.tensor([[4, 3, 2, 1, 0], [0, 5, 6, 7, 8], [2, 1, 0, 7, 8], [3, 0, 1, 1, 1]])
    memory, expected = backwards(Padded(values, valid)), forwards(Padded(turned, valid))
    torch.testing.assert_close(memory.summary, expected.summary, **EXACT)
    torch.testing.assert_close(memory.states.layer0.c, expected.states.layer0.c, **EXACT)
    for row, length in enumerate(lengths.tolist()):
        vectors = expected.vectors[row, :length]
        torch.testing.assert_close(
            memory.vectors[row, :length], torch.cat([vectors[:-1].flip(0), vectors[-1:]]), **EXACT
        )
    with pytest.raises(TypeError, match="no single step"):
        backwards.stack.step(torch.zeros(1, 4).double(), backwards.stack.start(torch.zeros(1, 4).double()))


def test_vectors_have_no_end_symbol_to_keep_last() -> None:
    settings = {"embed_dim": 4, "hidden_dim": 3, "bidirectional": False}
    torch.manual_seed(0)
    forwards = RnnEncoderConfig(**settings).build(Vectors(2)).eval()
    torch.manual_seed(0)
    backwards = RnnEncoderConfig(**settings, reverse=True).build(Vectors(2)).eval()
    x, valid = torch.randn(2, 3, 2), torch.ones(2, 3, dtype=torch.bool)
    memory, expected = backwards(Padded(x, valid)), forwards(Padded(x.flip(1), valid))
    torch.testing.assert_close(memory.vectors, expected.vectors.flip(1))
    torch.testing.assert_close(memory.summary, expected.summary)


def test_reading_from_both_ends_and_reversed_is_refused() -> None:
    with pytest.raises(ValueError, match="bidirectional=false, or reverse=false"):
        RnnEncoderConfig(reverse=True)


def test_layers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="reads 4 stands on one that gives 3"):
        RecurrentStack([Causal(GruCell(2, 3)), Causal(GruCell(4, 3))])
    both = RecurrentStack([Bidirectional(GruCell(2, 3), GruCell(2, 3))])
    with pytest.raises(TypeError, match="no single step"):
        both.step(torch.zeros(1, 2), both.start(torch.zeros(1, 2)))


def test_dropout_falls_between_layers_in_training_alone() -> None:
    encoder, batch = make(True), source()
    assert torch.equal(encoder(batch).vectors, encoder(batch).vectors)
    encoder.train()
    assert not torch.equal(encoder(batch).vectors, encoder(batch).vectors)


def test_vectors_are_a_source_too() -> None:
    encoder = RnnEncoderConfig(embed_dim=4, hidden_dim=3).build(Vectors(2))
    memory = encoder(Padded(torch.randn(2, 3, 2), torch.ones(2, 3, dtype=torch.bool)))
    assert memory.vectors.shape == (2, 3, encoder.output_dim)
    assert memory.summary.shape == (2, encoder.summary_dim)
