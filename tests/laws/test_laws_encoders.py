"""Laws 1 to 3 over every encoder of the table."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from anyseq.core import Encoder, Padded, Symbols
from laws.cases import ENCODERS, unlike_new

torch.set_num_threads(1)
LENGTHS = torch.tensor([5, 1, 3, 5])
BOUNDS = {torch.float64: 1e-9, torch.float32: 2e-5}
every_encoder = pytest.mark.parametrize("name", ENCODERS)


def make(name: str, dtype: torch.dtype = torch.float64) -> Encoder:
    torch.manual_seed(3)
    return unlike_new(ENCODERS[name].config.build(Symbols(9)), dtype)


def source() -> Padded:
    """Ragged; symbols at padding too."""
    torch.manual_seed(4)
    return Padded(torch.randint(1, 9, (4, 5)), torch.arange(5) < LENGTHS[:, None])


@pytest.mark.parametrize("dtype", BOUNDS, ids=str)
@every_encoder
def test_1_padding_and_neighbours_change_nothing(name: str, dtype: torch.dtype) -> None:
    encoder, batch, bound = make(name, dtype), source(), {"rtol": 0.0, "atol": BOUNDS[dtype]}
    together = encoder(batch)
    assert together.vectors.shape == (4, 5, encoder.output_dim) and together.summary.shape == (4, encoder.summary_dim)
    assert torch.equal(together.valid, batch.valid) and together.item.tolist() == [0, 1, 2, 3]
    for row, length in enumerate(LENGTHS.tolist()):
        alone = encoder(Padded(batch.values[row : row + 1, :length], batch.valid[row : row + 1, :length]))
        torch.testing.assert_close(alone.vectors[0], together.vectors[row, :length], **bound)
        torch.testing.assert_close(alone.summary[0], together.summary[row], **bound)


@every_encoder
def test_2_pieces_are_the_whole_or_refused(name: str) -> None:
    """Also where a row ended before the piece began."""
    encoder, batch = make(name), source()
    whole = encoder(batch)
    if "pieces" in ENCODERS[name].exceptions:
        assert whole.get("carry") is None
        with pytest.raises(ValueError, match="in pieces"):
            encoder(batch, carry=whole.summary)
        return
    for cut in (1, 3):
        first = encoder(Padded(batch.values[:, :cut], batch.valid[:, :cut]))
        second = encoder(Padded(batch.values[:, cut:], batch.valid[:, cut:]), first.carry)
        joined = torch.cat([first.vectors, second.vectors], 1)
        torch.testing.assert_close(joined[batch.valid], whole.vectors[batch.valid], rtol=0, atol=1e-9)
        torch.testing.assert_close(second.summary, whole.summary, rtol=0, atol=1e-9)
        last = encoder(Padded(batch.values[:, :0], batch.valid[:, :0]), second.carry)
        torch.testing.assert_close(last.summary, whole.summary, rtol=0, atol=1e-9)


@every_encoder
def test_3_no_gradient_from_padding_and_every_parameter_learns(name: str) -> None:
    encoder, batch = make(name), source()
    seen: list[Tensor] = []
    encoder.embed.register_forward_hook(lambda module, given, out: out.retain_grad() or seen.append(out))
    memory = encoder(batch)
    (memory.vectors[batch.valid].pow(3).sum() + memory.summary.pow(3).sum()).backward()
    gradient = seen[0].grad
    assert gradient is not None
    assert not gradient[~batch.valid].any()
    assert gradient[batch.valid].abs().sum(-1).all()
    idle = [name for name, own in encoder.named_parameters() if own.grad is None or not own.grad.any()]
    assert not idle


@pytest.mark.parametrize("name", [name for name in ENCODERS if "order" not in ENCODERS[name].exceptions])
def test_the_order_of_the_source_matters(name: str) -> None:
    """To every place, and not only by moving its vector along: else positions would be nowhere."""
    encoder = make(name)
    there, back = (
        encoder(Padded(torch.tensor([values]), torch.ones(1, 4, dtype=torch.bool)))
        for values in ([1, 2, 3, 4], [4, 3, 2, 1])
    )
    assert not torch.allclose(there.vectors, back.vectors.flip(1), atol=1e-3)
    assert not torch.allclose(there.summary, back.summary, atol=1e-6)
