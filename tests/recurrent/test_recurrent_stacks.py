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
from anyseq.nn.cells import GruCell
from anyseq.nn.recurrent import Bidirectional, Causal, RecurrentStack, Residual

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
    encoder, batch = make(True, residual=False), source()
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
    torch.testing.assert_close(stack.final(after)[1], stack.final(state)[1], **EXACT)
    assert not torch.allclose(outputs[valid], stack(x, valid)[0][valid])


def random_like(tree: Tree) -> Tree:
    return Tree(**{k: torch.randn_like(v) if isinstance(v, Tensor) else random_like(v) for k, v in tree})


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
